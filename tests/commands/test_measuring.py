"""Sampling once and measuring often: what is sampled, read and said by `sample`, `eval` and `swap-masks`."""

import csv
import dataclasses
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facecond.assembly.generator import Generator
from facecond.assembly.judges import Judge, load_classifier, load_parser
from facecond.commands import compare
from facecond.commands import eval as evaluate
from facecond.commands.result import Result
from facecond.conditions.table import CONDITIONS
from facecond.config.diffusion import SamplerConfig
from facecond.data.pack import Pack, PackWriter
from facecond.errors import CheckpointError, ConfigError, DataError, FacecondError
from facecond.io.checkpoint import load_weights
from facecond.io.documents import Record, read_json, write_json
from facecond.io.images import read_image, write_png
from facecond.io.results import Figure, read_results
from facecond.metrics.faithfulness import Confusion
from facecond.metrics.spread import Share, Spread
from facecond.pretrained.published import ALEXNET
from facecond.reports import layouts
from facecond.sampling.generation import open_generation
from facecond.workspace.find import read_run
from facecond.workspace.origin import generation_key
from tests.commands.conftest import TINY, Facecond, call


@pytest.fixture(scope="module")
def own(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workspace with a second pack and a second parser."""
    folder = tmp_path_factory.mktemp("measuring") / "workspace"
    shutil.copytree(workspace, folder)
    here = f"workspace={folder}"
    call("train", here, "model=parser", "name=other-parser", "pack=drawn-64", "model.network.width=8", *TINY)
    call("data draw", here, "data.count=24", "data.validation=8", "data.seed=9", "name=second")
    call("data draw", here, "data.count=24", "data.validation=8", "name=part")  # its 8 are among the 24 of drawn-64
    return folder


def test_measuring_more_samples_only_what_is_missing(own: Path, rendered: list[int]) -> None:
    words = [f"workspace={own}", "run=multicond", "seed=31", "sampler.steps=1"]

    def sampled(command: str, *more: str) -> int:
        rendered.clear()
        call(command, *words, *more)
        return sum(rendered)

    assert sampled("eval", "measures=[miou]", "count=4") == 4
    assert sampled("eval", "measures=[miou,attributes]", "count=4") == 0
    assert sampled("eval", "measures=[miou]", "count=4", "parser=other-parser") == 0
    assert sampled("eval", "measures=[miou]", "count=7") == 3
    assert sampled("eval", "measures=[miou]", "count=4", "device=cpu", "batch_size=1") == 0
    assert sampled("eval", "measures=[miou]", "count=4", "sampler.eta=1") == 4
    assert sampled("sample", "count=8") == 1  # the same conditions, seeds and sampler
    assert sampled("sample", "items=[0,1]") == 0
    assert sampled("sample", "items=[1,0]") == 2
    assert sampled("sample", "grid=variations", "samples=3", "count=1") == 3
    assert sampled("sample", "samples=3", "count=2") == 3
    assert sampled("swap-masks", "parts=[nose,skin]", "count=1", "samples=1") == 2
    assert sampled("swap-masks", "parts=[skin,nose]", "count=2", "samples=1") == 2


def test_fewer_samples_than_there_are_can_be_measured(own: Path) -> None:
    words = [f"workspace={own}", "run=multicond", "seed=32", "sampler.steps=1", "measures=[miou]"]
    of_three = read_results(call("eval", *words, "count=3").made["results"])
    of_five = call("eval", *words, "count=5")
    again = call("eval", *words, "count=3")
    assert read_results(of_five.made["results"])["miou"].count == 5
    assert read_results(again.made["results"])["miou"] == of_three["miou"]


def test_conditions_by_hand_do_not_depend_on_the_pack(own: Path, rendered: list[int]) -> None:
    words = [f"workspace={own}", "run=attr", "seed=33", "sampler.steps=1"]
    call("sample", *words, "attr='+Smiling,-Male'", "count=2", "pack=drawn-64")
    call("sample", *words, "attr='-Male,+Smiling'", "count=3", "pack=second")
    assert sum(rendered) == 3
    rendered.clear()
    call("sample", *words, "count=2", "pack=drawn-64")
    call("sample", *words, "count=2", "pack=second")
    assert sum(rendered) == 4


def test_a_compared_run_is_sampled_once(own: Path, rendered: list[int]) -> None:
    words = [f"workspace={own}", "run=multicond", "grid=checkpoints", "count=2", "seed=34", "sampler.steps=1"]
    call("sample", *words)
    assert sum(rendered) == 2 * 2  # the last snapshot is what the run ended with
    call("sample", *words, "count=3")
    assert sum(rendered) == 3 * 2


def test_a_judge_looks_at_every_set_of_pictures_once(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    look = Judge.__call__

    def counting(self: Judge, images: Any) -> Any:
        seen.append((self.name, len(images)))
        return look(self, images)

    monkeypatch.setattr(Judge, "__call__", counting)
    call("eval", f"workspace={own}", "run=multicond", "count=3", "measures=[miou,accuracy,attributes]")
    judges = ("small parser other-parser", "small classifier classifier")
    assert sorted(seen) == sorted((judge, 3) for judge in judges for _ in ("samples", "real", "reconstructions"))


def test_samples_are_measured_against_what_they_were_not_told(own: Path) -> None:
    words = [f"workspace={own}", "run=attr", "count=4", "sampler.steps=1", "measures=[miou,attributes]"]
    figures = {figure.name: figure for figure in call("eval", *words).figures}
    said = "the samples were not told mask, and are compared with that of the items behind them"
    assert said in figures["miou"].caution
    assert said not in figures["attribute_accuracy"].caution


def test_a_pack_without_sketches_is_refused_before_sampling(own: Path) -> None:
    older = own / "packs" / "older"
    shutil.copytree(own / "packs" / "second", older)
    (older / "sketches.npy").unlink()
    manifest = read_json(older / "manifest.json", Record)
    del manifest["sha256"]["sketches.npy"]
    write_json(older / "manifest.json", manifest)
    (older / "finished.json").unlink()
    with pytest.raises(DataError, match=r"has no sketches.npy"):
        evaluate.prepare([f"workspace={own}", "run=multicond", "measures=[edges]", "pack=older"])
    shutil.rmtree(older)


def test_folders_of_pictures_are_compared_without_a_run(own: Path, facecond: Facecond) -> None:
    made = call("sample", f"workspace={own}", "run=attr", "count=3", "sampler.steps=1", "name=for-folders").made[
        "images"
    ]
    words = ["eval", "fid", "kid", "mind", "is", f"workspace={own}", "download=false"]
    status, out, err = facecond(*words, f"samples={made}", f"reference={made.parent}", "--json")
    assert status == 0, err
    assert [figure["count"] for figure in json.loads(out)["figures"]] == [3] * 4
    assert json.loads(out)["figures"][0]["value"] < 1e-6  # the same pictures, once as a folder of a generation
    status, out, err = facecond(*words, "samples=second", f"reference={own / 'packs' / 'second'}", "--json")
    assert status == 0, err
    (of_pack, *_) = json.loads(out)["figures"]
    assert of_pack["value"] < 1e-6  # a pack's validation split, by name and as a folder
    assert of_pack["count"] == len(Pack.open(own / "packs" / "second").indices("validation"))
    for more, said in {
        "measures=[miou]": "miou cannot be measured on folders of pictures alone",
        "run=attr": "run has no meaning for folders of pictures",
        f"reference={own / 'nowhere'}": "no such folder",
    }.items():
        given = [word for word in (f"samples={made}", f"reference={made}") if word.partition("=")[0] not in more]
        names = [] if more.startswith("measures") else ["fid"]
        status, _, err = facecond("eval", *names, f"workspace={own}", *given, more)
        assert status == 2
        assert said in err


def test_generations_that_lack_pictures_are_no_folders_to_compare(own: Path, facecond: Facecond) -> None:
    here = f"workspace={own}"
    images = call("sample", here, "run=attr", "count=3", "seed=61", "sampler.steps=1", "name=lacking").made["images"]
    manifest = read_json(images.parent / "generation.json", Record)
    write_json(images.parent / "generation.json", manifest | {"count": 5}, checksum=True)
    for samples, reference in ((images, "second"), (images.parent, "second"), ("second", images.parent)):
        status, _, err = facecond("eval", "fid", here, f"samples={samples}", f"reference={reference}", "download=false")
        assert (status, "lacking lacks 2 of 5 images" in err) == (2, True), err


def test_one_picture_is_no_distribution(own: Path, facecond: Facecond) -> None:
    call("data draw", f"workspace={own}", "data.count=8", "data.validation=1", "name=single")
    words = [f"workspace={own}", "download=false", "samples=single", "reference=single"]
    for name in ("is", "fid", "precision"):
        status, _, err = facecond("eval", name, *words)
        assert (status, len(err.splitlines())) == (2, 1), err
        assert "single: the validation split holds 1 picture (a distribution needs at least two" in err


def test_more_conditions_than_there_are_is_said(own: Path, facecond: Facecond) -> None:
    words = ["eval", f"workspace={own}", "run=multicond", "sampler.steps=1", "seed=62", "download=false"]
    asked = {
        ("psnr", "count=17"): ["count=17, and the validation split holds 16: all of it"],
        ("psnr", "count=16"): [],
        ("psnr",): [],
        ("psnr", "count=3", "conditions=40"): [],
        ("lpips", "count=40", "conditions=17", "variations=2"): [
            "conditions=17, and the validation split holds 16: all of it"
        ],
    }
    for more, said in asked.items():
        status, _, err = facecond(*words, *more)
        assert status == 0, err
        assert [line.partition("warning: ")[2] for line in err.splitlines() if "validation split holds" in line] == said


def assert_files_agree(result: Result) -> None:
    """Every file of the results has one row for each figure, and the CSV the numbers of the JSON."""
    figures = read_results(result.made["results"]).figures
    with result.made["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], float(row["value"]), int(row["count"])) for row in rows] == [
        (figure.name, figure.value, figure.count) for figure in figures
    ]
    lines = result.made["latex"].read_text().splitlines()
    assert lines.index(r"\bottomrule") - lines.index(r"\midrule") - 1 == len(figures) > 0


def test_every_measure_of_features_and_reconstructions_is_written_down(own: Path) -> None:
    names = ["is", "mind", "fid_infinity", "psnr", "ssim", "lpips_reconstruction"]
    words = [f"workspace={own}", "run=multicond", "count=6", "sampler.steps=1", "download=false"]
    read = read_results(call("eval", *words, f"measures=[{','.join(names)}]").made["results"])
    assert [figure.name for figure in read.figures] == [
        "class_score", "sliced_wasserstein_distance", "frechet_distance_infinity", "psnr", "ssim", "perceptual_reconstruction"
    ]  # fmt: skip
    assert all(figure.count == 6 and figure.spread is not None for figure in read.figures)
    assert all(figure.ceiling is not None for figure in read.figures if figure.name not in ("psnr", "ssim"))


@pytest.mark.slow
def test_two_runs_are_compared_on_the_same_conditions(own: Path, facecond: Facecond) -> None:
    words = [f"workspace={own}", "pack=drawn-64", "count=5", "sampler.steps=1", "download=false"]
    status, out, err = facecond("compare", "multicond", "attr", "attributes", "fid", "miou", *words, "--json")
    assert status == 0, err
    figures = {figure["name"]: figure for figure in json.loads(out)["figures"]}
    for name in ("attribute_accuracy", "frechet_distance", "miou"):
        figure = figures[name]
        assert figure["value"] == pytest.approx(figure["marks"]["multicond"] - figure["marks"]["attr"])
        assert figure["spread"] >= 0
    alone = {figure.name: figure.value for figure in call("eval", *words, "run=attr", "measures=[attributes]").figures}
    assert figures["attribute_accuracy"]["marks"]["attr"] == pytest.approx(alone["attribute_accuracy"])
    result = call("compare", *words, "runs=[attr,attr]", "measures=[attributes,fid]")
    assert [(figure.value, figure.spread) for figure in result.figures] == [(0.0, 0.0)] * len(result.figures)
    assert_files_agree(result)
    for line, said in {
        "compare attr": "expected two runs, found 1",
        "compare attr attributes": "run 'attributes' is neither a folder",
        "compare attr nobody miou": "nobody",
        "compare attr multicond miou run=attr": "run has no meaning where two runs are compared",
    }.items():
        status, _, err = facecond(*line.split(), f"workspace={own}")
        assert status == 2
        assert said in err


@pytest.mark.parametrize(
    ("runs", "more", "measures"),
    [
        ("[multicond,attr]", [], ["attributes"]),
        ("[multicond,multicond]", [], ["miou", "accuracy", "attributes"]),
        ("[multicond,multicond]", ["noisy=[mask]"], ["attributes"]),
        ("[attr,attr]", ["noisy=[attributes]"], ["fid"]),
        ("[multicond,attr]", ["measures=[kid]"], ["kid"]),
    ],
)
def test_runs_are_compared_by_what_both_are_told(own: Path, runs: str, more: list[str], measures: list[str]) -> None:
    prepared = compare.prepare([f"workspace={own}", f"runs={runs}", "pack=drawn-64", "download=false", *more])
    assert prepared.config.measures == measures
    assert [list(one.found.measures) for one in prepared.found] == [measures] * 2
    assert ("measures" in prepared.used) == ("measures=[kid]" not in more)


def test_what_needs_no_samples_samples_none(own: Path, rendered: list[int]) -> None:
    words = [f"workspace={own}", "run=multicond", "seed=77", "sampler.steps=1", "download=false"]
    result = call("eval", *words, "count=6", "measures=[psnr,ssim,lpips_reconstruction]")
    assert rendered == []
    assert "samples" not in result.made
    assert [figure.count for figure in result.figures] == [6, 6, 6]
    assert all(figure.reference.endswith("6 items") for figure in result.figures)
    alone = call("eval", *words, "count=6", "conditions=2", "variations=2", "measures=[lpips]")
    assert sum(rendered) == 4
    both = call("eval", *words, "count=6", "conditions=2", "variations=2", "measures=[lpips,miou]")
    assert sum(rendered) == 4 + 6
    (one,), two = alone.figures, both.figures[0]
    assert (one.name, one.value, one.ceiling, one.floor) == (two.name, two.value, two.ceiling, two.floor)


def test_what_is_known_of_either_run_is_said_of_their_difference(own: Path) -> None:
    words = [f"workspace={own}", "pack=drawn-64", "count=4", "sampler.steps=1", "parser=parser"]
    for runs in ("[multicond,attr]", "[attr,multicond]"):
        (figure,) = call("compare", *words, f"runs={runs}", "measures=[miou]").figures[:1]
        assert "the samples were not told mask" in figure.caution


def test_runs_on_other_numbers_of_conditions_are_not_compared() -> None:
    random = np.random.default_rng(0)
    figures = [
        Figure(name="fid", title="FID", value=1.0, count=n, spread=Spread.of_shares([Share(random.normal(size=n), n)]))
        for n in (5, 7)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"FID: a and b were not measured on the same conditions .*count=5 or fewer"):
        compare._difference(*figures, ["a", "b"])


def test_without_published_features_the_classifier_s_are_used(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facecond.pretrained.efficientnet.weights_file", lambda: None)
    words = [f"workspace={own}", "run=multicond", "count=4", "sampler.steps=1", "download=false"]
    figure = call("eval", *words, "measures=[fid]", "classifier=classifier").figures[0]
    assert figure.name == "frechet_distance"
    assert figure.judge == "small classifier classifier"
    assert "not of Inception: not FID" in figure.caution
    pictures = own / "samples" / "of-anyone"
    pictures.mkdir(parents=True)
    for name in "abc":
        write_png(pictures / f"{name}.png", np.full((64, 64, 3), ord(name), np.uint8))
    folders = [f"samples={pictures}", f"reference={pictures}", "download=false", f"workspace={own}"]
    anyone = call("eval", *folders, "measures=[fid]", f"classifier={own / 'runs' / 'classifier'}").figures[0]
    assert (anyone.name, anyone.count) == ("frechet_distance", 3)
    with pytest.raises(CheckpointError, match="the Inception network of FID is not at"):
        call("eval", *words, "measures=[fid]", "strict=true")
    with pytest.raises(CheckpointError, match="the AlexNet trunk of LPIPS is not at"):
        call("eval", *words, "measures=[lpips]", "strict=true")
    few = ["conditions=2", "variations=2"]
    diversity, again = call("eval", *words, *few, "measures=[lpips,lpips_reconstruction]").figures
    assert (diversity.name, diversity.judge) == ("perceptual_distance", "small classifier classifier")
    assert (
        "in the features of small classifier classifier, not of AlexNet with LPIPS's weights: not LPIPS"
        in diversity.cautions
    )
    assert (again.name, again.judge) == ("perceptual_reconstruction", "small classifier classifier")
    assert diversity.ceiling is not None
    assert 0 < diversity.ceiling <= 4  # features of length 1 in each place, mean over levels
    named = call("eval", *words[:-1], *few, "measures=[lpips]", "perceptual=classifier").figures[0]
    assert (named.value, named.judge) == (diversity.value, diversity.judge)


def test_a_pack_s_own_pictures_are_the_ceiling_of_samples(own: Path, facecond: Facecond) -> None:
    measures, here = "measures=[miou,accuracy,attributes]", f"workspace={own}"
    sampled = call("eval", here, "run=multicond", "count=6", "sampler.steps=1", measures).figures
    alone = {figure.name: figure for figure in call("eval", here, "samples=drawn-64", "count=6", measures).figures}
    assert len(alone) == 3 + 6
    for figure in sampled:
        assert (alone[figure.name].value, alone[figure.name].ceiling) == (figure.ceiling, None)
        assert alone[figure.name].count == 6
    assert alone["miou"].reference == "validation split of drawn-64, 6 items"
    for words, said in (
        (["fid"], "fid of a pack's own pictures says nothing (measure miou, accuracy, attributes, edges, or name what"),
        (["psnr"], "psnr of a pack's own pictures says nothing (measure miou, accuracy, attributes, edges)"),
        (
            ["miou", "run=multicond"],
            "run has no meaning for a pack's own pictures (leave it out, or leave out samples=)",
        ),
    ):
        status, _, err = facecond("eval", *words, here, "samples=drawn-64")
        assert (status, err.count("facecond: ")) == (2, 1), err
        assert said in err


def test_packs_of_few_validation_items(own: Path, facecond: Facecond) -> None:
    here = f"workspace={own}"
    call("data draw", here, "data.count=3", "data.validation=1", "name=alone")
    status, _, err = facecond("eval", "edges", here, "samples=alone")
    assert (status, err.count("facecond: ")) == (2, 1), err
    assert "alone: the validation split holds 1 picture (the floor needs the conditions of others)" in err
    status, _, err = facecond("eval", "edges", here, "samples=second", "count=50")
    assert status == 0, err
    assert "warning: count=50, and the validation split holds 8: all of it" in err


def test_features_are_those_that_are_named(own: Path) -> None:
    words = [f"workspace={own}", "run=multicond", "count=8", "sampler.steps=1", "measures=[fid,precision,mind]"]
    for named, judge in (("classifier", "small classifier classifier"), ("efficientnet", "EfficientNet-Lite0")):
        figures = call("eval", *words, f"features={named}").figures
        assert {figure.judge for figure in figures} == {judge}
        assert [figure.name for figure in figures] == ["frechet_distance", "precision", "sliced_wasserstein_distance"]


@pytest.mark.slow
def test_what_there_is_no_network_for_is_left_out(
    own: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Offline and without the package of features: LPIPS needs both, the rest can be measured."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("facecond.pretrained.efficientnet.weights_file", lambda: None)
    monkeypatch.setattr(
        "facecond.measuring.perceptual.ALEXNET", dataclasses.replace(ALEXNET, url="http://127.0.0.1:9/net")
    )
    shutil.copytree(own, tmp_path / "workspace")
    shutil.rmtree(tmp_path / "workspace" / "runs" / "classifier")
    own = tmp_path / "workspace"
    words = ["eval", f"workspace={own}", "run=multicond", "count=4", "sampler.steps=1"]
    for more, said in ((["download=false"], "is not at"), ([], "cannot be fetched")):
        status, out, err = facecond(*words, "lpips", "miou", *more, "--json")
        assert status == 0, err
        assert [figure["name"] for figure in json.loads(out)["figures"]] == ["miou", "mean_of_image_ious"]
        (line,) = (line for line in err.splitlines() if "is left out" in line)
        assert "warning: lpips is left out: the AlexNet trunk of LPIPS" in line
        assert said in line
        assert "lpips_trunk=FILE" in line
        for refused in (
            ["lpips", *more],
            ["lpips", "miou", "strict=true", *more],
            ["lpips", "miou", "parser=nobody", *more],
        ):
            status, _, err = facecond(*words, *refused)
            assert (status, len([line for line in err.splitlines() if line.startswith("facecond: ")])) == (2, 1), err
    assert [path.name.partition("-without-")[2] for path in (own / "results").glob("*-without-*")] == ["lpips"]
    status, out, err = facecond("compare", "multicond", "multicond", "lpips", "miou", *words[1:2], *words[3:], "--json")
    assert status == 0, err
    assert [figure["name"] for figure in json.loads(out)["figures"]] == ["miou", "mean_of_image_ious"]


def test_samples_of_another_pack_s_faces_are_refused(own: Path) -> None:
    """Drawn packs give their faces the same names, so that names do not tell them apart."""
    words = [f"workspace={own}", "run=multicond"]
    made = call("sample", *words, "pack=second", "count=3", "sampler.steps=1", "name=of-second").made["images"].parent
    with pytest.raises(DataError, match=r"of-second has the conditions of another pack than .*drawn-64"):
        call("eval", *words, "measures=[miou]", f"samples={made}", "pack=drawn-64")
    assert call("eval", *words, "measures=[miou]", f"samples={made}", "pack=second").figures


def test_samples_are_reported_with_the_sampler_that_made_them(own: Path) -> None:
    words = [f"workspace={own}", "run=multicond"]
    made = call("sample", *words, "count=2", "sampler.steps=3", "sampler.eta=0.5", "guidance.mask=3", "name=other")
    result = call("eval", *words, "measures=[miou]", f"samples={made.made['images'].parent}")
    assert result.used["sampler"] == "ddim, 3 steps, eta 0.5 (what the samples were made with)"
    assert result.used["guidance"].endswith("mask 3 (what the samples were made with)")
    config = read_results(result.made["results"]).about["config"]
    assert (config["sampler"]["steps"], config["sampler"]["eta"], config["guidance"]["mask"]) == (3, 0.5, 3.0)
    assert "3 steps, eta 0.5" in result.made["table"].read_text()
    assert_files_agree(result)


def test_samples_of_one_condition_are_drawn_again_together(own: Path) -> None:
    """The reconstructions behind three samples of a condition are three copies, which say no more than one."""
    words = [f"workspace={own}", "run=multicond", "sampler.steps=1"]
    spreads = []
    for samples in (1, 3):
        made = call("sample", *words, f"samples={samples}", "count=6", "seed=35").made["images"].parent
        results = call("eval", *words[:2], "measures=[reconstruction]", f"samples={made}").made["results"]
        spreads.append([figure.spread for figure in read_results(results).figures])
    assert spreads[1] == pytest.approx(spreads[0], rel=1e-4)  # rounding of other batches


@pytest.mark.parametrize("kind", ["parser", "classifier"])
def test_a_judge_says_in_the_row_which_faces_it_has_learnt_from(own: Path, kind: str) -> None:
    metric = {"parser": "miou", "classifier": "attributes"}[kind]
    words = [f"workspace={own}", "run=multicond", f"measures=[{metric}]", "count=6", "sampler.steps=1"]
    result = call("eval", *words, f"{kind}={kind}", "pack=part")
    said = f"the small {kind} {kind} learnt from 6 of the 6 real faces"
    assert all(figure.caution.startswith(said) for figure in result.figures)
    rows = result.made["table"].read_text().splitlines()[2:]
    assert all(said in row for row in rows[: len(result.figures)])
    for other in ("drawn-64", "second"):
        result = call("eval", *words, f"{kind}={kind}", f"pack={other}")
        assert not any("learnt from" in figure.caution for figure in result.figures)


def test_what_a_judge_learnt_from_goes_with_its_weights(own: Path, tmp_path: Path) -> None:
    here = f"workspace={own}"
    call("train", here, "model=parser", "name=twice", "init=parser", "pack=second", "model.network.width=8", *TINY)
    file = own / "runs" / "twice" / "weights.safetensors"
    first, second = load_weights(file).config["learnt_from"]
    assert (first["count"], first["faces"]) == (24, [[0, 24]])
    assert (second["count"], second["faces_by"]) == (16, "number, drawn with seed 9")
    assert read_run(file.parent).content["weights_config"]["learnt_from"] == [first, second]
    shutil.copy(file, tmp_path / "moved.safetensors")
    words = [here, "run=multicond", "measures=[miou]", "count=6", "sampler.steps=1", "pack=part"]
    result = call("eval", *words, f"parser={tmp_path / 'moved.safetensors'}")
    assert "learnt from 6 of the 6" in result.figures[0].caution


def test_a_setting_the_schema_gains_later_changes_no_generation(own: Path) -> None:
    @dataclasses.dataclass(kw_only=True)
    class Later(SamplerConfig):
        churn: float = 0.0

    prepared = evaluate.prepare([f"workspace={own}", "run=multicond", "measures=[miou]"])
    config = prepared.config
    before = generation_key(prepared.found.origin, config, {})
    settings = {field.name: getattr(config.sampler, field.name) for field in dataclasses.fields(config.sampler)}
    config = dataclasses.replace(config, sampler=Later(**settings))
    assert generation_key(prepared.found.origin, config, {}) == before
    config = dataclasses.replace(config, sampler=Later(**settings, churn=0.5))
    assert generation_key(prepared.found.origin, config, {}) != before


@pytest.fixture(scope="module")
def judged(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose latest judges are for other packs, or learnt next to nothing."""
    folder = tmp_path_factory.mktemp("judged") / "workspace"
    shutil.copytree(workspace, folder)
    here, tiny = f"workspace={folder}", ["model.network.width=8", *TINY, "trainer.batch_size=2"]
    call("train", here, "model=parser", "name=good", "pack=drawn-64", *tiny, "trainer.images=24")
    second = ["data.count=24", "data.validation=8", "data.seed=9"]
    call("data draw", here, *second, "name=second")
    call("data draw", here, *second, "resolution=32", "name=small")
    call("train", here, "model=parser", "name=small", "pack=small", *tiny, "trainer.images=24")
    call("train", here, "model=parser", "name=hardly", "pack=drawn-64", *tiny, "trainer.images=2")
    call("train", here, "model=parser", "name=again", "init=good", "pack=second", *tiny, "trainer.images=24")
    return folder


def test_the_judge_that_is_not_named_was_made_for_the_pack(judged: Path) -> None:
    words = [f"workspace={judged}", "run=multicond", "measures=[miou]"]
    used = evaluate.prepare([*words, "pack=drawn-64"]).used["parser"]
    assert used.endswith("runs/good (the latest made for this pack, 24 images seen)")
    used = evaluate.prepare([*words, "pack=second"]).used["parser"]
    assert used.endswith("runs/again (the latest made for this pack, 24 images seen)")
    shutil.rmtree(judged / "runs" / "good")
    used = evaluate.prepare([*words, "pack=drawn-64"]).used[
        "parser"
    ]  # "again" began with 24 of drawn-64's training faces
    assert used.endswith("runs/again (the latest made for this resolution and source, 24 images seen)")
    shutil.rmtree(judged / "runs" / "again")
    used = evaluate.prepare([*words, "pack=drawn-64"]).used["parser"]
    assert used.endswith(
        "runs/parser (the most trained made for this pack, 16 images seen, fewer than its 24 training faces)"
    )
    assert evaluate.prepare([*words, "parser=hardly"]).used["parser"].endswith("hardly (named, 2 images seen)")


def test_a_judge_that_has_learnt_from_the_faces_is_not_chosen(own: Path) -> None:
    """The judges learnt from the first 24 faces of the seed; those held out in "part" are 16 to 23."""
    with pytest.raises(CheckpointError, match=r"no parser in .* was made for .*part .*learnt from 8 of its validation"):
        evaluate.prepare([f"workspace={own}", "run=multicond", "measures=[miou]", "pack=part"])


def test_a_judge_that_cannot_tell_is_a_warning_and_in_the_row(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("facecond").propagate = True
    words = [f"workspace={own}", "run=multicond", "measures=[miou]", "count=6", "sampler.steps=1"]
    result = call("eval", *words)
    miou = result.figures[0]
    assert miou.caution == "its ceiling is near or below its floor: this measure cannot tell"
    assert f"warning: Mask mIoU, Mean of per-image mIoU: {miou.caution}" in caplog.text
    assert miou.caution in result.made["table"].read_text().splitlines()[2]


@pytest.mark.parametrize("kind", ["parser", "classifier"])
def test_a_judge_is_not_trained_without_its_labels(own: Path, kind: str, tmp_path: Path) -> None:
    rows = slice(0, 4)
    writer = PackWriter(tmp_path / "silent", count=4, resolution=64, source={"kind": "label_maps"})
    silence = np.full((4, 64, 64), 255, np.uint8)
    writer.write(rows, np.zeros((4, 64, 64, 3), np.uint8), silence, np.zeros((4, 40), np.int8))
    writer.finish(list("abcd"), ["train"] * 3 + ["validation"])
    words = [f"workspace={tmp_path}", f"model={kind}", "name=silent", f"pack={tmp_path / 'silent'}", *TINY]
    with pytest.raises(ConfigError, match="would learn nothing"):
        call("train", *words)
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Sampling without a network; what the figure was given."""
    seen: dict[str, Any] = {}

    def renderer(self: Generator, *settings: Any) -> Any:
        return lambda values, noise, source: np.zeros((len(noise), 64, 64, 3), np.uint8)

    def note(figure: Any) -> Any:
        def noting(rows: Any, *given: Any, **more: Any) -> Any:
            seen.update(more, rows=rows)
            return figure(rows, *given, **more)

        return noting

    monkeypatch.setattr(Generator, "renderer", renderer)
    for name in ("samples_figure", "attribute_figure", "swap_figure"):
        monkeypatch.setattr(layouts, name, note(getattr(layouts, name)))
    return seen


@pytest.mark.parametrize(
    ("words", "count", "rows", "title"),
    [
        (["attr=+Smiling", "count=400"], 400, [16] * 24, "Samples beside their conditions: the first 384 of 400"),
        (["attr=+Smiling", "count=40"], 40, [16, 16, 8], "Samples beside their conditions"),
        (["count=16", "samples=20"], 320, [16] * 16, "Samples beside their conditions: the first 256 of 320"),
        (["grid=variations", "attr=Male", "count=30"], 300, [10] * 24, "Several samples of one condition: the first 240"),
        (["grid=attributes", "attr=Male", "count=30", f"attribute_sets=[{','.join(['+Young'] * 17)}]"], 540, [16] * 24,
         "Same starting noise, other attributes: the first 384 of 540"),
    ],
    ids=["by hand", "by hand, all shown", "many samples", "variations", "attributes"],
)  # fmt: skip
def test_grids_are_bounded(
    own: Path, drawn: dict[str, Any], words: list[str], count: int, rows: Any, title: str
) -> None:
    result = call("sample", f"workspace={own}", "run=attr", *words, "sampler.steps=1", "name=bounded")
    assert result.facts["images"] == count
    shown = [getattr(row, "samples", row) for row in drawn["rows"]]
    assert [len(row) for row in shown] == rows
    assert drawn["title"].startswith(title)
    height, width = read_image(result.made["grid"]).shape[:2]
    assert max(height, width) < 24 * 160 + 400
    shutil.rmtree(result.made["grid"].parent)


def test_a_figure_of_many_swaps_is_bounded(own: Path, drawn: dict[str, Any]) -> None:
    pairs = [f"'{a}:{b}'" for a in range(4) for b in range(4, 8)]
    words = [f"pairs=[{','.join(pairs)}]", "samples=20", "sampler.steps=1"]
    result = call("swap-masks", f"workspace={own}", "run=multicond", *words)
    assert result.facts["images"] == 16 * 2 * 20
    assert len(drawn["rows"]) == 12
    assert drawn["title"].endswith(": the first 384 of 640")


def test_a_model_is_told_what_judges_see(own: Path) -> None:
    words = [
        f"workspace={own}",
        "run=multicond",
        "parser=parser",
        "classifier=classifier",
        "count=3",
        "sampler.steps=1",
        "download=false",
        "noisy=[mask,attributes]",
    ]
    made = call("eval", *words, "measures=[fid]").made["samples"]
    samples, pack = open_generation(made), Pack.open(own / "packs" / "drawn-64")
    real = np.asarray(pack.images[pack.indices("validation")[:3]])
    cpu = torch.device("cpu")
    maps = load_parser(own / "runs" / "parser", cpu)(real)
    there = load_classifier(own / "runs" / "classifier", cpu)(real)
    for place, record in enumerate(samples.records):
        told = {name: CONDITIONS[name].recall(said["value"], made) for name, said in record["told"].items()}
        np.testing.assert_array_equal(told["mask"], maps[place])
        np.testing.assert_array_equal(told["attributes"], np.where(there[place], 1, -1))


NOISY = ["run=multicond", "parser=parser", "count=4", "sampler.steps=1", "seed=41", "download=false"]


def test_noisy_conditions_are_said_wherever_figures_stand(own: Path) -> None:
    here = f"workspace={own}"
    usual = call("eval", here, *NOISY, "measures=[fid,miou]")
    noisy = call("eval", here, *NOISY, "measures=[fid,miou]", "noisy=[mask]")
    told = re.compile(r"told mask as small parser parser \([0-9a-f]{12}\) reads it")
    assert all(told.search(figure.caution) for figure in noisy.figures)
    assert noisy.used["noisy mask"] == "told as the parser reads it off the real pictures"
    assert told.search(
        f"told mask as {read_results(noisy.made['results']).about['made_with']['noisy']['mask']} reads it"
    )
    for kind in ("table", "csv", "latex"):
        assert told.search(noisy.made[kind].read_text())
        assert not told.search(usual.made[kind].read_text())
    page = call("report", here, "runs=[multicond]").made["page"].read_text()
    assert len(told.findall(page)) >= 2 * len(noisy.figures)  # how it was sampled, and its caution


def test_noisy_masks_are_compared_with_the_true_ones(own: Path) -> None:
    here = f"workspace={own}"
    made = call("eval", here, *NOISY, "measures=[miou,accuracy]", "noisy=[mask]")
    samples, pack = open_generation(made.made["samples"]), Pack.open(own / "packs" / "drawn-64")
    items = pack.indices("validation")[:4]
    parse = load_parser(own / "runs" / "parser", torch.device("cpu"))
    real = parse(np.asarray(pack.images[items]))
    assert (real != pack.labels[items]).any()  # the maps told are not the true ones
    of_samples, of_real = (Confusion.of(pack.labels[items], seen) for seen in (parse(samples.images), real))
    figures = {figure.name: figure for figure in made.figures}
    assert figures["miou"].value == pytest.approx(of_samples.mean_iou)
    assert figures["miou"].ceiling == pytest.approx(of_real.mean_iou)
    assert figures["mask_accuracy"].value == pytest.approx(of_samples.accuracy)
    assert figures["mask_accuracy"].ceiling == pytest.approx(of_real.accuracy)
    assert "reads it off the real pictures, and is compared with the true mask" in figures["miou"].caution
    again = call("eval", here, *NOISY[:2], "measures=[miou,accuracy]", f"samples={made.made['samples']}")
    assert [(each.name, each.value, each.caution) for each in again.figures] == [
        (each.name, each.value, each.caution) for each in made.figures
    ]
    assert again.used["noisy mask"].startswith("told as small parser parser (")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["measures=[fid]", "noisy=[sketch]"], "no judge reads that off a picture|is not conditioned on it"),
        (["measures=[fid]", "snapshot=5"], "has no snapshot after 5 images .it has 8"),
        (["measures=[is]", "features=classifier"], "the network that is named tells no classes"),
        (["measures=[fid]", "features=efficientnet", "inception=a.pt"], "inception has no effect with features=effi"),
        (["measures=[lpips]", "perceptual=efficientnet", "lpips_trunk=a"], "lpips_trunk has no effect with perceptual"),
        (["measures=[fid]", "features=inception"], "the Inception network of FID is not at"),
        (["measures=[lpips]", "perceptual=lpips"], "the AlexNet trunk of LPIPS is not at"),
    ],
)
def test_what_cannot_be_told_or_measured_is_refused(own: Path, words: list[str], said: str) -> None:
    with pytest.raises(FacecondError, match=said):
        evaluate.prepare([f"workspace={own}", "run=multicond", "download=false", *words])
