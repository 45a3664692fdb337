"""Studies on the tiny workspace: sets hold what they say, differences and thresholds are those of an outside calculation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import safe_open
from scipy import stats

from facecond.data.mixing import Mixed, Part
from facecond.data.pack import Pack
from facecond.data.packing import pack_source
from facecond.errors import ConfigError
from facecond.experiments import memorisation, synthetic, table
from facecond.io.files import sha256_file
from facecond.io.reproduced import read_reproduced
from facecond.io.results import ClassValue, Figure
from facecond.workspace.find import RunInfo, find_run, read_run
from facecond.workspace.learnt import faces_of
from tests.commands.conftest import MODEL, TINY, Facecond, call


def listed(words: list[str]) -> str:
    return "[" + ",".join(f'"{word}"' for word in words) + "]"


def figure(value: float, name: str = "miou") -> Figure:
    return Figure(
        name=name, value=value, count=16, title="Mask mIoU", classes=[ClassValue(name="nose", value=value / 2, count=9)]
    )


def test_differences_are_in_pairs_of_seeds() -> None:
    few, both = [0.50, 0.56, 0.53], [0.54, 0.61, 0.56]
    measured = {name: {seed: [figure(0.5)] for seed in range(3)} for name in synthetic.SETS}
    measured[synthetic.FEW] = {seed: [figure(value)] for seed, value in enumerate(few)}
    measured[synthetic.BOTH] = {seed: [figure(value)] for seed, value in enumerate(both)}
    rows = synthetic.differences(measured)
    (row,) = [row for row in rows if row[0] == "few real + synthetic less few real"]
    apart = np.subtract(both, few)
    interval = stats.t.interval(0.95, 2, loc=apart.mean(), scale=stats.sem(apart))
    assert row[2] == f"{apart.mean():.3f} ± {interval[1] - apart.mean():.3f}"
    assert row[4] == ("better" if interval[0] > 0 else "no")
    assert interval[0] > 0  # so that it says something
    (cells,) = [row for row in synthetic.of_classes(measured)["Mask mIoU"] if row[0] == "nose"]
    half = stats.t.ppf(0.975, 2) * statistics.stdev(np.divide(few, 2)) / 3**0.5
    assert cells[1 + 1 + synthetic.SETS.index(synthetic.FEW)] == f"{np.mean(few) / 2:.3f} ± {half:.3f}"
    assert table.said(table.Number(-0.2, 0.1, "")) == "worse"
    assert table.said(table.Number(-0.2, 0.1, ""), lower=True) == "better"
    assert table.said(table.Number(-0.2, 0.3, "")) == "no"


def test_a_pack_of_parts_holds_their_items(workspace: Path, tmp_path: Path) -> None:
    place = workspace / "packs" / "drawn-64"
    pack = Pack.open(place)
    parts = [
        Part(place, np.array([3, 1]), "train", "a"),
        Part(place, pack.indices("validation")[:2], "validation", "b"),
    ]
    made = pack_source(Mixed(parts), tmp_path / "mixed", 64, workers=1)
    items = [3, 1, *pack.indices("validation")[:2]]
    assert made.ids == [f"{'aabb'[k]}-{pack.ids[item]}" for k, item in enumerate(items)]
    assert made.splits == ["train", "train", "validation", "validation"]
    for name in pack.arrays:
        np.testing.assert_array_equal(made.arrays[name], pack.arrays[name][items])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["synthetic", "study.share=0"], "out of range"),
        (["synthetic", "study.seeds=[]"], "trains nothing"),
        (["synthetic", "parser=parser"], "parser has no effect on a study"),
        (["synthetic", "scale=small"], "scale has no effect on a study"),
        (["synthetic", "study.run=nobody"], "nobody"),
        (["synthetic", "pack=nobody"], "nobody"),
        (["synthetic", 'study.parser=["trainer.imagess=3"]'], "trainer.images"),
        (["synthetic", 'study.synthesize=["maps_from=elsewhere"]'], "maps_from"),
        (["memorisation", "study.faces=0"], "out of range"),
        (["edits", "study.traits=[Smilin]"], "Smiling"),
        (["edits", "study.strengths=[0.5,2]"], "2 is out of range"),
        (["edits", "study.strengths=[]"], "edit nothing"),
        (["edits", 'study.edit=["blend=false"]'], "for the study to say"),
        (["edits", 'study.edit=["grown=1"]'], "grow"),
        (["edits", "pack=drawn-64"], "pack has no effect"),
        (["exchanges", "study.parts=[hairs]"], "hair"),
        (["exchanges", "study.parts=[]"], "edit nothing"),
        (["exchanges", "study.run=attr"], "is not told maps"),
        (["exchanges", 'study.edit=["region=[nose]"]'], "for the study to say"),
        (["synthetics"], "synthetics"),
    ],
)
def test_wrong_words_end_in_one_line(words: list[str], told: str, workspace: Path, facecond: Facecond) -> None:
    before = sorted(workspace.rglob("*"))
    status, _, err = facecond("reproduce", *words, f"workspace={workspace}")
    assert status == 2
    assert told in err
    assert sorted(workspace.rglob("*")) == before


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["edits", "study.traits=[Smiling,Male]"], "Male: 3 pairs"),
        (["edits", "study.count=100000"], "8334 are asked for"),
        (["synthetic", "study.seeds=[1,0,1]"], "study.seeds: 1 is named twice"),
        (["edits", "study.traits=[Smiling,Bangs,Smiling]"], "study.traits: Smiling is named twice"),
        (["edits", "study.strengths=[0.5,0.50]"], "study.strengths: 0.5 is named twice"),
        (["edits", "study.strengths=[0.5,0.50000001]"], "study.strengths: 0.5 and 0.50000001 are the same"),
        (["exchanges", "study.parts=[hair,nose,hair]"], "study.parts: hair is named twice"),
        (["exchanges", "study.parts=[glasses,eye_g]"], "study.parts: glasses and eye_g are the same"),
        (
            ["memorisation", "study.run=drawn64", "pack=drawn-64"],
            "24 faces (0 to 23 by number, drawn with seed 0) of 64 px; "
            "drawn64-multicond learnt from 32768 faces (0 to 32767 by number, drawn with seed 11) of 64 px",
        ),
        (
            [
                "memorisation",
                "study.run=drawn64",
                'study.draw=["data.seed=5","data.count=33792","data.validation=1024","resolution=64"]',
            ],
            "study.draw: 32768 faces (0 to 32767 by number, drawn with seed 5) of 64 px; drawn64-multicond learnt from",
        ),
        (
            [
                "memorisation",
                "study.run=drawn64",
                'study.draw=["data.seed=11","data.count=33792","data.validation=1024","resolution=32"]',
            ],
            "of 32 px; drawn64-multicond learnt from",
        ),
        (
            [
                "memorisation",
                "study.run=drawn64",
                'study.draw=["data.seed=11","data.count=33792","data.validation=512","resolution=64"]',
            ],
            "33280 faces",
        ),
        (["memorisation", "study.run=multicond", "pack=drawn64"], "is not the pack that multicond learnt from"),
        (["memorisation", "study.count=1"], "two samples"),
        (
            ["synthetic", "study.run=multicond", 'study.draw=["resolution=32"]'],
            "study.draw: faces of 32 px, and multicond makes",
        ),
        (
            ["synthetic", "study.run=attr", "pack=drawn-64", 'study.synthesize=["maps_from=exchanged"]'],
            "maps_from has no effect",
        ),
    ],
)
def test_what_would_mislead_is_refused_before_any_work(
    words: list[str], told: str, workspace: Path, facecond: Facecond
) -> None:
    status, _, err = facecond("reproduce", *words, "--plan", f"workspace={workspace}")
    assert status == 2
    assert told in err
    assert len(err.splitlines()) == 1


def test_faces_that_a_model_learnt_from_test_no_judges(workspace: Path, tmp_path: Path, facecond: Facecond) -> None:
    """The workspace's model learnt from faces 0 to 23 of seed 0."""
    packs = {"small": ["resolution=32"], "met": ["data.count=24"], "new": ["data.seed=1"]}
    for name, words in packs.items():
        call("data draw", f"workspace={tmp_path}", f"name={name}", "data.count=28", "data.validation=8", *words)
    words = ["reproduce", "synthetic", "--plan", "study.run=multicond", f"workspace={workspace}"]
    told = {
        "small": "small: faces of 32 px, and multicond makes faces of 64 px",
        "met": "multicond learnt from 8 of the 8 validation faces",
    }
    for name, said in told.items():
        status, _, err = facecond(*words, f"pack={tmp_path / 'packs' / name}")
        assert (status, len(err.splitlines())) == (2, 1)
        assert said in err
    for pack in ("drawn-64", tmp_path / "packs" / "new"):
        status, _, err = facecond(*words, f"pack={pack}")
        assert status == 0, err


