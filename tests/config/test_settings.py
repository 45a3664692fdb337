"""Settings that stand in files are values and nothing else, of the schema's types and inside its limits."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facecond.config.compose import compose
from facecond.config.diffusion import DiffusionConfig
from facecond.config.models import FirstStageModelConfig
from facecond.config.settings import plain, restore
from facecond.errors import ConfigError, FacecondError

FIRST_STAGE = plain(FirstStageModelConfig())
DIFFUSION = plain(DiffusionConfig(conditions=["attributes"]))


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The same settings with another value under a dotted key."""
    other = copy.deepcopy(values)
    *sections, last = key.split(".")
    section = other
    for name in sections:
        section = section[name]
    section[last] = value
    return other


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "${network.ch}", ["${oc.env:HOME}"]])
def test_nothing_in_a_file_is_looked_up(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"weights: loss\.perceptual=.* refers to something else"):
        restore(FirstStageModelConfig, changed(FIRST_STAGE, "loss.perceptual", value), "weights")


@pytest.mark.parametrize(("key", "value"), [("network.ch", -3), ("network.ch", 0), ("network.n_embed", 10**30)])
def test_limits_hold_in_files_too(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"weights: .*{key.rpartition('.')[2]}"):
        restore(FirstStageModelConfig, changed(FIRST_STAGE, key, value), "weights")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def settings_or_one_line(schema: type, values: Any) -> bool:
    """Whether values become settings, or are refused in a line that names their file."""
    said = "run.json"
    try:
        restore(schema, values, "run.json")
    except FacecondError as error:
        said = str(error)
    return "run.json" in said and "\n" not in said


@settings(max_examples=150)
@given(st.sampled_from(sorted(DIFFUSION)), anything)
def test_any_value_under_any_key_is_settings_or_one_line(key: str, value: Any) -> None:
    assert settings_or_one_line(DiffusionConfig, changed(DIFFUSION, key, value))


@settings(max_examples=50)
@given(anything)
def test_what_is_no_settings_at_all_is_one_line(value: Any) -> None:
    assert settings_or_one_line(FirstStageModelConfig, value)


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("data draw", "data.count=100000000000"),
        ("sample", "samples=1000000000000"),
        ("sample", "batch_size=10000000"),
        ("train", "model.denoiser.model_channels=32000000"),
        ("train", "model.denoiser.channel_mult=[0]"),
        ("train", "model.mask.channel_mult=[1,65]"),
        ("train", "trainer.seed=99999999999999999999"),
    ],
)
def test_numbers_that_are_slips_are_refused_before_anything_is_built(command: str, word: str) -> None:
    with pytest.raises(ConfigError, match="is out of range"):
        compose(command, [word])
