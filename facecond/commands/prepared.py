"""A command that knows everything it will use: its checked configuration, its name, and what was chosen by default and why."""

import logging
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from facecond.config.commands.base import CommandConfig, GenerateConfig
from facecond.config.compose import Composed, compose
from facecond.processes import ALONE, Processes
from facecond.workspace.find import find_pack, find_run, read_run
from facecond.workspace.names import check_name
from facecond.workspace.origin import Origin, compose_sampling, how_trained, origin_of, pack_of, weights_file

log = logging.getLogger("facecond")


C = TypeVar("C", bound=CommandConfig)
F = TypeVar("F")


@dataclass(kw_only=True, slots=True)
class Prepared(Generic[C, F]):
    """Ready to run; nothing has been written yet. C is the command's configuration, F what it finds on disk."""

    composed: Composed
    name: str
    """Name of the folder the command will write, so that no two commands of a sweep write the same."""
    found: F
    """What was found while preparing, for `run`; None where there is nothing to find."""
    used: dict[str, str] = field(default_factory=dict)
    """What is used and why."""
    processes: Processes = ALONE
    """Those that share the work; the command line sets them before `run`."""

    def __post_init__(self) -> None:
        """Raise ConfigError when name= is no name of a folder of the workspace."""
        if (name := getattr(self.config, "name", None)) is not None:
            check_name(name)

    @property
    def config(self) -> C:
        """The command's configuration dataclass."""
        config: C = self.composed.config
        return config

    def suggest(self, command: str, **named: str | None) -> str:
        """A command to type next: with what is `named` (None = leave it out), and the workspace the person named."""
        if self.config.workspace != CommandConfig().workspace:
            named["workspace"] = self.config.workspace
        return " ".join(
            ["facecond", command, *(_word(key, value) for key, value in named.items() if value is not None)]
        )

    def announce(self) -> None:
        """Say what is used and why."""
        for what, which in self.used.items():
            log.info("%s: %s", what, which)


def _word(key: str, value: str) -> str:
    """`key=value` as a person types it: quoted for Hydra and for the shell where either needs it."""
    if re.fullmatch(r"[\w./+@-]+", value):
        return f"{key}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return shlex.quote(f"{key}='{escaped}'")


def prepare_generation(
    command: str,
    words: Sequence[str],
    check: Callable[[Any], None] = lambda config: None,
    made_with: Mapping[str, Any] | None = None,
) -> Prepared[Any, Origin]:
    """Compose, find run, pack and first stage, and take the run's own sampler and guidance where the user names none.

    `check` looks at the configuration before anything is looked for on disk, so that a wrong value is reported first.
    `made_with`, of samples that are there already (see generation.json), takes the place of the run's own.
    """
    typed = compose(command, words)
    config: GenerateConfig = typed.config
    check(config)
    found = find_run(config.workspace, config.run, "diffusion")
    run = read_run(found.path)
    weights_file(run)
    composed, why = compose_sampling(command, words, run, made_with)
    config = composed.config
    pack = find_pack(config.workspace, config.pack) if config.pack else pack_of(run, config.workspace)
    sampler, guidance = config.sampler, config.guidance
    named = run.config["model"]["conditions"]
    used = {
        "run": how_trained(found, pack.path if pack else None, config.workspace, config.run),
        "pack": str(pack) if pack else "none: the one it was trained on is gone, so conditions are given by hand",
        "sampler": f"{sampler.name.name}, {sampler.steps} steps, eta {sampler.eta:g} ({why})",
    }
    if named:
        weights_of = ", ".join(f"{condition} {guidance.weight(condition):g}" for condition in named)
        used["guidance"] = f"{weights_of} ({why})"
    if config.first_stage is not None:
        used["first stage"] = f"{config.first_stage} (named)"
    origin = origin_of(run, pack.path if pack else None, config.workspace, config.first_stage)
    return Prepared(composed=composed, name=run.path.name, used=used, found=origin)
