"""Choices made for the person, each with its reason: size of a model, sampler of a run, device."""

from collections.abc import Sequence

from facecond.commands.workspace import RunInfo
from facecond.config.catalogue import groups_of

PER_DEVICE = {
    "cpu": ((64, "tiny"), (10_000, "small")),
    "cuda": ((64, "tiny"), (128, "base"), (10_000, "paper")),
}
"""For each kind of device: (largest resolution in pixels, size)."""


def choose_size(resolution: int, device: str) -> tuple[str, str]:
    """Return the size of model for a pack of `resolution` pixels on `device` ("cpu" or "cuda"), and the reason."""
    size = next(size for limit, size in PER_DEVICE[device] if resolution <= limit)
    where = "a GPU" if device == "cuda" else "no GPU"
    return size, f"for {resolution} px and {where}; name another with size="


def names_size(words: Sequence[str]) -> bool:
    """True when the overrides choose a size, directly or through an experiment."""
    return any(word.startswith(("size=", "experiment=")) for word in words)


def sampling_of(run: RunInfo, words: Sequence[str], command: str) -> tuple[list[str], str]:
    """Return the run's own sampler and guidance as overrides with less say than the person's, and a sentence about them."""
    sections = ["sampler", "guidance"]
    if any(word.partition("=")[0] == "sampler" and "sampler" in groups_of(command) for word in words):
        sections.remove("sampler")
    beneath = [f"{section}.{key}={value}" for section in sections for key, value in run.config[section].items()]
    return beneath, "as the run was trained with, unless named"
