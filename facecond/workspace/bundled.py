"""Weights that come with the program, each set under one name: runs as any others, and a pack of drawn people they never saw.

facecond/bundled/drawn64-vq, -parser, -classifier, -multicond    finished runs, in half precision
facecond/bundled/drawn64-people                                  a pack whose items are all held out
"""

from importlib.resources import files
from pathlib import Path

FOLDER = Path(str(files("facecond"))) / "bundled"
"""Where they lie; `python -m benchmarks.bundle` makes them."""

SETS = ("drawn64",)
"""Names of the sets. A run or a pack of the workspace that has such a name comes first."""

MEMBERS = {"vq": "vq", "parser": "parser", "classifier": "classifier", "diffusion": "multicond"}
"""Kind of model -> what the run of a set is called."""

WHY = "came with the program"


def bundled_runs(kind: str) -> list[Path]:
    """The runs of models of `kind` that came with the program."""
    places = [FOLDER / f"{name}-{MEMBERS[kind]}" for name in SETS]
    return [place for place in places if (place / "weights.safetensors").is_file()]


def bundled_run(name: str, kind: str) -> Path | None:
    """The run of the set called `name` for `kind`, or the run of `kind` called so; None when there is no such."""
    called = (name, f"{name}-{MEMBERS[kind]}")
    return next((place for place in bundled_runs(kind) if place.name in called), None)


def bundled_pack(name: str) -> Path | None:
    """The people of the set called `name`, or of the set that one of its runs is called after; None when there is no such."""
    for each in SETS:
        place = FOLDER / f"{each}-people"
        if (
            name in (each, *(f"{each}-{member}" for member in ("people", *MEMBERS.values())))
            and (place / "manifest.json").is_file()
        ):
            return place
    return None


def is_bundled(place: Path) -> bool:
    """Whether a run or a pack came with the program."""
    return place.resolve().parent == FOLDER.resolve()
