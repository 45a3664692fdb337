"""Defaults that depend on pack, run and device, each with its reason: size of a model, sampler of a run, device."""

from collections.abc import Mapping, Sequence
from typing import Any

from facecond.conditions.table import CONDITIONS
from facecond.config.compose import Composed, restore
from facecond.config.diffusion import DiffusionConfig, GuidanceConfig, SamplerConfig
from facecond.errors import ConfigError
from facecond.workspace.find import RunInfo

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


def check_sampling(model: Mapping[str, Any], sampler: SamplerConfig, guidance: GuidanceConfig, name: str) -> None:
    """Refuse what the model called `name` (its configuration as plain values) cannot be sampled with.

    Raises ConfigError for more steps than it has timesteps, for a target that cannot start from pure noise, and for guidance
    where it never learnt what "not told" means.
    """
    timesteps = model["schedule"]["timesteps"]
    straight = model["schedule"].get("shape") == "straight"
    if straight and model.get("target") == "eps":
        raise ConfigError(
            "model.target=eps with model.schedule.shape=straight: sampling starts at pure noise, where the noise says nothing "
            "about the picture",
            hint="set model.target=velocity (or v, or x0)",
        )
    if sampler.steps > timesteps and not straight:
        raise ConfigError(
            f"sampler.steps={sampler.steps}: the model of {name} has {timesteps} timesteps",
            hint=f"at most {timesteps}",
        )
    for condition in model["conditions"]:
        if guidance.weight(condition) != 1.0 and not may_be_left_out(model):
            raise ConfigError(
                f"guidance.{condition}={guidance.weight(condition):g}: the model of {name} was always told everything, "
                "so guidance has nothing to start from",
                hint="leave guidance at 1, or train with model.condition_dropout=0.1",
            )


def check_guided(composed: Composed, conditions: Sequence[str], name: str) -> None:
    """Raise ConfigError when the user names guidance for a condition that the model called `name` does not have."""
    for condition in CONDITIONS:
        if composed.given(f"guidance.{condition}") and condition not in conditions:
            raise ConfigError(
                f"guidance.{condition}: {name} is not conditioned on {condition}",
                hint="leave it out, or name another model",
            )


def may_be_left_out(model: Mapping[str, Any]) -> bool:
    """Say whether a model (its configuration as plain values) learnt to do without a condition."""
    config: DiffusionConfig = restore(DiffusionConfig, dict(model), "the model")
    return config.optional


def sampling_of(run: RunInfo, composed: Composed) -> tuple[list[str], str]:
    """Return the run's own sampler and guidance as overrides below those typed, and a sentence about them."""
    sections = ["sampler", "guidance"]
    if any(word.startswith("sampler=") for word in composed.overrides):
        sections.remove("sampler")
    values = {f"{section}.{key}": value for section in sections for key, value in run.config[section].items()}
    beneath = [f"{key}={'null' if value is None else value}" for key, value in values.items()]
    return beneath, "as the run was trained with, unless named"
