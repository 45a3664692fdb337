"""The networks of a run as functions of arrays alone, one ONNX file each: what a runtime without torch needs to sample.

    encoder   values of one condition (B, ...) -> tokens (B, T, D); values that say nothing give the null tokens
    step      noisy latents (B, C, H, W), times (B,), tokens (B, T, D) -> the raw answer (B, C, H, W)
    decoder   codes (B, C, H, W) -> pictures (B, 3, H, W) of about [-1, 1]

Guidance, sampler, noise and the search of the nearest codes are arithmetic that the runtime's own language does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facecond.assembly.first_stage import FirstStage
from facecond.assembly.generator import Diffuser
from facecond.autoencoder.vq import VQModel
from facecond.denoisers.denoiser import Denoiser
from facecond.types import Context

EXAMPLES = 2
"""Items of the batch a network is traced with; files take any number."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One network to be written."""

    name: str
    """Of its file, without the suffix."""
    network: nn.Module
    inputs: dict[str, Tensor]
    """Examples by name, in the order of the arguments, items first."""
    output: str


class Step(nn.Module):
    """A denoiser that reads its context anew in every step, which costs little (see `Denoiser.bind`)."""

    places_TP: Tensor

    def __init__(self, denoiser: Denoiser, places_TP: Tensor) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.register_buffer("places_TP", places_TP)

    def forward(self, z_BCHW: Tensor, time_B: Tensor, tokens_BTD: Tensor | None = None) -> Tensor:
        """Return the raw answer; without tokens that of an unconditional network."""
        context = None if tokens_BTD is None else Context(tokens_BTD, self.places_TP)
        return self.denoiser.predict(z_BCHW, time_B, self.denoiser.read(context))


class Decoder(nn.Module):
    """The first stage from codes on."""

    def __init__(self, first_stage: VQModel) -> None:
        super().__init__()
        self.first_stage = first_stage

    def forward(self, codes_BCHW: Tensor) -> Tensor:
        """Codes, or latents taken as they are -> pictures."""
        return self.first_stage.decode_unquantised(codes_BCHW)


def pieces_of(diffuser: Diffuser, name: str, latent_shape: tuple[int, int, int]) -> Iterator[Piece]:
    """The encoders and the step of what diffuses latents of `latent_shape` (C, H, W); their names begin with `name`."""
    conditioner, device = diffuser.conditioner, diffuser.device
    for each in conditioner.conditions:
        values = {"values": each.nothing(EXAMPLES, diffuser.resolution, device)}
        yield Piece(f"{name}-{each.name}", conditioner.encoders[each.name], values, "tokens")
    inputs = {
        "z": torch.zeros(EXAMPLES, *latent_shape, device=device),
        "time": torch.zeros(EXAMPLES, device=device),
    }
    if conditioner.names:
        tokens = len(conditioner.places())
        inputs["tokens"] = torch.zeros(EXAMPLES, tokens, diffuser.config.token_width, device=device)
    yield Piece(f"{name}-step", Step(diffuser.denoiser, conditioner.places()), inputs, "raw")


def decoder_of(first_stage: FirstStage, latent_shape: tuple[int, int, int]) -> Piece | None:
    """The decoder; None where there is no first stage."""
    network = first_stage.network
    if not isinstance(network, VQModel):
        return None
    codes = torch.zeros(EXAMPLES, *latent_shape, device=next(network.parameters()).device)
    return Piece("decoder", Decoder(network), {"codes": codes}, "images")
