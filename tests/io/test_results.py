"""results.json keeps every word of a figure, and refuses what it cannot read."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from facecond.errors import DataError
from facecond.io.documents import Record, read_json, write_json
from facecond.io.results import ClassValue, Figure, read_results, write_results

MIOU = Figure(
    name="miou",
    value=0.71,
    count=256,
    title="Mask mIoU",
    ceiling=0.84,
    floor=0.21,
    spread=0.01,
    marks={"reconstructions": 0.72},
    reference="validation split",
    judge="parser",
    judge_hash="ab" * 32,
    note="one confusion matrix",
    classes=(ClassValue(name="nose", value=0.9, ceiling=0.95, floor=0.0), ClassValue(name="hat", value=None)),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    fid = Figure(name="fid", value=8.2, count=5000, better="lower")
    write_results(tmp_path / "results.json", [MIOU, fid], about={"sampler": {"steps": 500}})
    results = read_results(tmp_path / "results.json")
    assert results.figures == (MIOU, fid)
    assert results["miou"].heading == "Mask mIoU"
    assert results["fid"].heading == "fid"
    assert results.about == {"sampler": {"steps": 500}}
    with pytest.raises(KeyError):
        results["kid"]


def test_zero_is_a_value_and_nan_is_null(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(
        path, [Figure(name="a", value=0.0, count=0, floor=0.0), Figure(name="b", value=math.nan, count=1)], about={}
    )
    rows = json.loads(path.read_text())["figures"]
    assert rows[0]["value"] == 0.0
    assert rows[0]["floor"] == 0.0
    assert rows[1]["value"] is None
    assert math.isnan(read_results(path)["b"].value)


def test_two_figures_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="share a name"):
        write_results(tmp_path / "results.json", [MIOU, MIOU], about={})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "facecond-pack"}, "format is \"facecond-pack\", expected 'facecond-results'"),
        ({"version": 2}, "version is 2, this program reads version 1"),
        ({"figures": [{"name": "a"}]}, r"figures\.0: value is missing"),
        ({"figures": [{"name": "a", "value": "1", "count": 1}]}, r"figures\.0: value is \"1\", expected a number"),
        ({"figures": [{"name": "a", "value": 1, "count": 1, "better": "worse"}]}, r"figures\.0: better is \"worse\""),
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "results.json"
    write_results(path, [MIOU], about={})
    write_json(path, read_json(path, Record) | change)
    with pytest.raises(DataError, match=message):
        read_results(path)


def test_marks_that_could_not_be_measured_come_back(tmp_path: Path) -> None:
    figure = dataclasses.replace(MIOU, marks={"reconstructions": math.nan, "real": 0.5})
    write_results(tmp_path / "results.json", [figure], about={})
    assert read_results(tmp_path / "results.json")["miou"].marks == {"reconstructions": None, "real": 0.5}
