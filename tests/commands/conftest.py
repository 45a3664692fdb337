"""A workspace with one of everything, as small as it gets, made by the commands themselves and copied for each test file."""

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from facecond.cli.execute import MODULES
from facecond.cli.main import main
from facecond.commands.result import Result
from facecond.export.networks import Piece
from facecond.sampling import generation

Facecond = Callable[..., tuple[int, str, str]]

TINY = ["size=tiny", "trainer.batch_size=8", "trainer.images=16", "trainer.warmup_images=8", "trainer.log_every=8",
        "trainer.evaluate_every=16", "trainer.evaluate_items=8", "trainer.checkpoint_every=8", "trainer.sample_grid=2",
        "trainer.tensorboard=false", "trainer.optimizer=adamw"]  # fmt: skip
MODEL = ["model.denoiser.model_channels=8", "model.denoiser.norm_groups=8", "model.denoiser.head_channels=16", "model.mask.width=8",
         "model.token_width=32", "sampler.steps=2"]  # fmt: skip


def call(command: str, *words: str) -> Result:
    """Run a command in this process; return its result."""
    module = importlib.import_module(MODULES[command])
    return module.run(module.prepare(list(words)))


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that one of pytest-xdist's processes makes for all of them; nobody writes there afterwards."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    made = root / f"{name}.made"
    with FileLock(root / f"{name}.lock"):
        if not made.exists():
            make(root / name)
            made.touch()
    return root / name


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack, first stage, latents, judges, and a multi-conditional and an attribute-conditional model."""
    return once(tmp_path_factory, "made-once", make_workspace)


def make_workspace(folder: Path) -> Path:
    """Make a workspace with a pack, latents, and a small run of every kind."""
    here = f"workspace={folder}"
    call("data draw", here, "data.count=40", "data.validation=16")
    call("train", here, "model=vq", "name=vq", "model.network.ch=8", *TINY)
    call("encode", here)
    for judge in ("parser", "classifier"):
        call("train", here, f"model={judge}", f"name={judge}", "model.network.width=8", *TINY)
    call("train", here, "model=attr", "name=attr", *MODEL, *TINY)
    call("train", here, "model=multicond", "name=multicond", "trainer.snapshot_every=8", *MODEL, *TINY)
    return folder


def make_more(folder: Path) -> Path:
    """Add samples, results, features and a parsed photograph to a workspace: one of everything there is."""
    here = f"workspace={folder}"
    call(
        "eval", "measures=[miou,attributes,kid]", here, "run=multicond", "count=4", "sampler.steps=1", "download=false"
    )
    photo = next((folder / "samples").glob("*/images/000000.png"))
    shutil.copy(photo, folder / "photo.png")
    call("parse", f"photos=[{folder / 'photo.png'}]", here, "align=never", "name=parsed")
    (folder / "photo.png").unlink()
    call("edit", here, "run=multicond", "items=[0]", "region=[nose]", "sampler.steps=1", "name=edited")
    easy = ["least_miou=0", "least_attributes=0", "sampler.steps=1", "forms=[imagefolder,coco,croissant]"]
    call("synthesize", here, "run=multicond", "count=3", *easy, "name=synthesized")
    make_export(here, "run=multicond", "people=2", "sampler.steps=2", "name=exported")
    return folder


def make_export(*words: str) -> Path:
    """Export a run as `facecond export web` does, but for the two things that take long or a network: a network's file holds its
    name, and those of onnxruntime-web theirs."""
    from facecond.export import command, onnx_files, runtime, web

    def write(piece: Piece, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(piece.name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "write_onnx", write)
        patch.setattr(runtime, "read_runtime", lambda named: {name: name.encode() for name in runtime.FILES})
        patch.setattr(onnx_files, "NEEDED", ())
        made: Path = command.run(command.prepare([*words])).made["folder"]
    return made


@pytest.fixture(scope="session")
def whole_once(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one of everything."""
    return once(tmp_path_factory, "whole-once", lambda folder: make_more(shutil.copytree(made_once, folder)))


@pytest.fixture(scope="module")
def workspace(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for one test file, so that files can run beside one another and in any order."""
    return shutil.copytree(made_once, tmp_path_factory.mktemp("copy") / "workspace")


@pytest.fixture
def facecond(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Facecond:
    """Run the program inside this process; return exit status, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["facecond", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of images in every batch that was sampled."""
    batches: list[int] = []
    render = generation._render

    def counting(batch: Any, *values: Any) -> Any:
        batches.append(len(batch))
        return render(batch, *values)

    monkeypatch.setattr(generation, "_render", counting)
    return batches


def all_but_locks(folder: Path) -> list[Path]:
    """Everything below a folder; the files of locks, which stay where a command has been, are nobody's result."""
    return sorted(path for path in folder.rglob("*") if path.suffix != ".lock")
