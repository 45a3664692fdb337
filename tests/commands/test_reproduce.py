"""`facecond reproduce` on the tiny workspace: equal runs are used, work that is done is not done again, tables are whole."""

import csv
import hashlib
import json
import shlex
import time
from pathlib import Path

import pytest

from facecond.commands.steps import Steps
from facecond.experiments import command
from facecond.experiments.command import equal_run, prepare
from facecond.io.reproduced import read_reproduced
from facecond.io.results import read_results
from facecond.workspace.find import images_seen
from tests.commands.conftest import MODEL, TINY, Facecond, call


def quoted(words: list[str]) -> str:
    return "[" + ",".join(f'"{word}"' for word in words) + "]"


def words(workspace: Path) -> list[str]:
    return [
        f"workspace={workspace}", f"pack={workspace}/packs/drawn-64", "first_stage=vq", "classifier=classifier", "parser=parser",
        f"scale.diffusion={quoted([*TINY, *MODEL])}", "scale.count=8", "scale.conditions=2", "scale.variations=2",
        "scale.sampling=[]",
    ]  # fmt: skip


def test_a_table_is_made_of_what_is_there(workspace: Path, facecond: Facecond) -> None:
    status, out, err = facecond("reproduce", "table3", "--json", *words(workspace))
    assert status == 0, err
    assert "runs/attr was trained in the same way and is used" in err
    result = json.loads(out)
    (rows,) = result["tables"].values()
    folder = Path(result["made"]["table"]).parent
    assert [row[:2] for row in rows[1:3]] == [["attr", "d."], ["attr", "s."]]
    assert rows[0][2] == "images"
    assert [row[2] for row in rows[1:3]] == ["8", "8 (Perceptual diversity 4)"]
    assert rows[0][3:] == [
        "Frechet distance, EfficientNet-Lite0 features (lower is better)",
        "Kernel distance, EfficientNet-Lite0 features (lower is better)",
        "Attribute accuracy (higher is better)",
        "Perceptual diversity, EfficientNet-Lite0 features (higher is better)",
    ]
    assert rows[1][-1] == "-"  # diversity is that of stochastic sampling
    with (folder / "numbers.csv").open(newline="") as file:
        numbers = list(csv.DictReader(file))
    measured = {
        figure.name: figure.value
        for path in (workspace / "results").glob("*/results.json")
        for figure in read_results(path).figures
        if "sampler.eta=1" in str(read_results(path).about)
        or read_results(path).about["config"]["sampler"]["eta"] == 1.0
    }
    for number in numbers:
        if number["eta"] == "1":
            assert float(number["value"]) == measured[number["name"]]
    assert (folder / "table.tex").read_text().count(r"\begin{tabular}") == 1
    assert "<table" in (folder / "table.html").read_text()
    for file in ("table.md", "table.csv", "table.tex", "table.html"):
        assert "8 (Perceptual diversity 4)" in (folder / file).read_text()
    for file in ("table.md", "table.tex", "table.html"):
        assert "Samples: ddim, 2 steps, no guidance" in (folder / file).read_text()

    began = time.monotonic()
    again, _, said = facecond("reproduce", "table3", *words(workspace))
    assert again == 0
    assert "step" not in said  # everything was there
    assert time.monotonic() - began < 60
    plan = call("reproduce", "paper=table3", "plan=true", *words(workspace))
    assert plan.facts["steps to do"] == 0
    assert {row[2] for row in plan.tables["Conditioned on attributes"][1:]} == {"done"}


def test_figures_are_drawn_of_trained_models(workspace: Path, facecond: Facecond) -> None:
    status, out, err = facecond("reproduce", "figure3", "--json", *words(workspace))
    assert status == 0, err
    assert Path(json.loads(out)["made"]["figure"]).read_bytes().startswith(b"\x89PNG")


def test_measures_that_need_no_samples_make_a_table(workspace: Path, facecond: Facecond) -> None:
    asked = ["table3", "paper.measures=[ssim,psnr]", "paper.etas=[0]", "paper.title=First stage"]
    status, out, err = facecond("reproduce", *asked, "--json", *words(workspace))
    assert status == 0, err
    made = json.loads(out)
    assert [row[3:] for row in made["tables"]["First stage"][:1]] == [
        ["Reconstruction SSIM (higher is better)", "Reconstruction PSNR (higher is better)"]
    ]
    assert "Samples: none" in Path(made["made"]["table"]).read_text()


def test_all_that_is_named_is_made(workspace: Path, facecond: Facecond) -> None:
    status, out, err = facecond("reproduce", "figure3", "figure10", "figure3", "--json", *words(workspace))
    assert status == 0, err
    folders = [Path(result["made"]["figure"]).parent for result in json.loads(out)]
    assert folders == [workspace / "reproduced" / f"{name}-demo" for name in ("figure3", "figure10")]
    assert all((folder / "figure.png").read_bytes().startswith(b"\x89PNG") for folder in folders)
    for folder in folders:
        record = read_reproduced(folder)
        assert record["finished"]
        assert record["files"] == {"figure.png": hashlib.sha256((folder / "figure.png").read_bytes()).hexdigest()}


def test_a_wrong_name_among_several_stops_before_any_work(tmp_path: Path, facecond: Facecond) -> None:
    status, out, err = facecond("reproduce", "table2", "table6", f"workspace={tmp_path}")
    assert (status, out) == (2, "")
    assert "'table6' is no table, figure or study" in err
    assert list(tmp_path.iterdir()) == []


