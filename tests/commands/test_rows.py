"""What once was lost or let in, one test a row (docs/reliability.md): each failed before something was done about it.

They speak to commands alone, so that they can be run on old commits: `git worktree add ../old 917ec31`, copy this file there, and
`PYTHONPATH=. python -m pytest tests/commands/test_rows.py`. All fail there but three: a bad picture in a pack (fails on b94e76c^),
names (1c3b670^) and the pack of one's own (fe32379^), the last two with the conftest.py of 917ec31 and its keys of then.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.drawn.painter import draw
from tests.commands.conftest import MODEL, TINY, Facecond, call

SAMPLE = ["sample", "run=multicond", "count=2", "sampler.steps=1", "name=two"]


@pytest.fixture
def here(made_once: Path, tmp_path: Path) -> Path:
    """A workspace of this test's own."""
    return shutil.copytree(made_once, tmp_path / "workspace")


def refused(answer: tuple[int, str, str], *named: str) -> str:
    """Check that a command ended in one line with status 2, that it names what is wrong; return the line."""
    status, _, err = answer
    assert status == 2, err
    (line,) = [line for line in err.splitlines() if line.startswith("facecond:")]
    for word in named:
        assert word in line
    return line


def flip(path: Path, share: float = 0.7) -> Path:
    """Flip one bit of a file, `share` of the way into it."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 16
    path.write_bytes(content)
    return path


def without_remembering(workspace: Path) -> None:
    """Let nothing that was compared once be taken for granted."""
    for path in workspace.rglob(".unaltered.json"):
        path.unlink()


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder of eight pictures with their label maps."""
    drawing, root = draw(1, range(8), 64), tmp_path / "pairs"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for index in range(8):
        Image.fromarray(drawing.images[index]).save(root / "images" / f"{index}.png")
        Image.fromarray(drawing.labels[index]).save(root / "labels" / f"{index}.png")
    return root


def test_one_bad_picture_does_not_break_packing(pairs: Path, tmp_path: Path, facecond: Facecond) -> None:
    (pairs / "images" / "3.png").write_bytes(b"")
    words = ["data=label_maps", f"data.root={pairs}", "resolution=64", "name=one", "workers=1"]
    for _ in range(2):
        status, _, err = facecond("data", "pack", *words, f"workspace={tmp_path / 'w'}")
        assert status == 0, err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("folder", ["images", "labels"])
def test_a_pipe_among_pictures_does_not_hang(folder: str, pairs: Path, tmp_path: Path, facecond: Facecond) -> None:
    (pairs / folder / "3.png").unlink()
    os.mkfifo(pairs / folder / "3.png")
    words = ["data=label_maps", f"data.root={pairs}", "resolution=64", "name=one", "workers=1"]
    status, out, err = facecond("data", "pack", *words, f"workspace={tmp_path / 'w'}")
    assert status in (0, 2), err
    assert "excluded" in out + err


@pytest.mark.parametrize("run", ["multicond", "parser", "classifier"])
def test_a_flipped_bit_in_weights_is_found(run: str, here: Path, facecond: Facecond) -> None:
    file = flip(here / "runs" / run / "weights.safetensors")
    command = ["eval", "miou", "attributes", "run=multicond", "count=2", "sampler.steps=1", f"workspace={here}"]
    refused(facecond(*command), str(file))


@pytest.mark.parametrize("file", ["images.npy", "labels.npy", "attributes.npy"])
def test_a_flipped_bit_in_a_pack_is_found(file: str, here: Path, facecond: Facecond) -> None:
    without_remembering(here)
    flip(here / "packs" / "drawn-64" / file)
    refused(facecond("train", "model=parser", "name=new", f"workspace={here}", *TINY), file)


def test_a_flipped_bit_in_latents_is_found(here: Path, facecond: Facecond) -> None:
    without_remembering(here)
    file = flip(next(here.glob("packs/*/latents/*/latents.npy")))
    refused(facecond("train", "model=attr", "name=new", f"workspace={here}", *MODEL, *TINY), file.name)


def test_a_flipped_bit_in_pictures_changes_no_figure(here: Path, facecond: Facecond) -> None:
    assert facecond(*SAMPLE, f"workspace={here}")[0] == 0
    command = ["eval", "miou", "samples=two", "--json", f"workspace={here}"]
    before = json.loads(facecond(*command)[1])["tables"]
    without_remembering(here)
    for place in range(90, 100):
        flip(here / "samples" / "two" / "images.npy", place / 100)
    status, out, err = facecond(*command)
    assert status == 2 or json.loads(out)["tables"] == before, err
    assert "images.npy" in err


@pytest.mark.parametrize("name", ["../../x", "/tmp/facecond-elsewhere", "' '", "-rf", "'a\nb'"])
def test_names_stay_in_the_workspace(name: str, here: Path, facecond: Facecond) -> None:
    refused(facecond("data", "draw", "data.count=4", "data.validation=1", f"name={name}", f"workspace={here}"))


def test_a_damaged_checkpoint_is_not_the_end(here: Path, facecond: Facecond) -> None:
    words = ["train", "model=attr", "name=new", f"workspace={here}", *MODEL, *TINY]
    assert facecond(*words)[0] == 0
    newest = max((here / "runs" / "new" / "checkpoints").iterdir())
    flip(newest / "network.safetensors")
    status, _, err = facecond(*words, "trainer.images=24")
    assert status == 0, err


