"""A trained first stage, ready to encode pictures and decode latents."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecond.autoencoder.vq import VQModel
from facecond.config.compose import restore
from facecond.config.models import FirstStageModelConfig
from facecond.config.networks import VQConfig
from facecond.data.pack import Pack
from facecond.errors import CheckpointError, DataError
from facecond.interop.compvis import first_stage as autoencoder_of
from facecond.interop.foreign import read_tensors
from facecond.io.checkpoint import is_ours, load_strictly, load_weights, naming, split_modules
from facecond.io.files import sha256_file


@dataclass(frozen=True, slots=True)
class FirstStage:
    """An autoencoder with its origin."""

    network: VQModel
    sha256: str
    """Of the weights file; names the latents it made."""
    origin: Path

    def encode(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures -> float32 latents before quantisation, unscaled."""
        return self.network.encode(images_BCHW.float() / 127.5 - 1)

    def decode(self, latents_BCHW: Tensor) -> NDArray[np.uint8]:
        """Float latents -> uint8 pictures (B, H, W, 3); quantises first."""
        return to_pictures(self.network.decode(latents_BCHW.float()))


def to_pictures(images_BCHW: Tensor) -> NDArray[np.uint8]:
    """Float pictures, about [-1, 1] -> uint8 (B, H, W, 3)."""
    levels = ((images_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return levels.permute(0, 2, 3, 1).cpu().numpy()


def load_first_stage(place: Path, device: torch.device) -> FirstStage:
    """Load a first stage from a run folder, a weights file of this project, or a checkpoint of CompVis latent diffusion.

    Raises CheckpointError when the weights are missing, damaged or of something else.
    """
    file = place / "weights.safetensors" if place.is_dir() else place
    if is_ours(file):
        weights = load_weights(file, hint="train a first stage: facecond train model=vq")
        if weights.config.get("kind") != "vq":
            raise CheckpointError(
                f"{file} does not hold a first stage", hint="expected the weights of a run of model=vq"
            )
        config = restore(FirstStageModelConfig, weights.config["model"], str(file)).network
        tensors, digest = split_modules(weights.tensors)["first_stage"], weights.sha256
    else:
        with naming(file):
            config, tensors, digest = VQConfig(), autoencoder_of(read_tensors(file)), sha256_file(file)
    network = VQModel(config)
    load_strictly(network, tensors, str(file))
    return FirstStage(network.eval().requires_grad_(False).to(device), digest, file)


def check_resolution(first_stage: FirstStage, pack: Pack) -> None:
    """Raise DataError when the pack's pictures cannot be divided into the first stage's cells."""
    if pack.resolution % first_stage.network.factor:
        raise DataError(
            f"{pack.path} has {pack.resolution} px, which the first stage's factor {first_stage.network.factor} does not divide",
            hint="pack the data at a multiple of it",
        )
