"""Reads reference numbers made by CompVis' latent diffusion on a CPU in float32 (random weights)."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden"


def arrays(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
    """Return (weights, other arrays, metadata with its JSON parsed)."""
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
    weights = {key.removeprefix("weights/"): value for key, value in tensors.items() if key.startswith("weights/")}
    return weights, {key: value for key, value in tensors.items() if not key.startswith("weights/")}, metadata


def names_and_shapes(name: str) -> list[tuple[str, list[int]]]:
    """Return the state dict's names and shapes at full size, in order."""
    return [(key, shape) for key, shape, _ in json.loads((GOLDEN / f"{name}.json").read_text())]


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference relative to the largest reference value."""
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())
