"""Completion through the protocols of bash and zsh, in this process: what a workspace holds, and attributes."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facecond.cli.main import app
from facecond.conditions.table import CONDITIONS

Complete = Callable[[str], list[str]]

RUNS = {
    "faces": "diffusion", "faces-old": "diffusion", "half": "diffusion", "shapes": "maps", "stage": "vq", "reader": "parser",
    "judge": "classifier",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a workspace of manifests alone, as far as completion reads them."""
    for name, kind in RUNS.items():
        content = {
            "format": "facecond-run", "version": 1, "kind": kind, "choices": {}, "config": {}, "weights_config": {},
            "sha256 of the pack": "0" * 64, "sha256 of the first stage": None, "pack_path": "packs/few", "resolution": 64,
        }  # fmt: skip
        folder = tmp_path / "outputs" / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(content))
        if name != "half":
            (folder / "weights.safetensors").touch()
            (folder / "done.json").write_text(json.dumps({"images_seen": 8, "weights_sha256": "1" * 64}))
    for place in (
        "packs/few/manifest.json", "packs/drawn-64/manifest.json", "samples/faces-items-0a/generation.json",
        "exports/shown/export.json",
    ):  # fmt: skip
        file = tmp_path / "outputs" / place
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    (tmp_path / "elsewhere" / "packs" / "far").mkdir(parents=True)
    (tmp_path / "elsewhere" / "packs" / "far" / "manifest.json").write_text("{}")
    (tmp_path / "map.png").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    for name in ("COMP_WORDS", "COMP_CWORD", "_TYPER_COMPLETE_ARGS"):
        monkeypatch.delenv(name, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys, "argv", ["facecond"])
    capsys.readouterr()
    with pytest.raises(SystemExit):
        app(prog_name="facecond")
    return capsys.readouterr().out


@pytest.fixture
def bash(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """What bash offers for a line that ends at the cursor; bash takes words apart at '='."""

    def complete(line: str) -> list[str]:
        words = [part for word in line.split(" ") for part in word.replace("=", "\n=\n").split("\n")]
        words = [word for place, word in enumerate(words) if word or (place == len(words) - 1 and line[-1] == " ")]
        environment = {
            "_FACECOND_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1),
        }  # fmt: skip
        return asked(environment, monkeypatch, capsys).split()

    return complete


@pytest.fixture
def zsh(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """What zsh is told to do for a line that ends at the cursor."""

    def complete(line: str) -> str:
        return asked({"_FACECOND_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}, monkeypatch, capsys)

    return complete


HELD = {
    "sample run=": ["faces", "faces-old"],
    "sample run=faces-": ["faces-old"],
    "sample --run f": ["faces", "faces-old"],
    "train --pack ": ["drawn-64", "few"],
    "train pack=d": ["drawn-64"],
    "train workspace=elsewhere pack=": ["far"],
    "data inspect f": ["few"],
    "sample maps=": ["none", "shapes"],
    "encode first_stage=": ["stage"],
    "eval samples=f": ["faces-items-0a", "few"],
    "sample samples=": [],
    "eval parser=": ["reader"],
    "parse classifier=": ["judge"],
    "train init=s": ["shapes", "stage"],
    "compare ": ["faces", "faces-old"],
    "compare faces f": ["faces-old"],
    "compare count=4 faces f": ["faces-old"],
    "compare faces faces-old mi": ["mind", "miou"],
    "compare runs=[faces,": ["[faces,faces-old"],
    "report runs=[h": ["[half"],
    "report ha": ["half"],
    "runs few": ["few"],
    "runs sho": ["shown"],
    "runs kind=ex": ["exports"],
    "runs kind=pa": ["packs", "parsed", "parser"],
    "eval features=eff": ["efficientnet"],
}


@pytest.mark.parametrize("line", HELD)
def test_bash_completes_what_the_workspace_holds(line: str, bash: Complete) -> None:
    found = bash(f"facecond {line}")
    assert sorted(word for word in found if not word.endswith("=")) == HELD[line]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sample --attr +Smi", ["+Smiling"]),
        ("sample --attr -Smi", ["-Smiling"]),
        ("sample --attr Smi", ["Smiling"]),
        ("sample --attr=-Smi", ["-Smiling"]),
        ("sample --attr=+Smi", ["+Smiling"]),
        ("sample --attr +Male,-Smi", ["+Male,-Smiling"]),
        ("sample --attr -Male,+Wearing_H", ["-Male,+Wearing_Hat"]),
        ("sample --attr +Bald,+Ba", ["+Bald,+Bags_Under_Eyes", "+Bald,+Bangs"]),
        ("sample --attr +Smiles", []),
        ("sample attr=+Male,-Smi", ["+Male,-Smiling"]),
        ("sample attr=-Smi", ["-Smiling"]),
        ("sample --ma", ["--mask"]),
        ("sample --zzz", []),
    ],
)
def test_bash_completes_attributes_and_leaves_flags_alone(line: str, expected: list[str], bash: Complete) -> None:
    assert bash(f"facecond {line}") == expected


def test_files_are_left_to_the_shell(bash: Complete, zsh: Callable[[str], str]) -> None:
    for word in [each.word for each in CONDITIONS.values() if not each.completions("")]:
        assert bash(f"facecond sample --{word} ma") == []
        assert zsh(f"facecond sample --{word} ma").strip() == "_files"


def test_zsh_gets_whole_words(zsh: Callable[[str], str]) -> None:
    assert '"run=faces-old"' in zsh("facecond sample run=faces-")
    assert '"+Male,-Smiling"' in zsh("facecond sample --attr +Male,-Smi")
    assert '"-Smiling"' in zsh("facecond sample --attr -Smi")


@pytest.mark.bundled
def test_what_came_with_the_program_is_offered_too(bash: Complete) -> None:
    assert bash("facecond sample run=") == ["faces-old", "faces", "drawn64-multicond"]
    assert bash("facecond eval parser=d") == ["drawn64-parser"]
    assert bash("facecond data inspect pack=dr") == ["drawn-64", "drawn64-people"]


def test_a_workspace_that_is_not_there_offers_nothing(bash: Complete) -> None:
    assert bash(f"facecond sample workspace={os.sep}nowhere run=") == []


def test_attributes_that_are_named_are_not_offered_again() -> None:
    found = next(each for each in CONDITIONS.values() if each.changes_items).completions("+Smiling,-Male,")
    assert len(found) == 38
    assert "+Smiling,-Male,Smiling" not in found
