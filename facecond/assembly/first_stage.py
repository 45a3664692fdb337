"""A first stage, ready to encode pictures and decode latents: a trained one, or none."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.autoencoder.pixels import Pixels
from facecond.autoencoder.vq import VQModel
from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.models import FirstStageModelConfig
from facecond.config.settings import plain, restore
from facecond.data.pack import Pack
from facecond.errors import CheckpointError, ConfigError, DataError, NotFiniteError
from facecond.interop.compvis import first_stage as autoencoder_of
from facecond.interop.compvis import first_stage_sizes
from facecond.interop.foreign import read_tensors
from facecond.io.checkpoint import (
    Weights,
    is_ours,
    join_modules,
    load_strictly,
    load_weights,
    naming,
    save_weights,
    split_modules,
)  # fmt: skip
from facecond.io.files import atomic_write
from facecond.io.runs import WEIGHTS, weights_in
from facecond.types import Codec
from facecond.workspace.find import kept_first_stage, note_first_stage


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
        return to_pictures(require_finite(self.network.decode(latents_BCHW.float()), "decoded pictures"))


def require_finite(values: Tensor, what: str) -> Tensor:
    """Return float `values` (B, ...). Raises NotFiniteError, with the rows, when some are NaN or infinite."""
    finite = torch.isfinite(values).flatten(1).all(dim=1)
    if not finite.all():
        raise NotFiniteError(what, torch.nonzero(~finite).flatten().tolist())
    return values


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


def load_first_stage(place: Path, device: torch.device, *, norm_groups: int | None = None) -> FirstStage:
    """Load a first stage from a run folder, a weights file of this project, or a checkpoint of CompVis latent diffusion.

    The place `none` is no first stage: pictures are their own latents. Of a checkpoint of latent diffusion the sizes are
    read off the tensors, and its SHA-256 is that of the weights file of this project that `keep_first_stage` makes of it;
    `norm_groups`: see `facecond.interop.compvis.first_stage_sizes`.

    Raises CheckpointError when the weights are missing, damaged or of something else, ConfigError when `norm_groups` is
    given and does not divide its widths, or it states them itself.
    """
    if str(place) == NO_FIRST_STAGE:
        return FirstStage(Pixels(), NO_FIRST_STAGE, place)
    file = weights_in(place)
    codec: Codec
    if is_ours(file):
        if norm_groups is not None:
            raise ConfigError(f"norm_groups={norm_groups}: {file} states its own", hint="leave norm_groups out")
        weights = load_weights(file, hint="train a first stage: facecond train model=vq")
        if weights.config.get("kind") not in CODECS:
            raise CheckpointError(
                f"{file} does not hold a first stage", hint="expected the weights of a run of model=vq"
            )
        codec, digest = CODECS[weights.config["kind"]](weights, file), weights.sha256
    else:
        with naming(file):
            tensors = autoencoder_of(read_tensors(file))
            codec = VQModel(first_stage_sizes(tensors, norm_groups)).eval().requires_grad_(False)
            load_strictly(codec, tensors, str(file))
        with tempfile.TemporaryDirectory() as folder:
            digest = _save(codec, Path(folder) / WEIGHTS)
    return FirstStage(codec.to(device) if isinstance(codec, nn.Module) else codec, digest, file)


def keep_first_stage(first_stage: FirstStage, workspace: str) -> Path:
    """Write a first stage that came as a file into WORKSPACE/first_stages, under its hash, and note what it was made from.

    Runs then find it by its content wherever the file or the workspace is moved.
    """
    place = kept_first_stage(workspace, first_stage.sha256)
    if not place.is_file():
        if is_ours(first_stage.origin):
            with atomic_write(place) as temporary:
                shutil.copyfile(first_stage.origin, temporary)
        else:
            assert isinstance(first_stage.network, VQModel)  # what `none` stands for comes as no file
            _save(first_stage.network, place)
    note_first_stage(place, first_stage.sha256, first_stage.origin)
    return place


def _save(network: VQModel, path: Path) -> str:
    """Write the network as weights of this project; return the SHA-256, which depends on tensors and sizes alone."""
    model = FirstStageModelConfig(network=network.config)
    config = {"kind": "vq", "model": plain(model)}
    return save_weights(path, join_modules({"first_stage": network.state_dict()}), config)


def check_resolution(first_stage: FirstStage, pack: Pack) -> None:
    """Raise DataError when the pack's pictures cannot be divided into the first stage's cells."""
    if pack.resolution % first_stage.network.factor:
        raise DataError(
            f"{pack.path} has {pack.resolution} px, which the first stage's factor {first_stage.network.factor} does not divide",
            hint="pack the data at a multiple of it",
        )
