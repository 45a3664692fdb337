"""How a run is sampled: its own sampler and guidance unless others are named, and what it cannot be sampled with."""

from collections.abc import Mapping, Sequence
from typing import Any

from facecond.conditions.table import CONDITIONS
from facecond.config.compose import Composed, compose
from facecond.config.diffusion import DiffusionConfig, GuidanceConfig, SamplerConfig
from facecond.config.recorded import restore
from facecond.errors import ConfigError
from facecond.workspace.find import RunInfo


def compose_sampling(
    command: str, words: Sequence[str], run: RunInfo, made_with: Mapping[str, Any] | None = None
) -> tuple[Composed, str]:
    """Compose the configuration of a command that samples `run`; return it and where its sampler and guidance come from.

    The run's own have less say than `words`; `made_with`, of samples that are there already (see generation.json), takes
    their place. Raises ConfigError for a fault in the words and for what the run cannot be sampled with.
    """
    if made_with is None:
        beneath, why = sampling_of(run, words)
    else:
        why = "what the samples were made with"
        beneath = [
            f"{part}.{key}={value}" for part in ("sampler", "guidance") for key, value in made_with[part].items()
        ]
        beneath.append(f"precision={made_with['precision']}")
    composed = compose(command, words, beneath=beneath)
    check_sampling(run.config["model"], composed.config.sampler, composed.config.guidance, run.path.name)
    check_guided(composed, run.config["model"]["conditions"], f"the model of {run.path.name}")
    return composed, why


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


def sampling_of(run: RunInfo, words: Sequence[str]) -> tuple[list[str], str]:
    """Return the run's own sampler and guidance as overrides below those typed, and a sentence about them."""
    sections = ["sampler", "guidance"]
    if any(word.startswith("sampler=") for word in words):
        sections.remove("sampler")
    values = {f"{section}.{key}": value for section in sections for key, value in run.config[section].items()}
    beneath = [f"{key}={'null' if value is None else value}" for key, value in values.items()]
    return beneath, "as the run was trained with, unless named"
