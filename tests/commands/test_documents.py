"""The commands and the Python in README, docs and help run as they stand, in a folder that holds what they speak of.

Some things are added so that it takes seconds: trainings get `debug=quick` and a narrow U-Net, sampling a few steps, `eval` and
`compare` few pictures of one condition, `synthesize` accepts every face. `facecond demo`, `facecond reproduce` and the paper-size
training are composed and prepared only (`--dry-run`).
"""

import ast
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from facecond.cli.help import EXAMPLES
from facecond.io.documents import Record, read_json, write_json
from tests.commands.conftest import Facecond, call

ROOT = Path(__file__).parent.parent.parent


def commands_in(path: Path) -> list[str]:
    """Lines that start with facecond inside the fenced blocks marked `sh`."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("facecond ")]


def programs_in(path: Path) -> list[str]:
    """Fenced blocks marked `python`."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def make_latest(home: Path) -> None:
    """Let the workspace's own pack and runs be the latest again, whatever commands before made."""
    for number, name in enumerate(
        ("runs/vq", "runs/parser", "runs/classifier", "runs/attr", "runs/multicond", "packs/drawn-64")
    ):
        note = home / "outputs" / name / ("finished.json" if name.startswith("packs") else "done.json")
        write_json(note, read_json(note, Record) | {"finished": f"{datetime.now(UTC) + timedelta(seconds=number)}"})


DOCUMENTED = {
    line: None for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] for line in commands_in(path)
} | {line: None for lines in EXAMPLES.values() for line in lines}


PROGRAMS = [
    (path, number)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for number in range(len(programs_in(path)))
]


FEW = ["trainer.images=8", "trainer.batch_size=8", "trainer.evaluate_items=8"]
"""What every training of a document is cut down to."""

NARROW = ["model.denoiser.model_channels=8", "model.denoiser.norm_groups=8", "model.denoiser.head_channels=8"]
"""And every U-Net."""


@pytest.fixture(scope="module")
def home(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the one a person is in after `facecond demo`, with data sets lying beside it."""
    from PIL import Image
    from skimage.data import astronaut

    from facecond.data.pack import Pack

    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(workspace, folder / "outputs")
    shutil.copytree(workspace / "runs" / "multicond", folder / "outputs" / "runs" / "demo-multicond")
    released = call(
        "data draw", f"workspace={folder}", "data.count=12", "data.validation=2", "layout=release", "name=official"
    )
    shutil.copytree(released.made["release"], folder / "CelebAMask-HQ")
    pack = Pack.open(folder / "outputs" / "packs" / "drawn-64")
    photo = Image.fromarray(astronaut()[:256, 80:400])
    photo.save(folder / "photo.jpg")
    (folder / "photos").mkdir()
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "photos" / "mirrored.png")
    for name in ("images", "labels"):
        (folder / "pairs" / name).mkdir(parents=True)
    for i in range(24):
        Image.fromarray(pack.images[i]).save(folder / "pairs" / "images" / f"{i}.png")
        Image.fromarray(pack.labels[i]).save(folder / "pairs" / "labels" / f"{i}.png")
    Image.fromarray(pack.labels[0]).save(folder / "map.png")
    (folder / "docs" / "pictures").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "pictures" / "map.png", folder / "docs" / "pictures")
    Image.fromarray(np.where(pack.arrays["sketches"][0] == 1, 0, 255).astype(np.uint8)).save(folder / "drawing.png")
    return folder


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=line.removeprefix("facecond "), marks=[pytest.mark.bundled] if "=drawn64" in line else [])
        for line in DOCUMENTED
    ],
)
def test_documented_command_runs(line: str, home: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    make_latest(home)
    words = shlex.split(line)[1:]
    if words[0] in ("compare", "report"):  # the run that a line before trains
        words = [{"by-attributes": "attr"}.get(word, word) for word in words]
    paper = any(word.startswith(("size=paper", "experiment=")) for word in words)
    if words[0] in ("demo", "export", "reproduce", "studio") or (words[0] == "train" and paper):
        words += ["--dry-run"] if "--dry-run" not in words else []
    elif words[0] == "train" and "--dry-run" not in words:
        words += [*([] if "debug=quick" in words else ["debug=quick"]), *FEW]
        if not {"model=vq", "model=parser", "model=classifier"} & {*words}:
            words += ["sampler.steps=2", *([] if "denoiser=transformer" in words else NARROW)]
    elif words[0] in ("sample", "eval", "swap-masks", "edit", "synthesize") and "--steps" not in words:
        words += ["--steps", "2"]
    if words[0] == "synthesize":  # judges and model have learnt next to nothing
        words = [word for word in words if not word.startswith("least_miou=")]
        words += ["least_miou=0", "least_attributes=0", "named=false"]
    if words[0] == "eval":
        words += ["download=false"]
    if words[0] in ("eval", "compare"):
        words += ["conditions=2", "variations=3"]
    status, _, err = facecond(*words)
    assert status == 0, err


@pytest.mark.bundled
def test_the_first_lines_of_the_readme_need_nothing_but_the_program(
    tmp_path: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder without data and runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    block = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block is not None
    lines = block[1].splitlines()
    assert {line.split()[1] for line in lines} == {"sample", "swap-masks", "eval"}
    few = {"sample": ["count=2"], "eval": ["count=4"], "swap-masks": ["count=1"]}
    for line in lines:
        fewer = few[line.split()[1]] if "--count" not in line else []
        status, _, said = facecond(*shlex.split(line)[1:], "--steps", "2", *fewer)
        assert status == 0, said
        assert "drawn64-multicond (came with the program" in said


@pytest.mark.parametrize(("path", "number"), PROGRAMS, ids=lambda each: getattr(each, "name", str(each)))
def test_documented_program_runs(path: Path, number: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes nothing, and what stands behind `#` after an expression begins with its value."""
    monkeypatch.chdir(home)
    before = sorted(home.rglob("*"))
    program = programs_in(path)[number]
    known: dict[str, object] = {}
    for statement in ast.parse(program).body:
        code, _, said = program.splitlines()[statement.lineno - 1].partition("  # ")
        if isinstance(statement, ast.Expr):
            assert said.startswith(str(eval(code, known)))
        else:
            exec(code, known)
    assert sorted(home.rglob("*")) == before