def test_a_training_goes_on_with_its_own_pack(here: Path, facecond: Facecond) -> None:
    words = ["train", "model=attr", "name=new", f"workspace={here}", *MODEL, *TINY]
    assert facecond(*words)[0] == 0
    call("data draw", f"workspace={here}", "data.count=20", "data.validation=4", "name=newer")
    status, _, err = facecond(*words, "trainer.images=24")
    assert status == 0, err


@pytest.mark.slow
def test_two_at_once_do_not_mix(here: Path) -> None:
    words = ["model=attr", "name=new", f"workspace={here}", *MODEL, *TINY, "trainer.images=160", "trainer.log_every=8"]
    command = [sys.executable, "-m", "facecond", "train", *words]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=200)[1] for process in both]
    assert not any("Traceback" in each for each in said)
    lines = [json.loads(line) for line in (here / "runs" / "new" / "metrics.jsonl").read_text().splitlines()]
    seen = [line["images_seen"] for line in lines if line.get("kind", "training") == "training" and "loss" in line]
    assert len(seen) == len(set(seen)), "figures of one run were written twice"
    assert sorted(process.returncode for process in both) in ([0, 0], [0, 2])


WRONG = {
    "runs/multicond/run.json": ["[]", "{}", '{"config": 1}', "null"],
    "runs/multicond/done.json": ["[]", '{"images_seen": "x"}'],
    "packs/drawn-64/manifest.json": ["[]", '{"splits": 3}', '{"format": "facecond-pack"}'],
}


@pytest.mark.parametrize(("file", "content"), [(file, each) for file, contents in WRONG.items() for each in contents])
def test_valid_json_of_wrong_content_is_one_line(file: str, content: str, here: Path, facecond: Facecond) -> None:
    (here / file).write_text(content)
    command = ["data", "inspect", "drawn-64"] if file.startswith("packs") else SAMPLE
    refused(facecond(*command, f"workspace={here}"))


@pytest.mark.parametrize("content", ['{"index": -1}', '{"index": "x"}', '{"index": 1e15}', "[]"])
def test_a_record_of_wrong_content_is_one_line(content: str, here: Path, facecond: Facecond) -> None:
    assert facecond(*SAMPLE, f"workspace={here}")[0] == 0
    records = here / "samples" / "two" / "records.jsonl"
    records.write_text(content + "\n" + records.read_text())
    status, _, err = facecond("eval", "miou", "samples=two", f"workspace={here}")
    assert status == 2, err


@pytest.mark.timeout(60)
def test_a_pipe_is_no_picture(here: Path, tmp_path: Path, facecond: Facecond) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    refused(facecond(*SAMPLE, f"mask={tmp_path / 'pipe.png'}", f"workspace={here}"), "pipe.png")


def test_a_record_names_nothing_outside_its_folder(here: Path, facecond: Facecond) -> None:
    assert facecond(*SAMPLE, f"workspace={here}")[0] == 0
    records = here / "samples" / "two" / "records.jsonl"
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    outside = here.parent / "outside.png"
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(outside)
    for line in lines:
        for told in line["told"].values() if isinstance(line.get("told"), dict) else []:
            if isinstance(told, dict):
                told.update({key: "../../../outside.png" for key, value in told.items() if str(value).endswith(".png")})
        line.pop("checksum", None)
    records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    status, _, err = facecond("eval", "miou", "samples=two", f"workspace={here}")
    assert status == 2, err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("words", [
    ["data", "draw", "data.count=10000000000"],
    ["train", "model=vq", "model.network.ch_mult=[0]"],
    ["train", "model=attr", "model.denoiser.channel_mult=[0]"],
    ["train", "model=attr", "model.denoiser.model_channels=32000000"],
    ["sample", "run=multicond", "samples=1000000000000"],
], ids=lambda words: words[-1])  # fmt: skip
def test_what_cannot_be_is_refused(words: list[str], here: Path, facecond: Facecond) -> None:
    refused(facecond(*words, "name=new", f"workspace={here}"))


@pytest.mark.parametrize("kind", ["nan", "negative"])
def test_a_map_of_no_classes_is_refused(kind: str, here: Path, tmp_path: Path, facecond: Facecond) -> None:
    values = draw(1, [0], 64).labels[0].astype(np.float32 if kind == "nan" else np.int32)
    values[40, 20:40] = np.nan if kind == "nan" else -1
    Image.fromarray(values).save(tmp_path / "map.tiff")
    refused(facecond(*SAMPLE, f"mask={tmp_path / 'map.tiff'}", f"workspace={here}"), "map.tiff")


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 20 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_with_the_file(here: Path, facecond: Facecond, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("small_files")
    words = ["data", "draw", "data.count=40", "data.validation=8", "name=new", f"workspace={here}"]
    line = refused(facecond(*words))
    assert str(here) in line


as_a_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")


@as_a_user
def test_weights_that_may_not_be_read_are_named(here: Path, facecond: Facecond) -> None:
    file = here / "runs" / "multicond" / "weights.safetensors"
    file.chmod(0)
    refused(facecond(*SAMPLE, f"workspace={here}"), str(file))


@as_a_user
def test_a_workspace_that_may_not_be_written_is_named(here: Path, facecond: Facecond) -> None:
    folders = [here, *(path for path in here.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        refused(facecond("eval", "miou", "run=multicond", "count=2", "sampler.steps=1", f"workspace={here}"), str(here))
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_no_other_program_reads_a_picture(
    here: Path, tmp_path: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'reached'}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    (tmp_path / "map.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n")
    refused(facecond(*SAMPLE, f"mask={tmp_path / 'map.png'}", f"workspace={here}"), "map.png")
    assert not (tmp_path / "reached").exists()
