"""Trained judges: a face parser and an attribute classifier, pictures in, label maps and attributes out."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.config.models import ClassifierModelConfig, ParserModelConfig
from facecond.config.networks import ParserConfig
from facecond.config.settings import restore
from facecond.errors import CheckpointError
from facecond.faces.names import ATTRIBUTES, CLASSES
from facecond.interop.face_parsing import read_bisenet
from facecond.io.checkpoint import Weights, is_ours, load_strictly, load_weights, naming, split_modules
from facecond.io.files import apart, sha256_file
from facecond.io.runs import read_done, weights_in
from facecond.judges.classifier import build_classifier, classify
from facecond.judges.parser import build_parser, parse


@dataclass(frozen=True, slots=True)
class Judge:
    """A network that measures, never one that is measured; calling it gives what it sees in pictures."""

    network: nn.Module
    answer: Callable[[Any, Tensor], Tensor]
    """Network and uint8 pictures (n, 3, H, W) -> label maps uint8 (n, H, W), or which attributes are there, bool (n, 40)."""
    name: str
    """What it is, for the results."""
    sha256: str
    device: torch.device
    learnt_from: list[dict[str, Any]] | None
    """What it learnt from, and what the weights it started from did (see `data.learnt`); None when that is not known."""
    preprocessing: str
    """What it does to the pictures first, for the results."""
    published: bool = True
    keeps: bool = False
    batch_size: int = 64

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 pictures (N, H, W, 3) -> its answer, first axis N."""
        pieces = np.split(images_NHWC, range(self.batch_size, len(images_NHWC), self.batch_size))
        with torch.inference_mode():
            found = [
                self.answer(self.network, torch.from_numpy(np.array(piece)).to(self.device).permute(0, 3, 1, 2))
                for piece in pieces
            ]
        return torch.cat(found).cpu().numpy()


ANSWERS = {"parser": CLASSES, "classifier": ATTRIBUTES}
"""What the judges of each kind answer, in the order of their outputs; the header of their weights says it too."""


def load_parser(place: Path, device: torch.device) -> Judge:
    """Load a face parser from a run of `model=parser`, or from the BiSeNet weights of face-parsing.PyTorch (.pth)."""
    file = weights_in(place)
    if is_ours(file):
        weights = _own_weights(place, "parser")
        config = restore(ParserModelConfig, weights.config["model"], str(file)).network
        tensors, digest, learnt = split_modules(weights.tensors)["parser"], weights.sha256, _learnt(weights)
    else:
        with naming(file):
            config, tensors, digest, learnt = ParserConfig(), read_bisenet(file), sha256_file(file), None
    network = build_parser(config)
    load_strictly(network, tensors, str(file))
    name = f"{config.kind.name} parser {place.name}"
    network.eval().requires_grad_(False).to(device)
    return Judge(network, parse, name, digest, device, learnt, network.pixels.words)


def load_classifier(place: Path, device: torch.device) -> Judge:
    """Load an attribute classifier from a run of `model=classifier` or its weights file."""
    file, weights = weights_in(place), _own_weights(place, "classifier")
    config = restore(ClassifierModelConfig, weights.config["model"], str(file)).network
    network = build_classifier(config)
    load_strictly(network, split_modules(weights.tensors)["classifier"], str(file))
    name = f"{config.kind.name} classifier {place.name}"
    network.eval().requires_grad_(False).to(device)
    return Judge(network, classify, name, weights.sha256, device, _learnt(weights), network.pixels.words)


LOADERS = {"parser": load_parser, "classifier": load_classifier}
"""Kind of judge -> how one is loaded from a run or a weights file."""


def _learnt(weights: Weights) -> list[dict[str, Any]] | None:
    return weights.config.get("learnt_from")


def _own_weights(place: Path, kind: str) -> Weights:
    """Read weights of ours. Raises CheckpointError for another kind or other answers, and where a run has other weights now."""
    file, hint = weights_in(place), f"train one: facecond train model={kind}"
    weights = load_weights(file, hint=hint)
    if weights.config.get("kind") != kind:
        raise CheckpointError(f"{file} does not hold a {kind}", hint=f"expected the weights of a run of model={kind}")
    done = place / "done.json"
    if done.is_file() and (written := read_done(place)["weights_sha256"]) != weights.sha256:
        seen, said = apart(weights.sha256, written)
        raise CheckpointError(
            f"{file} was altered: its SHA-256 is {seen}, at the end of the training it was {said}",
            hint=f"bring the file back, or {hint}",
        )
    expected, found = ANSWERS[kind], weights.config.get("answers")
    if found is not None and tuple(found) != expected:
        pairs = enumerate(zip_longest(found, expected))
        number, (theirs, ours) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
        raise CheckpointError(
            f"{file} answers in another order: number {number} of {len(found)} is {theirs or 'nothing'}, "
            f"expected {ours or 'nothing'} of {len(expected)}",
            hint=hint,
        )
    return weights
