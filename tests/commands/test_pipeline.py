"""Every command on a small workspace: what it makes, that it can be run again, that its pictures depend on what they should."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facecond.data.pack import PackWriter
from facecond.io.documents import Record, read_json, write_json
from facecond.io.images import read_image, read_label_map
from facecond.io.results import read_results
from facecond.sampling.generation import open_generation
from facecond.workspace.find import BUNDLED
from tests.commands.conftest import MODEL, TINY, Facecond, call


def test_official_release_packs_to_the_same_maps_and_attributes(tmp_path: Path) -> None:
    """Part masks in the official layout give back, bit for bit, what was drawn (here 40 faces; 200 with -m slow)."""
    _release_round_trip(tmp_path, 40)


@pytest.mark.slow
def test_official_release_of_200_faces(tmp_path: Path) -> None:
    _release_round_trip(tmp_path, 200)


def _release_round_trip(tmp_path: Path, count: int) -> None:
    from facecond.data.pack import Pack

    here = f"workspace={tmp_path}"
    call("data draw", here, f"data.count={count}", "data.validation=8", "name=direct")
    released = call("data draw", here, f"data.count={count}", "data.validation=8", "layout=release", "name=official")
    call(
        "data pack",
        here,
        "data=celebamask_hq",
        f"data.root={released.made['release']}",
        "resolution=64",
        "name=read",
        "workers=1",
    )
    direct, read = (Pack.open(tmp_path / "packs" / name) for name in ("direct", "read"))
    assert len(read) == count
    np.testing.assert_array_equal(direct.labels, read.labels)
    np.testing.assert_array_equal(direct.attributes, read.attributes)
    assert not read.findings


def test_sample_writes_images_records_and_a_grid(workspace: Path, facecond: Facecond) -> None:
    status, out, _ = facecond("sample", "--json", "run=multicond", "count=3", "--eta", "1.0", f"workspace={workspace}")
    assert status == 0
    made = json.loads(out)["made"]
    generation = open_generation(Path(made["records"]).parent)
    assert generation.images.shape == (3, 64, 64, 3)
    assert {record["sampler"]["eta"] for record in generation.records} == {1.0}
    assert len({record["seed"] for record in generation.records}) == 3
    assert read_image(Path(made["grid"])).ndim == 3


def test_images_do_not_depend_on_the_batch(workspace: Path) -> None:
    words = [f"workspace={workspace}", "run=multicond", "count=5", "precision=float32", "sampler.eta=1.0"]
    one = call("sample", *words, "batch_size=1", "name=one")
    five = call("sample", *words, "batch_size=5", "name=five")
    images = [open_generation(made.made["images"].parent).images.astype(int) for made in (one, five)]
    assert np.abs(images[0] - images[1]).max() <= 1  # rounding of float sums in another order
    assert np.abs(images[0][0] - images[0][1]).max() > 10


def test_sampling_continues_and_refuses_another_sampler(workspace: Path, facecond: Facecond) -> None:
    words = [f"workspace={workspace}", "run=multicond", "name=continued"]
    call("sample", *words, "count=2")
    folder = workspace / "samples" / "continued"
    before = (folder / "images" / "000000.png").stat().st_mtime_ns
    assert call("sample", *words, "count=4").facts["images"] == 4
    assert (folder / "images" / "000000.png").stat().st_mtime_ns == before
    status, _, err = facecond("sample", *words, "count=4", "sampler.steps=3")
    assert status == 2
    assert "sampler.steps" in err


def test_conditions_by_hand(workspace: Path) -> None:
    """A map and attributes given by hand end up in the record; what is not named stays unspecified."""
    from PIL import Image

    from facecond.data.pack import Pack

    labels = np.array(Pack.open(workspace / "packs" / "drawn-64").labels[0])
    Image.fromarray(labels.repeat(2, 0).repeat(2, 1)).save(workspace / "map.png")
    made = call(
        "sample", f"workspace={workspace}", "run=multicond", f"mask={workspace / 'map.png'}",
        "attr='+Smiling,-Male'", "count=2", "name=by-hand",
    )  # fmt: skip
    generation = open_generation(made.made["images"].parent)
    assert generation.records[0]["description"]["attributes"] == "-Male,+Smiling"
    told = generation.records[0]["told"]
    assert told["attributes"]["value"].count("0") == 38
    np.testing.assert_array_equal(read_label_map(generation.folder / told["mask"]["value"]), labels)


@pytest.mark.parametrize(
    "words",
    [
        ["grid=attributes", "attribute_sets=[+Smiling,+Eyeglasses]", "count=2"],
        ["grid=attributes", "attribute_sets=[+Smiling]", "count=1", "only=[attributes]"],
        ["grid=variations", "samples=3", "count=1", "sampler.eta=1"],
        ["grid=checkpoints", "count=2"],
        ["items=[3,5]", "guidance.attributes=3", "guidance.mask=1.5"],
        ["sampler=dpmpp", "count=2"],
        ["run=attr", "count=2"],
        ["run=attr", "attr=Eyeglasses", "count=2"],
    ],
    ids=" ".join,
)
def test_every_kind_of_grid(workspace: Path, words: list[str]) -> None:
    run = [] if words[0].startswith("run=") else ["run=multicond"]
    made = call("sample", f"workspace={workspace}", *run, *words)
    assert read_image(made.made["grid"]).shape[0] > 64
    assert all(path.exists() for path in made.made.values())


def test_eval_gives_ceiling_floor_and_count(workspace: Path) -> None:
    made = call(
        "eval",
        f"workspace={workspace}",
        "run=multicond",
        "measures=[miou,accuracy,attributes,reconstruction]",
        "count=8",
    )
    results = read_results(made.made["results"])
    assert {"miou", "mask_accuracy", "attribute_accuracy", "attribute_balanced_mask_free", "psnr", "ssim"} <= {
        figure.name for figure in results.figures
    }
    for figure in results.figures:
        assert figure.count == 8
        if figure.name not in ("psnr", "ssim"):
            assert figure.ceiling is not None
            assert figure.floor is not None
            assert figure.judge_hash
    assert "ceiling" in made.made["table"].read_text()


def test_swap_masks_gives_the_model_both_mixed_maps(workspace: Path) -> None:
    from facecond.sampling.folder import read_values

    made = call("swap-masks", f"workspace={workspace}", "run=multicond", "pairs=['0:1']", "parts=[skin]", "samples=2")
    generation = open_generation(made.made["images"].parent)
    first, second = (read_values(generation.folder, generation.records[i])["mask"] for i in (0, 2))
    from facecond.data.pack import Pack

    pack = Pack.open(workspace / "packs" / "drawn-64")
    a, b = (np.array(pack.labels[i]) for i in pack.indices("validation")[:2])
    np.testing.assert_array_equal(first[0], b == 1)  # channel 0 is skin, exchanged
    np.testing.assert_array_equal(second[0], a == 1)
    np.testing.assert_array_equal(first[1], a == 2)  # the nose stays


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp"])
@pytest.mark.parametrize("target", ["x0", "v", "velocity"])
def test_a_flow_is_trained_and_sampled(workspace: Path, target: str, sampler: str) -> None:
    here = f"workspace={workspace}"
    flow = [f"model.target={target}", "model.schedule.shape=straight", "model.schedule.levels=logit_normal"]
    call("train", here, "model=attr", f"name=flow-{target}", *flow, *MODEL, *TINY)
    result = call(
        "sample", here, f"run=flow-{target}", "count=2", f"sampler={sampler}", "sampler.steps=3", "sampler.eta=1"
    )
    images = open_generation(Path(result.made["records"]).parent).images
    assert images.std() > 0


def test_pictures_are_learnt_without_a_first_stage(workspace: Path, facecond: Facecond) -> None:
    here = f"workspace={workspace}"
    call("train", here, "model=attr", "name=pixels", "first_stage=none", "model.denoiser.patch=4", *MODEL, *TINY)
    result = call("sample", here, "run=pixels", "count=2", "sampler.steps=2")
    generation = open_generation(Path(result.made["records"]).parent)
    assert generation.images.shape == (2, 64, 64, 3)
    assert generation.made_with["first_stage"] == "none"
    status, _, err = facecond("eval", "reconstruction", "run=pixels", here)
    assert status == 2
    assert "has no first stage" in err


def test_a_transformer_is_trained_and_sampled(workspace: Path) -> None:
    here = f"workspace={workspace}"
    words = ["model=multicond", "denoiser=transformer", *TINY, "model.mask.width=8", "model.token_width=32"]
    trained = call(
        "train", here, *words, "model.denoiser.width=32", "model.denoiser.depth=2", "model.denoiser.head_channels=16"
    )
    assert trained.made["run"].name.startswith("multicond-transformer-tiny")
    result = call("sample", here, f"run={trained.made['run'].name}", "count=2", "sampler.steps=2", "guidance.mask=3")
    assert open_generation(Path(result.made["records"]).parent).images.std() > 0


def test_finished_commands_return_at_once(workspace: Path) -> None:
    weights = workspace / "runs" / "multicond" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    again = call(
        "train",
        f"workspace={workspace}",
        "model=multicond",
        "name=multicond",
        "trainer.snapshot_every=8",
        *MODEL,
        *TINY,
    )
    assert again.facts["finished"]
    assert weights.stat().st_mtime_ns == before
    assert call("encode", f"workspace={workspace}").facts["encoded now"] == 0


def test_defaults_are_the_latest_and_are_named(workspace: Path, facecond: Facecond) -> None:
    status, out, err = facecond("sample", "--json", "count=1", f"workspace={workspace}")
    assert status == 0
    assert "the latest diffusion run" in json.loads(out)["used"]["run"]
    assert "the latest diffusion run" in " ".join(err.split())


def test_a_run_that_learnt_little_is_said_loudly(workspace: Path, tmp_path: Path) -> None:
    """With the run that learnt more, when the latest was not named."""
    shutil.copytree(workspace, tmp_path / "here")
    run = tmp_path / "here" / "runs" / "multicond"
    longer = shutil.copytree(run, run.with_name("longer"))
    done = read_json(longer / "done.json", Record)
    write_json(longer / "done.json", done | {"images_seen": 640, "finished": "2020-01-01T00:00:00.000000+00:00"})
    for name in ("flow-velocity", "attr"):
        shutil.rmtree(tmp_path / "here" / "runs" / name, ignore_errors=True)
    words = [f"workspace={tmp_path / 'here'}", "sampler.steps=1", "count=1"]
    used = importlib.import_module("facecond.commands.sample").prepare(words).used["run"]
    assert "16 images seen, fewer than the 24 training faces; longer saw 640: run=longer" in used
    used = importlib.import_module("facecond.commands.sample").prepare([*words, "run=multicond"]).used["run"]
    assert used.endswith("multicond (named, 16 images seen, fewer than the 24 training faces)")


def test_a_pack_without_attributes_is_inspected_without_rows_of_nothing(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path / "packs" / "silent", count=4, resolution=64, source={"kind": "label_maps"})
    writer.write(
        slice(0, 4), *(np.zeros(shape, np.uint8) for shape in ((4, 64, 64, 3), (4, 64, 64))), np.zeros((4, 40), np.int8)
    )
    writer.finish(list("abcd"), ["train"] * 3 + ["validation"])
    result = call("data inspect", f"workspace={tmp_path}", "sheet=0")
    assert result.facts["attributes known"] == "none"
    assert "classes, train" in result.tables
    assert not any(name.startswith("attributes") for name in result.tables)
    assert "nan" not in json.dumps(result.facts).lower()


def test_inspect_counts(workspace: Path) -> None:
    result = call("data inspect", f"workspace={workspace}", "sheet=8")
    assert result.facts["items"] == 40
    assert result.made["contact sheet"].is_file()
    assert len(result.tables["classes, train"]) == 20
    assert len(result.tables["attributes, validation"]) == 41


@pytest.mark.bundled
def test_the_sheet_of_what_came_with_the_program_is_written_elsewhere(tmp_path: Path) -> None:
    before = sorted(BUNDLED.rglob("*"))
    made = call("data inspect", f"workspace={tmp_path}", "sheet=4").made[
        "contact sheet"
    ]  # no pack of one's own: those people
    assert made == tmp_path / "reports" / "drawn64-people-sheet.png"
    assert made.is_file()
    assert sorted(BUNDLED.rglob("*")) == before


def test_packs_and_runs_move_with_their_workspace(workspace: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(workspace, moved)
    assert call("sample", f"workspace={moved}", "run=multicond", "count=1").facts["images"] == 1


def test_sweep_runs_every_combination(workspace: Path, facecond: Facecond) -> None:
    status, out, _ = facecond(
        "sample", "-m", "--json", "run=multicond", "count=1", "sampler.eta=0,1", f"workspace={workspace}"
    )  # fmt: skip
    assert status == 0
    assert len({entry["made"]["grid"] for entry in json.loads(out)}) == 2


def test_a_named_attribute_changes_the_map_that_denies_it(workspace: Path) -> None:
    from facecond.faces.labels import CLASSES
    from facecond.sampling.folder import read_values

    words = [f"workspace={workspace}", "run=multicond", f"items={list(range(16))}", "attr=+Mouth_Slightly_Open"]
    mouths = {}
    for adapt in ("true", "false"):
        made = open_generation(Path(call("sample", *words, f"adapt_masks={adapt}").made["records"]).parent)
        maps = [read_values(made.folder, record)["mask"] for record in made.records]
        mouths[adapt] = [bool((labels == CLASSES.index("mouth")).any()) for labels in maps]
        said = ["mouth as in" in record["description"]["mask"] for record in made.records]
        assert said == [
            after and adapt == "true" and not before
            for before, after in zip(_open(workspace), mouths[adapt], strict=True)
        ]
    assert all(mouths["true"])
    assert mouths["false"] == _open(workspace)
    assert not all(mouths["false"])


def _open(workspace: Path) -> list[bool]:
    """Which validation items have an open mouth."""
    from facecond.data.pack import Pack
    from facecond.faces.labels import CLASSES

    pack = Pack.open(workspace / "packs" / "drawn-64")
    return [bool((pack.labels[i] == CLASSES.index("mouth")).any()) for i in pack.indices("validation")]


def test_attribute_sets_change_the_items_that_are_named(workspace: Path) -> None:
    words = [f"workspace={workspace}", "run=attr", "grid=attributes", "attribute_sets=[+Eyeglasses]"]
    result = call("sample", *words, "items=[3,4]", "attr=+Smiling")
    made = open_generation(Path(result.made["records"]).parent)
    assert [record["source"] is not None for record in made.records] == [True] * 4
    assert all("+Smiling" in record["description"]["attributes"] for record in made.records)
    assert [("+Eyeglasses" in record["description"]["attributes"]) for record in made.records[1::2]] == [True, True]
    result = call("sample", *words, "attr=+Smiling", "count=2")
    made = open_generation(Path(result.made["records"]).parent)
    assert [record["description"]["attributes"] for record in made.records] == 2 * ["+Smiling", "+Eyeglasses,+Smiling"]


def test_drawing_and_packing_load_no_torch(tmp_path: Path) -> None:
    draw = ["data", "draw", "--count", "8", "data.validation=2", "layout=release", "name=official"]
    pack = ["data", "pack", f"data.root={tmp_path}/releases/official", "resolution=32", "workers=1"]
    code = (
        "import sys; from facecond.cli.main import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    for words in (draw, pack):
        done = subprocess.run(
            [sys.executable, "-c", code, *words, f"workspace={tmp_path}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
