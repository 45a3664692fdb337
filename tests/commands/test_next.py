"""What a command suggests to type next names what the person had named, and does as it says."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from facecond.commands.prepared import Prepared
from facecond.config.compose import compose
from tests.commands.conftest import MODEL, TINY, Facecond


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    """A copy of the workspace in a folder with a blank in its name."""
    return Path(shutil.copytree(workspace, tmp_path / "my outputs"))


COMMANDS = {
    "data draw data.count=4 data.validation=2 'name=two words'": ["pack='two words'", "pack='two words'"],
    "train model=vq name=stage pack=drawn-64 model.network.ch=8": ["pack=drawn-64 first_stage=stage"],
    "encode pack=drawn-64 first_stage=vq": ["pack=drawn-64 first_stage=vq"],
    "train model=attr name=mine": ["run=mine", "run=mine"],
    "train model=parser name=reader model.network.width=8": ["parser=reader"],
    "train model=classifier name=judge model.network.width=8": ["classifier=judge"],
    "sample run=multicond pack=drawn-64 count=1": ["run=multicond pack=drawn-64"],
    "sample count=1": [""],
    "sample run=multicond count=1 attr=+Smiling": [""],
}


@pytest.mark.parametrize("line", COMMANDS)
def test_next_carries_what_was_named(line: str, home: Path, facecond: Facecond) -> None:
    words = [*shlex.split(line), f"workspace='{home}'", "--json"]
    if words[0] == "train":
        words[1:1] = [*TINY, *(MODEL if "model=attr" in words else [])]
    status, out, err = facecond(*words)
    assert status == 0, err
    suggested = json.loads(out)["next"]
    expected = COMMANDS[line]
    assert len(suggested) == len(expected)
    for command, named in zip(suggested, expected, strict=True):
        typed = shlex.split(command)
        assert typed[-1] == f"workspace='{home}'"
        given = [
            word for word in typed if word.partition("=")[0] in ("run", "pack", "first_stage", "parser", "classifier")
        ]
        assert " ".join(given) == named
        if "mine" not in command or "miou" not in command:  # a model of attributes is not measured by masks
            status, _, err = facecond(*typed[1:], *(TINY if typed[1] == "train" else []), "--dry-run")
            assert status == 0, err


def test_in_the_usual_workspace_next_says_nothing_about_it() -> None:
    prepared = Prepared(composed=compose("sample", ["run=a"]), name="a", found=None)
    assert prepared.suggest("eval miou", run="a", pack=None) == "facecond eval miou run=a"
