"""What comes with the program is used where the workspace has nothing of its kind, and by name."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from benchmarks.bundle import halved, people
from facecond.demo import command as demo
from facecond.demo.plan import PACES, TITLES, divide, measure, there
from facecond.errors import CheckpointError, DataError
from facecond.io.documents import Record, read_json, write_json
from facecond.io.files import sha256_file
from facecond.sampling.generation import open_generation
from facecond.workspace import find
from facecond.workspace.find import find_pack, find_run, first_stage_digest
from tests.commands.conftest import MODEL, TINY, Facecond, call


@pytest.fixture(scope="module")
def folder(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set as `benchmarks.bundle` writes it: the multi-conditional model learnt latents of the first stage in half precision."""
    home, target = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bundled")
    for name in ("vq", "parser", "classifier"):
        halved(made_once / "runs" / name, target / f"drawn64-{name}")
    stage = target / "drawn64-vq" / "weights.safetensors"
    call("data draw", f"workspace={home}", "data.count=40", "data.validation=16", "data.seed=11")
    call("encode", f"workspace={home}", f"first_stage={stage}")
    words = ["model=multicond", "name=multicond", f"first_stage={stage}", *MODEL, *TINY]
    call("train", f"workspace={home}", *words)
    halved(home / "runs" / "multicond", target / "drawn64-multicond")
    people(str(home), target / "drawn64-people")
    return target


@pytest.fixture(autouse=True)
def comes_along(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "BUNDLED", folder)


def test_half_precision_is_near_and_says_nothing_of_the_machine(made_once: Path, folder: Path) -> None:
    one, other = made_once / "runs" / "parser", folder / "drawn64-parser"
    with (
        safe_open(one / "weights.safetensors", "np") as before,
        safe_open(other / "weights.safetensors", "np") as after,
    ):
        assert set(before.keys()) == set(after.keys())
        for name in before.keys():  # noqa: SIM118 - not a mapping
            expected = before.get_tensor(name)
            found = after.get_tensor(name)
            assert found.dtype == (np.float16 if expected.ndim > 1 else expected.dtype)
            np.testing.assert_allclose(found, expected, rtol=2**-10, atol=1e-7)
    assert read_json(other / "done.json", Record)["weights_sha256"] == sha256_file(other / "weights.safetensors")
    assert str(made_once) not in (other / "run.json").read_text()


def test_an_empty_workspace_samples_swaps_and_measures(tmp_path: Path, facecond: Facecond) -> None:
    here = f"workspace={tmp_path}"
    for words in (
        ["sample", "--attr", "+Smiling,+Eyeglasses", "--count", "2", here],
        ["swap-masks", "--count", "1", here],
        ["eval", "miou", "accuracy", "attributes", "--count", "4", here],
    ):
        status, _, said = facecond(*words)
        assert status == 0, said
        assert "drawn64-multicond (came with the program, 16 images seen" in said
    assert "drawn64-parser (came with the program, 16 images seen)" in said
    assert not (tmp_path / "packs").exists()


def test_damaged_notes_of_other_runs_stop_nothing(tmp_path: Path, made_once: Path, facecond: Facecond) -> None:
    for folder in (tmp_path / "runs" / "a-broken", tmp_path / "first_stages"):
        folder.mkdir(parents=True)
    (tmp_path / "runs" / "a-broken" / "done.json").write_text("{")
    (tmp_path / "first_stages" / "0123456789ab.json").write_text("{")
    (tmp_path / "runs" / "a-broken" / "weights.safetensors").touch()
    os.utime(tmp_path / "runs" / "a-broken" / "weights.safetensors", (0, 0))  # so it is not the latest
    shutil.copy(made_once / "runs" / "attr" / "run.json", tmp_path / "runs" / "a-broken")
    shutil.copytree(made_once / "runs" / "attr", tmp_path / "runs" / "own")
    shutil.copytree(made_once / "runs" / "vq", tmp_path / "runs" / "vq")
    shutil.copytree(made_once / "packs", tmp_path / "packs")
    shutil.copytree(made_once / "runs" / "parser", tmp_path / "runs" / "parser")
    shutil.copytree(made_once / "runs" / "parser", tmp_path / "runs" / "older")
    (tmp_path / "runs" / "older" / "done.json").write_text("{")
    os.utime(tmp_path / "runs" / "older" / "weights.safetensors", (0, 0))
    for words in (
        ["sample"],
        ["eval", "miou", "run=own"],
        ["sample", "run=own"],
        ["sample", "run=own", "first_stage=vq"],
    ):
        status, _, said = facecond(*words, f"workspace={tmp_path}", "--dry-run")
        assert status == 0, said
    assert first_stage_digest(str(tmp_path), tmp_path / "runs" / "vq") == sha256_file(
        made_once / "runs" / "vq" / "weights.safetensors"
    )


def test_a_map_is_followed_without_a_pack(tmp_path: Path, made_once: Path, facecond: Facecond) -> None:
    map_file = tmp_path / "map.png"
    Image.fromarray(np.load(made_once / "packs" / "drawn-64" / "labels.npy")[0]).save(map_file)
    status, _, said = facecond("sample", "--mask", map_file, "--count", "1", f"workspace={tmp_path}")
    assert status == 0, said


def test_what_the_workspace_has_comes_first(made_once: Path, folder: Path) -> None:
    assert find_run(str(made_once), None, "parser").path == made_once / "runs" / "parser"
    assert find_run(str(made_once), "drawn64", "parser").path == folder / "drawn64-parser"
    assert find_run(str(made_once), "drawn64-parser", "parser").path == folder / "drawn64-parser"
    assert find_pack(str(made_once), None).path.name == "drawn-64"
    assert find_pack(str(made_once), "drawn64").path == folder / "drawn64-people"
    with pytest.raises(DataError, match="drawn64-nobody"):
        find_pack(str(made_once), "drawn64-nobody")
    with pytest.raises(CheckpointError, match="drawn64-vq"):
        find_run(str(made_once), "drawn64-vq", "parser")


