"""What a trained model is good for: the commands that use it."""

import shlex
from collections.abc import Collection
from pathlib import Path

from facecond.measuring.table import obeyed

PLAIN = "fid"
"""What is measured of models that are told nothing that can be measured."""


def uses(kind: str, told: Collection[str] = ()) -> list[tuple[str, str]]:
    """Commands that use a run of a model of `kind` that is `told` these conditions, each with the key that names the run."""
    commands = {
        "vq": [("encode", "first_stage")],
        "diffusion": [("sample", "run"), (measuring(told), "run")],
        "maps": [("sample --attr +Eyeglasses", "maps")],
        "parser": [("eval miou accuracy", "parser")],
        "classifier": [("eval attributes", "classifier")],
    }
    return commands[kind]


def measuring(told: Collection[str]) -> str:
    """The command that measures how well what is `told` is obeyed, or how real samples look that are told nothing."""
    return " ".join(["eval", *(obeyed(told) or [PLAIN])])


def serving(exported: Path | str) -> str:
    """The command that serves an exported folder on this machine, to look at it."""
    return shlex.join(["python", "-m", "http.server", "--directory", str(exported)])