def test_a_model_that_is_told_sketches_synthesizes_no_labelled_faces(
    workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_sketches(path: Path) -> RunInfo:
        info = read_run(path)
        return dataclasses.replace(info, config=info.config | {"model": {"conditions": ["sketch"]}})

    monkeypatch.setattr(synthetic, "read_run", told_sketches)
    status, _, err = facecond("reproduce", "synthetic", "--plan", "study.run=multicond", f"workspace={workspace}")
    assert status == 2
    assert "study.run=multicond is told sketch" in err


@pytest.mark.bundled
def test_the_bundled_models_faces_are_known_by_more_than_their_number(
    workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = facecond("reproduce", "memorisation", "--plan", "study.run=drawn64", f"workspace={workspace}")
    assert status == 0, err  # the words that it was drawn with
    info = read_run(find_run(str(workspace), "drawn64", "diffusion").path)
    with safe_open(info.path / "weights.safetensors", framework="numpy") as stored:
        arrays = json.loads(stored.metadata()["facecond"])["metadata"]["identity"]["pack"]
    monkeypatch.setattr("facecond.data.learnt.learnt_from", lambda pack: faces_of(info, str(workspace)))
    drawn = SimpleNamespace(path=Path("again"), manifest={"source": {"kind": "drawn"}, "sha256": arrays})
    assert [said.partition(":")[0] for said in memorisation._check_pack(info, drawn, str(workspace))] == ["Caution"]
    drawn.manifest["sha256"] = arrays | {"labels.npy": "0"}
    assert "label maps differ" in memorisation._check_pack(info, drawn, str(workspace))[1]
    drawn.manifest["sha256"] = arrays | {"attributes.npy": "0"}
    with pytest.raises(ConfigError, match="other attributes"):
        memorisation._check_pack(info, drawn, str(workspace))


def test_a_plan_says_every_command_and_makes_nothing(workspace: Path, facecond: Facecond) -> None:
    before = sorted(workspace.rglob("*"))
    status, out, err = facecond(
        "reproduce", "synthetic", "--plan", f"workspace={workspace}", "study.run=multicond", "--json"
    )
    assert status == 0, err
    (rows,) = json.loads(out)["tables"].values()
    starts = [row[1].split()[1] for row in rows[1:]]
    assert {name: starts.count(name) for name in starts} == {"data": 1, "train": 36, "synthesize": 1, "eval": 36}
    assert sorted(workspace.rglob("*")) == before


@pytest.mark.slow
def test_judges_are_trained_on_each_set_and_tested_on_the_real_faces(workspace: Path, facecond: Facecond) -> None:
    judge = [*TINY, "model.network.width=8"]
    words = [
        "reproduce", "synthetic", f"workspace={workspace}", "study.run=multicond", "pack=drawn-64", "study.real=20",
        "study.share=0.25", "study.count=6", "study.seeds=[0,1]", f"study.parser={listed(judge)}",
        f"study.classifier={listed(judge)}", 'study.synthesize=["maps_from=exchanged","least_miou=0","least_attributes=0"]',
        'study.sampling=["sampler.steps=1"]', "--json",
    ]  # fmt: skip
    status, out, err = facecond(*words)
    assert status == 0, err
    made = json.loads(out)
    rows = made["tables"]["Tested on real faces"]
    assert [row[:3] for row in rows[1:]] == [
        ["real", "20", "0"], ["synthetic", "0", "6"], ["few real", "5", "0"], ["few real + synthetic", "5", "6"],
        ["few real, twice as long", "5", "0"], ["synthetic, then few real", "5", "6"],
    ]  # fmt: skip
    for again in ("-twice-as-long", "-then-few-real"):
        runs = [run for run in (workspace / "runs").glob("synthetic-*") if again in run.name]
        assert len(runs) == 2 * 2
        for run in runs:
            before = sha256_file(run.with_name(run.name.replace(again, "")) / "weights.safetensors")
            assert read_run(run).content["sha256 of the initial weights"] == before
    packs = {
        path.name.partition("-")[2].partition("-")[2]: Pack.open(path)
        for path in (workspace / "packs").glob("synthetic-*")
    }
    base = Pack.open(workspace / "packs" / "drawn-64")
    held_out = base.images[base.indices("validation")]
    for name in ("real", "synthetic", "few-real", "few-real-and-synthetic"):
        np.testing.assert_array_equal(packs[name].images[packs[name].indices("validation")], held_out)
    real, few = ({*packs[name].ids} for name in ("real", "few-real"))
    assert few < real
    faces = next(path for path in (workspace / "synthesized").iterdir() if path.name.startswith("synthetic-"))
    people = {json.loads(line)["source"] for line in (faces / "records.jsonl").read_text().splitlines()}
    assert people <= few  # told what the few show, and no others
    assert (Path(made["made"]["table"]).read_text()).startswith("# Judges trained on synthesized faces")
    status, out, err = facecond(*words)
    assert status == 0, err
    assert "step" not in err  # all of it is done
    assert json.loads(out)["tables"] == made["tables"]


def test_copies_of_an_overfitted_model_are_told_from_held_out_faces(workspace: Path, facecond: Facecond) -> None:
    """The whole way, with a model that learns next to nothing."""
    overfit = ["model=uncond", *TINY, *MODEL[:3], "sampler.steps=2"]
    status, out, err = facecond(
        "reproduce", "memorisation", f"workspace={workspace}", "study.run=multicond", "study.faces=4", "study.count=6",
        f"study.overfit={listed(overfit)}", 'study.sampling=["sampler.steps=1"]', "--json",
    )  # fmt: skip
    assert status == 0, err
    made = json.loads(out)
    rows = made["tables"]["Nearest training faces"]
    assert [row[:2] for row in rows[1:]] == [
        ["samples", "6"],
        ["samples of the overfitted model", "3"],  # the other halves chose the threshold
        ["held-out faces", "3"],
    ]
    sheet = Path(made["made"]["sheet"])
    record = read_reproduced(sheet.parent)
    assert record["finished"]
    assert {sheet.parent / name for name in record["files"]} == {Path(place) for place in made["made"].values()}
    assert record["files"][sheet.name] == hashlib.sha256(sheet.read_bytes()).hexdigest()


def test_edits_are_held_against_the_truth(workspace: Path, facecond: Facecond) -> None:
    """Each way edits every pair once; not a byte outside of a region changes; the second time nothing is edited."""
    words = [
        "reproduce", "edits", f"workspace={workspace}", "study.run=multicond", "study.count=2", "study.traits=[Eyeglasses,Smiling]",
        'study.edit=["sampler.steps=2"]', "study.strengths=[0.5]", "--json",
    ]  # fmt: skip
    status, out, err = facecond(*words)
    assert status == 0, err
    made = json.loads(out)
    rows = made["tables"]["All traits"]
    assert len(rows) == 1 + 2 + 3 * 2 * 2
    apart = made["tables"]["Differences"]
    assert len({row[0] for row in apart[1:]}) == 2 * (3 * 2 - 1)  # true map or not: each but the usual way
    assert all(row[0].partition(" less ")[2].startswith("friendly, blended") for row in apart[1:])
    assert rows[1][4] == "0.00 ± 0.00"  # nothing done leaves the rest alone
    assert rows[2][3:5] == ["0.00 ± 0.00"] * 2  # the truth is the truth
    text = Path(made["made"]["table"]).read_text()
    assert "In 0 of 24 edits a byte outside of the stated region changed." in text
    page = Path(made["made"]["page"]).read_text()
    assert "<svg" in page
    assert ">friendly<" in page
    folder = Path(made["made"]["table"]).parent
    files = sorted((folder / "edits").iterdir())
    assert len(files) == 12
    before = [file.stat().st_mtime_ns for file in files]
    status, out, err = facecond(*words)
    assert status == 0, err
    assert json.loads(out)["tables"] == made["tables"]
    assert [file.stat().st_mtime_ns for file in files] == before


def test_parts_are_exchanged_without_a_truth(
    workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way edits every face once and leaks nothing; what is done is not done again."""
    words = [
        "reproduce", "exchanges", f"workspace={workspace}", "study.run=multicond", "study.count=2", "study.parts=[hair,nose]",
        'study.edit=["sampler.steps=2"]', "study.strengths=[0.5]", "--json",
    ]  # fmt: skip
    status, out, err = facecond(*words)
    assert status == 0, err
    made = json.loads(out)
    rows = made["tables"]["All parts"]
    assert len(rows) == 1 + 4 + 3 * 2
    assert made["tables"]["Part as asked, of each"][0] == ["way", "hair (2)", "nose (2)"]
    text = Path(made["made"]["table"]).read_text()
    assert "In 0 of 24 edits a byte outside of the stated region changed." in text
    assert Path(made["made"]["sheet"]).is_file()
    assert {row[3] for row in made["tables"]["Differences"][1:]} == {"2 faces"}
    monkeypatch.setattr("facecond.assembly.session.open_session", None)  # no model is loaded again
    status, out, err = facecond(*words)
    assert status == 0, err
    assert "step" not in err
    assert json.loads(out)["tables"] == made["tables"]