def test_an_own_run_of_that_name_comes_first(tmp_path: Path, made_once: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "drawn64").symlink_to(made_once / "runs" / "parser")
    assert find_run(str(tmp_path), "drawn64", "parser").path == tmp_path / "runs" / "drawn64"


@pytest.mark.slow
def test_a_demo_trains_the_model_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First stage and judges are those that came along; from scratch it trains all four."""
    network = (*PACES["usual"].network, "model.denoiser.model_channels=32", "model.denoiser.head_channels=32")
    quick = dataclasses.replace(
        PACES["usual"], network=network, sampling=("sampler=ddim", "sampler.steps=2"), timing=0.1
    )
    monkeypatch.setitem(PACES, "usual", quick)
    config = demo.prepare([f"workspace={tmp_path}", "count=16"]).config
    speeds = measure(config, there(config))
    assert set(speeds) == {"draw", "encode", "look", "multicond", "predict"}
    planned = divide(config, speeds, overhead=20, came_along=there(config))
    assert planned.total == pytest.approx(14 * 60, rel=0.03)
    assert set(planned.images) == {"multicond"}
    plan = dataclasses.replace(planned, faces=40, validation=16, images={"multicond": 32})
    write_json(tmp_path / "demo" / "plan.json", dataclasses.asdict(plan))
    result = demo.run(demo.prepare([f"workspace={tmp_path}", "count=16"]))
    steps = read_json(tmp_path / "demo" / "steps.json", Record)
    assert set(steps) == set(TITLES) - {"vq", "parser", "classifier"}
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == ["demo-multicond"]
    miou = next(figure for figure in result.figures if figure.name == "miou")
    assert miou.judge == "small parser drawn64-parser"
    assert "come with the program" in result.made["page"].read_text(encoding="utf-8")
    assert demo.prepare([f"workspace={tmp_path}", "scratch=true"]).name == "demo-scratch"
    scratch = demo.prepare([f"workspace={tmp_path}", "scratch=true"]).config
    assert there(scratch) == {}
    assert set(divide(scratch, {**speeds, "vq": 1, "parser": 1, "classifier": 1}, 20).images) == set(quick.shares)
    monkeypatch.setattr(find, "BUNDLED", tmp_path / "nowhere")
    with pytest.raises(DataError, match="models that came with the program and are not here: classifier, multicond"):
        demo.run(demo.prepare([f"workspace={tmp_path}", "count=16"]))


def test_a_demo_needs_first_stage_and_judges_of_a_set(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The diffusion model of a set is there to be shown; without it the others serve all the same."""
    config = demo.prepare([f"workspace={tmp_path}"]).config
    monkeypatch.setattr(find, "BUNDLED", shutil.copytree(folder, tmp_path / "set"))
    shutil.rmtree(tmp_path / "set" / "drawn64-multicond")
    assert set(there(config)) == {"vq", "parser", "classifier"}
    plan = divide(
        config,
        {"draw": 0.01, "encode": 0.01, "look": 0.01, "multicond": 0.1, "predict": 0.02},
        20,
        came_along=there(config),
    )
    assert set(plan.images) == {"multicond"}
    assert "shipped" not in plan.steps
    shutil.rmtree(tmp_path / "set" / "drawn64-parser")
    assert there(config) == {}


def test_its_first_stage_and_judges_serve_own_models(tmp_path: Path) -> None:
    here = f"workspace={tmp_path}"
    call("data draw", here, "data.count=24", "data.validation=8", "data.seed=5")
    call("encode", here, "first_stage=drawn64")
    call("train", here, "model=attr", "first_stage=drawn64", "name=mine", *MODEL, *TINY)
    result = call("eval", here, "measures=[attributes]", "count=4")
    assert result.used["run"].startswith(str(tmp_path / "runs" / "mine"))
    assert "came with the program" in result.used["classifier"]
    made = open_generation(result.made["samples"])
    assert (
        made.made_with["first_stage"] == read_json(find.BUNDLED / "drawn64-vq" / "done.json", Record)["weights_sha256"]
    )


def test_photographs_are_not_read_by_networks_that_know_drawn_faces(
    tmp_path: Path, made_once: Path, facecond: Facecond
) -> None:
    """Neither a parser nor a first stage that came along is taken for them unless it is named."""
    pack = find_pack(str(made_once), "drawn-64").path
    for name in ("images", "labels"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
    for index in range(4):
        Image.fromarray(np.load(pack / "images.npy")[index]).save(tmp_path / "pairs" / "images" / f"{index}.png")
        Image.fromarray(np.load(pack / "labels.npy")[index]).save(tmp_path / "pairs" / "labels" / f"{index}.png")
    here = f"workspace={tmp_path / 'outputs'}"
    call("data pack", here, "data=label_maps", f"data.root={tmp_path / 'pairs'}", "resolution=64", "name=photos")
    for words in (["parse", str(tmp_path / "pairs" / "images" / "0.png")], ["encode"]):
        status, _, said = facecond(*words, here)
        assert status == 2
        assert "the one that came with the program knows drawn faces alone" in said.strip().splitlines()[-1]
    status, _, said = facecond("encode", "first_stage=drawn64-vq", here)
    assert status == 0, said


def test_a_report_names_a_run_that_came_along(tmp_path: Path, facecond: Facecond) -> None:
    status, _, said = facecond("report", "drawn64-parser", f"workspace={tmp_path}")
    assert status == 0, said
