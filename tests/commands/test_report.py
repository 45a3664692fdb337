"""`facecond report`: a page about runs needs nothing but itself, and its numbers are those in the files."""

import itertools
import re
import shutil
from pathlib import Path

import pytest

from facecond.io.documents import Record, read_json, read_records, write_json
from facecond.io.results import read_results
from facecond.reports.tables import value_text
from facecond.workspace.gather import gather_run
from tests.commands.conftest import Facecond, call
from tests.reports.test_page import Reader


@pytest.fixture(scope="module")
def measured(workspace: Path) -> Path:
    """A workspace in which samples of both models were drawn and measured."""
    here = f"workspace={workspace}"
    for name in ("multicond", "attr"):
        call("eval", here, f"run={name}", "measures=[attributes]", "count=4", "sampler.steps=2")
    call("sample", here, "run=multicond", "grid=checkpoints", "count=1", "sampler.steps=2")
    call("swap-masks", here, "run=multicond", "count=1", "samples=1", "sampler.steps=2")
    call("compare", here, "runs=[multicond,attr]", "measures=[attributes]", "count=4", "sampler.steps=2")
    return workspace


@pytest.fixture(scope="module")
def page(measured: Path) -> str:
    made = call("report", f"workspace={measured}", "runs=[multicond,attr]").made
    assert made["page"] == measured / "reports" / "multicond-and-attr" / "index.html"
    return made["page"].read_text(encoding="utf-8")


def test_the_page_needs_nothing_else_and_is_in_order(page: str) -> None:
    reader = Reader(page)
    assert not re.search(r"url\((?!#)|@import|<script|https?://(?!www\.w3\.org/(2000/svg|1999/xlink)\")", page)
    assert all(link.startswith(("data:", "#")) for name in ("src", "href", "srcset") for link in reader.all(name))
    images = [values for tag, values in reader.elements if tag == "img"]
    assert len(images) == 2 + 3 + 1  # while training; samples, checkpoints and swap of one, samples of the other
    assert all(values.get("alt") for values in images)
    levels = [int(tag[1]) for tag, _ in reader.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(lower - upper <= 1 for upper, lower in itertools.pairwise(levels))
    assert len(set(reader.all("id"))) == len(reader.all("id"))


def test_numbers_on_the_page_are_those_in_the_files(page: str, measured: Path) -> None:
    words = Reader(page).words
    found = {word.strip() for word in words}
    for name in ("multicond", "attr"):
        done = read_json(measured / "runs" / name / "done.json", Record)
        assert str(done["images_seen"]) in found
        assert done["weights_sha256"][:12] in found
    of_both = 0
    for file in (measured / "results").glob("*/results.json"):
        results = read_results(file)
        for figure in results.figures:
            of_both += 1
            if results.about["command"] == "eval":
                value = value_text(figure.value, figure.unit)
                value += "" if figure.spread is None else f"\u00a0±\u00a0{value_text(figure.spread)}"
                assert value in found, (file, figure.name)
                assert {value_text(figure.ceiling), value_text(figure.floor)} <= found
            else:
                assert figure.heading in found
    assert of_both >= 3
    record = read_records(next((measured / "samples").glob("attr-items-*")) / "records.jsonl", Record)[0]
    assert {str(record["seed"]), record["source"]} <= found


def test_settings_in_which_the_runs_differ_are_named(page: str) -> None:
    words = "\n".join(word.strip() for word in Reader(page).words if word.strip())
    assert "model.conditions\nattributes, mask\nattributes\n" in words
    assert (
        "trainer.learning_rate\n" not in words.partition("Measured\n")[0].partition("differ")[2].partition("Config")[0]
    )


def test_parts_that_are_missing_or_damaged_are_sentences(measured: Path, tmp_path: Path) -> None:
    home = shutil.copytree(measured, tmp_path / "home")
    run = home / "runs" / "multicond"
    (run / "grids" / "000000000016.png").write_text("no picture")
    (run / "weights.safetensors").write_bytes(b"torn")
    for file in (home / "results").glob("multicond-eval-*/results.json"):
        write_json(file, read_json(file, Record) | {"version": 99})
    next((home / "samples").glob("multicond-items-*/images/000000.png")).unlink()
    unfinished = shutil.copytree(run, home / "runs" / "begun")
    for name in ("done.json", "metrics.jsonl"):
        (unfinished / name).unlink()
    said = {}
    for path in (run, unfinished):
        missing = gather_run(str(home), path, path.name, samples=4, records=1).missing
        said[path.name] = {title: " ".join(sentences) for title, sentences in missing.items()}
    assert said["begun"]["Runs"] == "not finished: 0 of 16 images; its training command continues it."
    assert said["begun"]["Curves"] == "no figures were logged yet."
    assert said["begun"]["Samples"] == "nothing can be sampled from a run that is not finished."
    assert "weights.safetensors: not a readable" in said["multicond"]["Runs"]
    assert "version is 99" in said["multicond"]["Measured"]
    assert "000000000016.png: not a picture" in said["multicond"]["Samples while training"]
    assert "000000.png: no such picture" in said["multicond"]["Samples"]
    (run / "metrics.jsonl").write_text('{"images_seen": 8, "kind": "training"}\nno json\n')
    assert "line 2: not valid JSON" in gather_run(str(home), run, "m", samples=0, records=0).missing["Curves"][0]


def test_samples_belong_to_the_weights_they_were_made_of(measured: Path, tmp_path: Path) -> None:
    """A folder of a run's name that was made of other weights is not shown, nor is its result."""
    shown = gather_run(str(measured), measured / "runs" / "attr", "attr", samples=4, records=1)
    assert [each.name.partition("-items")[0] for each in shown.sampled] == ["attr"]
    home = shutil.copytree(measured, tmp_path / "home")
    done = home / "runs" / "attr" / "done.json"
    write_json(done, read_json(done, Record) | {"weights_sha256": "0" * 64})
    other = gather_run(str(home), home / "runs" / "attr", "attr", samples=4, records=1)
    assert other.sampled == other.measured == []
    assert "nothing was measured of its weights." in other.missing["Measured"]
    few = gather_run(str(measured), measured / "runs" / "multicond", "multicond", samples=1, records=2)
    assert len(few.sampled) == 1
    assert len(few.sampled[0].records) <= 2
    assert "the others: " in few.missing["Samples"][0]


def test_without_names_the_latest_finished_runs_are_shown(measured: Path, facecond: Facecond, tmp_path: Path) -> None:
    before = sorted(measured.rglob("*"))
    status, _, err = facecond("report", f"workspace={measured}", "--dry-run")
    assert status == 0
    assert sorted(measured.rglob("*")) == before
    assert re.findall(r"run (\w+): \S+ \(finished\)", err) == ["multicond", "attr", "classifier", "parser", "vq"]
    status, out, err = facecond("report", f"workspace={tmp_path}")
    assert (status, out) == (2, "")
    assert "no finished run" in err
    assert list(tmp_path.iterdir()) == []
