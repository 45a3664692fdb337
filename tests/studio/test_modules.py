"""The page's modules without a browser, in Node: files of sketches, runs, and the line that makes a picture again."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecond.conditions.table import CONDITIONS
from facecond.faces.names import ATTRIBUTES
from facecond.studio.requests import runs_of

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node: apt-get install nodejs")

PAGE = Path(__file__).parents[2] / "facecond" / "studio" / "page"
MODULES = ("command", "layers", "map", "png")


def page(expression: str, **given: Any) -> Any:
    """What an expression of what the modules export (`m`) and of what is given (`g`) is."""
    imports = "".join(f"import * as {name} from {json.dumps((PAGE / f'{name}.js').as_uri())};\n" for name in MODULES)
    script = f"""{imports}const m = {{ ...{", ...".join(MODULES)} }}, g = {json.dumps(given)};
    process.stdout.write(JSON.stringify(await (async () => ({expression}))()));"""
    done = subprocess.run(
        ["node", "--no-warnings", "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("size", [8, 64])
def test_a_sketch_that_is_saved_is_read_as_it_was_painted(size: int, tmp_path: Path) -> None:
    """By the program, pixel for pixel."""
    values = np.random.default_rng(size).choice(np.array([0, 1, 255], dtype=np.uint8), size=(size, size))
    written = page("[...await m.sketchPng(m.drawn.sketch(g.runs, g.size), g.size)]", runs=runs_of(values), size=size)
    (tmp_path / "sketch.png").write_bytes(bytes(written))
    np.testing.assert_array_equal(CONDITIONS["sketch"].read(str(tmp_path / "sketch.png"), size), values)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([2, 64], "this is no sketch"),
        ([18, 64], "this is no sketch"),
        ([0, 63], "not 8 pixels"),
        ("x", "this is no sketch"),
    ],
)
def test_runs_that_are_no_sketch_are_refused(runs: Any, words: str) -> None:
    said = page(
        "(() => { try { m.drawn.sketch(g.runs, 8); return ''; } catch (e) { return e.message; } })()", runs=runs
    )
    assert words in said


def test_a_drawing_that_is_not_there_says_nothing() -> None:
    assert page("[m.drawn.map(null, 8), m.drawn.sketch(undefined, 8)].map((each) => [...each])") == [[255] * 64] * 2


@pytest.mark.parametrize(("drawn", "files"), [((), []), (("sketch",), ["--sketch", "sketch.png"]), (
    ("map", "sketch"), ["--mask", "map.png", "--sketch", "sketch.png"])])  # fmt: skip
def test_the_command_names_the_files_that_were_told(drawn: tuple[str, ...], files: list[str]) -> None:
    asked = {
        "map": None, "sketch": None, **{name: [0, 64] for name in drawn}, "signs": [1, -1, *[0] * 38], "sampler": "ddim",
        "steps": 4, "eta": 0.5, "seed": 7, "count": 2, "guidance": {"sketch": 1.5}, "draw": False,
    }  # fmt: skip
    line = page(
        "m.commandOf(g.record, g.attributes)",
        record={"run": "lines", "asked": asked},
        attributes=[{"name": name} for name in ATTRIBUTES],
    )
    assert shlex.split(line) == [
        "facecond", "sample", "run=lines", *files, f"--attr=+{ATTRIBUTES[0]},-{ATTRIBUTES[1]}", "sampler=ddim",
        "sampler.steps=4", "sampler.eta=0.5", "seed=7", "count=2", "guidance.sketch=1.5", "maps=none",
    ]  # fmt: skip
