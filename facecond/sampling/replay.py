"""A step of sampling as a CUDA graph: the context is bound, so that a step is a function of latents and time alone.

A small network's step is hundreds of kernels, each shorter than the host takes to start it; a graph starts them all at once. It
is recorded at the second step of a batch, after the first has made torch load what it loads once, and lives as long as the batch.
On a CPU nothing is recorded, and the step is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from facecond.config.settings import first_line
from facecond.memory import is_out_of_memory
from facecond.types import Denoise

log = logging.getLogger("facecond")

Record = Callable[[Denoise, Tensor, Tensor], Denoise]
"""Returns what replays a recording of a bound network on inputs of these shapes, and runs it once or not at all."""


def record(denoise: Denoise, z_BCHW: Tensor, time_B: Tensor) -> Denoise:
    """Record `denoise` on copies of its inputs; return what copies inputs there, replays, and copies the answer out.

    What is recorded reads the weights where autocast has cast them, which must outlive it: call it inside the context of all steps.
    """
    z_static, time_static = z_BCHW.clone(), time_B.clone()
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # Of this thread alone: another one sends the noise of the next steps meanwhile.
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            answer = denoise(z_static, time_static)
        finally:
            graph.capture_end()
    torch.cuda.current_stream().wait_stream(stream)

    def replay(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
        z_static.copy_(z_BCHW)
        time_static.copy_(time_B)
        graph.replay()
        return answer.clone()  # the next step writes there

    return replay


class Replayed:
    """Calls a bound network, from its second step on by a recording, where its latents lie on a GPU.

    Where recording fails, a line says so and every step is started from the host.
    """

    def __init__(self, denoise: Denoise, record: Record = record, device: str = "cuda") -> None:
        """`record` on latents that lie on `device`."""
        self._denoise, self._record, self._device, self._replay = denoise, record, device, denoise
        self._steps = 0
        self._shapes: tuple[torch.Size, ...] = ()

    def __call__(self, z_BCHW: Tensor, time_B: Tensor) -> Tensor:
        """Return the network's answer."""
        shapes = (z_BCHW.shape, time_B.shape)
        if z_BCHW.device.type != self._device:
            return self._denoise(z_BCHW, time_B)
        if self._steps == 1:
            self._replay, self._shapes = self._recorded(z_BCHW, time_B), shapes
        self._steps += 1
        step = self._replay if shapes == self._shapes else self._denoise
        return step(z_BCHW, time_B)

    def _recorded(self, z_BCHW: Tensor, time_B: Tensor) -> Denoise:
        try:
            return self._record(self._denoise, z_BCHW, time_B)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            log.info("steps of sampling are not captured in a CUDA graph (%s)", first_line(error))
            return self._denoise
