"""When a pass is recorded, replayed and given up; what a graph computes is seen on a GPU (test_cuda.py)."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facecond.config.training import Capture, Precision
from facecond.training.capture import Passes


class Counting(nn.Module):
    """Counts its calls, as batch normalisation does."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return 2 * x


def step(*, whole: bool = True) -> Any:
    return SimpleNamespace(
        device=torch.device("cuda"), precision=Precision.float32, whole=whole, autocast=nullcontext,
    )  # fmt: skip


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Shapes that were recorded: three trials each, as torch makes them; what is replayed answers with -1."""
    shapes: list[torch.Size] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], **_: Any) -> Any:
        shapes.append(inputs[0].shape)
        for _ in range(3):
            module(*inputs)
        return lambda *inputs: -torch.ones(())

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    return shapes


def test_recorded_once_and_replayed_for_the_same_shapes(recorded: list[torch.Size]) -> None:
    module = Counting()
    passes = Passes(module, Capture.auto)
    assert [float(passes(step(), torch.ones(4))) for _ in range(3)] == [-1, -1, -1]
    assert recorded == [torch.Size([4])]
    assert float(module.count) == 0  # trials are not counted
    assert passes(step(), torch.ones(2)).tolist() == [2, 2]  # another shape: as without graphs
    with torch.no_grad():
        assert passes(step(), torch.ones(4)).tolist() == [2] * 4
    assert len(recorded) == 1


def test_not_recorded_where_a_step_has_several_micro_batches(recorded: list[torch.Size]) -> None:
    passes = Passes(Counting(), Capture.auto)
    passes(step(), torch.ones(4))
    assert passes(step(whole=False), torch.ones(4)).tolist() == [2] * 4
    assert passes._recorded is None  # its memory is free again
    assert Passes(Counting(), Capture.never)(step(), torch.ones(4)).tolist() == [2] * 4
    assert len(recorded) == 1


def test_what_cannot_be_recorded_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*about: Any, **named: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fails)
    passes = Passes(Counting(), Capture.auto)
    with caplog.at_level("INFO", "facecond"):
        assert [passes(step(), torch.ones(1)).item() for _ in range(2)] == [2, 2]
    assert caplog.messages == ["steps are not captured in a CUDA graph (AssertionError)"]


def test_memory_that_is_out_is_left_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*about: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fails)
    with pytest.raises(torch.OutOfMemoryError):
        Passes(Counting(), Capture.auto)(step(), torch.ones(1))