def test_a_name_and_an_override_may_not_contradict_each_other(tmp_path: Path, facecond: Facecond) -> None:
    status, _, err = facecond("reproduce", "table2", "paper=table1", "--dry-run", f"workspace={tmp_path}")
    assert status == 2
    assert "paper is given twice, as a name and as an override" in err


BOTH = "[{name: both, model: multicond}]"


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("figure2", BOTH),
        ("figure3", "[{name: attr, model: attr}]"),
        ("figure4", BOTH),
        pytest.param(
            "figure5",
            "[{name: both, model: multicond}, {name: attr, model: attr}]",
            marks=pytest.mark.slow,
            id="figure5",
        ),
        ("figure6", BOTH),
        pytest.param("figure8", BOTH, marks=pytest.mark.slow, id="figure8"),
    ],
)
def test_what_is_planned_to_be_sampled_is_sampled(
    name: str, variants: str, workspace: Path, rendered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facecond.experiments.timing.seconds_per_image", lambda *about: (60.0, 15.0))
    asked = [
        *words(workspace),
        f"paper={name}",
        f"paper.variants={variants}",
        "scale.snapshots=2",
        f'scale.sampling=["seed={name[6:]}"]',
    ]

    def planned() -> dict[str, list[str]]:
        (rows,) = call("reproduce", *asked, "plan=true").tables.values()
        return {row[0]: row[1:] for row in rows if row[0].startswith(("sample", "measure"))}

    before = planned()
    call("reproduce", *asked)
    assert sum(int(amount) for amount, *_ in before.values()) == sum(rendered)
    steps, forward = 2, 0.25
    assert {float(minutes) for amount, minutes, _ in before.values()} == {
        float(amount) * steps * forward for amount, *_ in before.values()
    }
    after = planned()
    assert {minutes for _, minutes, _ in after.values()} == {"done"}
    for _, _, line in after.values():
        if line != "-":
            name, *typed = shlex.split(line)[1:]
            rendered.clear()
            call(name, *typed)
            assert rendered == []  # it is the sampling that was done


def trained(*words: str) -> tuple[Path, list[int]]:
    """Do what comes before the first measuring; return the run that the first variant has then, and the snapshots looked at."""
    plan = prepare([*words]).found
    steps = Steps(Path(plan.config.workspace) / "reproduced" / "steps.json", 1)
    for work in [*plan.common(), *plan.models()]:
        command._make(work, plan, steps)
    return plan.run(plan.paper.variants[0], 0), plan.snapshots(plan.models()[0])


def test_what_is_trained_otherwise_takes_nobody_s_place(workspace: Path) -> None:
    asked = ["paper=table1", "paper.variants=[{name: P2, model: uncond}]", "paper.orderings=[]", *words(workspace)]
    seldom, often = (trained(*asked, f"scale.snapshots={number}") for number in (1, 2))
    assert (seldom[1], often[1]) == ([], [8])
    for run, looked_at in (seldom, often):
        assert command.snapshots_of(run) >= set(looked_at)
    assert trained(*asked, "scale.snapshots=1") == seldom


def test_a_run_is_equal_when_it_saw_whole_batches(workspace: Path) -> None:
    """It was to see 12 images and saw two batches of 8; of a run that is to see 13 to 16 nothing else becomes either."""
    asked = ["model=classifier", f"workspace={workspace}", "model.network.width=8", *TINY, "trainer.seed=3"]
    made = call("train", *asked, "trainer.images=12", "name=halves").made["run"]
    assert images_seen(made) == 16
    for images in (12, 16):
        assert equal_run([*asked, f"trainer.images={images}"]) == made
    for images in (8, 17):
        assert equal_run([*asked, f"trainer.images={images}"]) is None


def test_a_run_that_has_the_name_and_is_another_is_to_be_moved_away(workspace: Path, facecond: Facecond) -> None:
    """A reproduction chooses names itself, so that a name of one's own is no way out."""
    asked = [*words(workspace), "scale.seeds=[7]"]
    (work,) = prepare(["paper=figure9", *asked]).found.models()
    folder = workspace / "runs" / work.run
    call("train", *work.words, "weighting=uniform")
    status, _, err = facecond("reproduce", "figure9", *asked)
    assert status == 2
    assert f"rename or delete {folder}" in err


def test_what_was_planned_is_what_is_suggested_next(
    tmp_path: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facecond.experiments.timing.seconds_of", lambda *about: {})
    typed = [
        "table1", "scale=small", "scale.seeds=[0,4]", "device=cpu", f"workspace='{tmp_path}/my outputs'",
        'scale.diffusion=["trainer.images=64"]', "paper.title='FID, it is'",
    ]  # fmt: skip
    for flag in ("--plan", "plan=true"):
        status, out, err = facecond("reproduce", *typed, flag, "--json")
        assert status == 0, err
        (suggested,) = json.loads(out)["next"]
        shown = [
            facecond(*words, "--dry-run", "--json") for words in (["reproduce", *typed], shlex.split(suggested)[1:])
        ]
        assert [status for status, *_ in shown] == [0, 0]
        assert json.loads(shown[0][1]) == json.loads(shown[1][1])
