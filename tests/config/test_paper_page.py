"""docs/paper.md, "Settings": what it says of `experiment=paper` is what that configuration is."""

import re
from pathlib import Path

import pytest

from facecond.config.compose import compose
from facecond.config.settings import flatten, plain

PAGE = (Path(__file__).parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")

ROWS = [
    line.split("|")[1:-1] for line in PAGE.partition("## Settings")[2].partition("## Figures")[0].splitlines()
    if line.startswith("| ")
][1:]  # fmt: skip

SAID = [(row[0].strip(), *said) for row in ROWS for said in re.findall(r"`([a-z_.]+)=([^`]+)`", row[3])]


def words(experiment: str) -> dict[str, str]:
    """Every setting as it is typed."""
    config = flatten(plain(compose("train", [f"experiment={experiment}"]).config))
    return {key: str(value).replace(" ", "") for key, value in config.items()}


def same(found: str, said: str) -> bool:
    try:
        return float(found) == float(said)
    except ValueError:
        return found.lower() == said.lower()


def test_the_table_has_rows() -> None:
    assert len(ROWS) >= 18
    assert len(SAID) >= 25
    assert all(len(row) == 5 for row in ROWS)


@pytest.mark.parametrize(
    ("what", "key", "value"), [each for each in SAID if each[1] not in ("parser", "init", "size", "model")]
)
def test_a_setting_is_what_the_page_says(what: str, key: str, value: str) -> None:
    found = words("paper")
    assert key in found, what
    assert same(found[key], value), (what, found[key])


def test_the_baseline_differs_in_weighting_and_model_alone() -> None:
    paper, baseline = words("paper"), words("baseline")
    differing = {key for key in paper.keys() | baseline.keys() if paper.get(key) != baseline.get(key)}
    assert differing == {"weighting.name", "model.conditions"}
    assert baseline["weighting.name"] == "uniform"
    assert baseline["model.conditions"] == "[]"
