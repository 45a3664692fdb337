"""Meanings of keys come from the schema, and every key has one."""

import dataclasses

import pytest
import yaml

from facecond.config.commands.sample import SampleConfig
from facecond.config.commands.table import COMMANDS
from facecond.config.compose import compose
from facecond.config.meanings import meanings


def test_a_meaning_is_the_text_below_the_field_bases_included() -> None:
    found = meanings(SampleConfig)
    assert found["count"].startswith("Conditions taken from the validation split")
    assert found["seed"].startswith("Seed of the starting noise")
    assert found["workspace"] == "Folder that holds packs, runs, samples and results."
    assert all("\n" not in text for text in found.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_commented_yaml_is_the_same_configuration(command: str) -> None:
    composed = compose(command, [], blank=True)
    text = composed.as_commented_yaml()
    assert yaml.safe_load(text) == yaml.safe_load(composed.as_yaml())
    leaves = [field for field in dataclasses.fields(composed.config) if field.name in meanings(type(composed.config))]
    assert text.count("# ") >= len(leaves) > 0


def test_names_to_choose_from_stand_beside_the_meaning() -> None:
    assert "(auto, cpu, cuda)" in compose("sample", []).as_commented_yaml()
