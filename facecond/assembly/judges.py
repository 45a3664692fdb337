"""Trained judges: a face parser and an attribute classifier, pictures in, label maps and attributes out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond import progress
from facecond.config.recorded import restore
from facecond.config.models import ClassifierModelConfig, ParserModelConfig
from facecond.config.networks import ParserConfig
from facecond.errors import CheckpointError
from facecond.interop.face_parsing import read_bisenet
from facecond.io.checkpoint import Weights, is_ours, load_strictly, load_weights, naming, split_modules
from facecond.io.files import sha256_file
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser, parse


@dataclass(frozen=True, slots=True)
class Judge:
    """A network that measures, never one that is measured."""

    network: nn.Module
    name: str
    """What it is, for the results."""
    sha256: str
    device: torch.device
    learnt_from: list[dict[str, Any]] | None
    """What it learnt from, and what the weights it started from did (see `data.learnt`); None when that is not known."""
    batch_size: int = 64

    def parse(self, images_NHWC: NDArray[np.uint8], description: str = "parsing") -> NDArray[np.uint8]:
        """uint8 pictures (N, H, W, 3) -> uint8 label maps (N, H, W)."""
        return self._judge(images_NHWC, lambda images: parse(self.network, images), description)  # type: ignore[arg-type]

    def attributes(self, images_NHWC: NDArray[np.uint8], description: str = "classifying") -> NDArray[np.bool_]:
        """uint8 pictures (N, H, W, 3) -> bool (N, 40): the attribute is there."""
        return self._judge(images_NHWC, lambda images: self.network(images) > 0, description)

    def _judge(
        self, images_NHWC: NDArray[np.uint8], read: Callable[[Tensor], Tensor], description: str
    ) -> NDArray[Any]:
        found = []
        with torch.inference_mode(), progress.bar(description, len(images_NHWC)) as bar:
            for start in range(0, len(images_NHWC), self.batch_size):
                piece = np.array(images_NHWC[start : start + self.batch_size])
                images = torch.from_numpy(piece).to(self.device).permute(0, 3, 1, 2)
                found.append(read(images).cpu().numpy())
                bar.update(len(piece))
        return np.concatenate(found)


def load_parser(place: Path, device: torch.device) -> Judge:
    """Load a face parser from a run of `model=parser`, or from the BiSeNet weights of face-parsing.PyTorch (.pth)."""
    file = place / "weights.safetensors" if place.is_dir() else place
    if is_ours(file):
        weights = load_weights(file, hint="train one: facecond train model=parser")
        _check_kind(file, weights.config, "parser")
        config = restore(ParserModelConfig, weights.config["model"], str(file)).network
        tensors, digest, learnt = split_modules(weights.tensors)["parser"], weights.sha256, _learnt(weights)
    else:
        with naming(file):
            config, tensors, digest, learnt = ParserConfig(), read_bisenet(file), sha256_file(file), None
    network = build_parser(config)
    load_strictly(network, tensors, str(file))
    name = f"{config.kind.name} parser {place.name}"
    return Judge(network.eval().requires_grad_(False).to(device), name, digest, device, learnt)


def load_classifier(place: Path, device: torch.device) -> Judge:
    """Load an attribute classifier from a run of `model=classifier` or its weights file."""
    file = place / "weights.safetensors" if place.is_dir() else place
    weights = load_weights(file, hint="train one: facecond train model=classifier")
    _check_kind(file, weights.config, "classifier")
    config = restore(ClassifierModelConfig, weights.config["model"], str(file)).network
    network = build_classifier(config)
    load_strictly(network, split_modules(weights.tensors)["classifier"], str(file))
    name = f"{config.kind.name} classifier {place.name}"
    return Judge(network.eval().requires_grad_(False).to(device), name, weights.sha256, device, _learnt(weights))


def _learnt(weights: Weights) -> list[dict[str, Any]] | None:
    return weights.config.get("learnt_from")


def _check_kind(file: Path, config: dict[str, object], kind: str) -> None:
    if config.get("kind") != kind:
        raise CheckpointError(f"{file} does not hold a {kind}", hint=f"expected the weights of a run of model={kind}")
