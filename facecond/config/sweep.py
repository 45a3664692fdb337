"""Sweeps: `model=attr,mask trainer.seed=0,1` becomes one list of overrides for each combination."""

import itertools
from collections.abc import Sequence

from facecond.errors import ConfigError


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Return every combination of the values named in `overrides`, the last one varying fastest.

    Raises:
        ConfigError: when an override cannot be read.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    axes = []
    for word in overrides:
        try:
            parsed = parser.parse_overrides([word])[0]
            values = list(parsed.sweep_string_iterator()) if parsed.is_sweep_override() else []
        except (HydraException, ValueError) as error:
            raise ConfigError(f"{word!r} cannot be read", hint="write key=value or key=value,value") from error
        axes.append([f"{parsed.get_key_element()}={value}" for value in values] or [word])
    return [list(combination) for combination in itertools.product(*axes)]
