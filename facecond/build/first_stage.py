"""A first stage, ready to encode pictures and decode latents: a trained one, or none."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.autoencoder.pixels import Pixels
from facecond.autoencoder.vq import VQModel
from facecond.config.commands import NO_FIRST_STAGE
from facecond.config.compose import restore
from facecond.config.models import FirstStageModelConfig
from facecond.config.networks import VQConfig
from facecond.data.pack import Pack
from facecond.errors import CheckpointError, DataError
from facecond.interop.compvis import first_stage as autoencoder_of
from facecond.interop.foreign import read_tensors
from facecond.io.checkpoint import Weights, is_ours, load_strictly, load_weights, naming, split_modules
from facecond.io.files import sha256_file
from facecond.types import Codec


@dataclass(frozen=True, slots=True)
class FirstStage:
    """A codec with its origin."""

    network: Codec
    sha256: str
    """Of the weights file, or "none"; names the latents it made."""
    origin: Path

    def encode(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures -> float32 latents before quantisation, unscaled."""
        return self.network.encode(images_BCHW.float() / 127.5 - 1)

    def decode(self, latents_BCHW: Tensor) -> NDArray[np.uint8]:
        """Float latents -> uint8 pictures (B, H, W, 3); a quantised first stage quantises first."""
        return to_pictures(self.network.decode(latents_BCHW.float()))


def to_pictures(images_BCHW: Tensor) -> NDArray[np.uint8]:
    """Float pictures, about [-1, 1] -> uint8 (B, H, W, 3)."""
    levels = ((images_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return levels.permute(0, 2, 3, 1).cpu().numpy()


def _vq(weights: Weights, file: Path) -> Codec:
    network = VQModel(restore(FirstStageModelConfig, weights.config["model"], str(file)).network)
    load_strictly(network, split_modules(weights.tensors)["first_stage"], str(file))
    return network.eval().requires_grad_(False)


CODECS: dict[str, Callable[[Weights, Path], Codec]] = {"vq": _vq}
"""What a weights file holds, by the `kind` in its header."""


def load_first_stage(place: Path, device: torch.device) -> FirstStage:
    """Load a first stage from a run folder, a weights file of this project, or a checkpoint of CompVis latent diffusion.

    The place `none` is no first stage: pictures are their own latents. Raises CheckpointError when the weights are
    missing, damaged or of something else.
    """
    if str(place) == NO_FIRST_STAGE:
        return FirstStage(Pixels(), NO_FIRST_STAGE, place)
    file = place / "weights.safetensors" if place.is_dir() else place
    codec: Codec
    if is_ours(file):
        weights = load_weights(file, hint="train a first stage: facecond train model=vq")
        if weights.config.get("kind") not in CODECS:
            raise CheckpointError(
                f"{file} does not hold a first stage", hint="expected the weights of a run of model=vq"
            )
        codec, digest = CODECS[weights.config["kind"]](weights, file), weights.sha256
    else:
        codec, digest = VQModel(VQConfig()).eval().requires_grad_(False), sha256_file(file)
        with naming(file):
            load_strictly(codec, autoencoder_of(read_tensors(file)), str(file))
    return FirstStage(codec.to(device) if isinstance(codec, nn.Module) else codec, digest, file)


def check_resolution(first_stage: FirstStage, pack: Pack) -> None:
    """Raise DataError when the pack's pictures cannot be divided into the first stage's cells."""
    if pack.resolution % first_stage.network.factor:
        raise DataError(
            f"{pack.path} has {pack.resolution} px, which the first stage's factor {first_stage.network.factor} does not divide",
            hint="pack the data at a multiple of it",
        )
