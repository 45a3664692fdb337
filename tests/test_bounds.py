"""Limits of numbers."""

from dataclasses import dataclass, field

import pytest

from facecond.bounds import bounded, check_bounds
from facecond.config.compose import compose
from facecond.errors import ConfigError


@dataclass
class Inner:
    share: float = bounded(0.5, above=0.0, maximum=1.0)


@dataclass
class Outer:
    count: int = bounded(1, minimum=1)
    inner: Inner = field(default_factory=Inner)
    free: float = 0.0


def test_limits_are_inclusive_except_above() -> None:
    check_bounds(Outer(count=1, inner=Inner(share=1.0)))
    with pytest.raises(ConfigError, match=r"inner\.share=0.*more than 0 and at most 1"):
        check_bounds(Outer(inner=Inner(share=0.0)))
    with pytest.raises(ConfigError, match=r"count=0.*at least 1"):
        check_bounds(Outer(count=0))
    with pytest.raises(ConfigError, match="finite"):
        check_bounds(Outer(free=float("inf")))


def test_limits_that_catch_slips_can_be_lifted_and_others_cannot() -> None:
    assert compose("sample", ["count=20000000", "limits=false"]).config.count == 20_000_000
    with pytest.raises(ConfigError, match="limits=false lets it through"):
        compose("sample", ["count=20000000"])
    with pytest.raises(ConfigError, match="at most 65536"):
        compose("sample", ["batch_size=70000", "limits=false"])
    with pytest.raises(ConfigError, match="at least 1"):
        compose("sample", ["count=0", "limits=false"])
