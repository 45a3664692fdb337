"""A training that was stopped goes on with what it was started on, whatever was made in the workspace since."""

import shutil
from pathlib import Path

import pytest

from facecond.errors import CheckpointError
from facecond.io.documents import Record, read_json, write_json
from tests.commands.conftest import MODEL, TINY, Facecond, call

WORDS = ["model=attr", *MODEL, *TINY]


@pytest.fixture(scope="module")
def since(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which two trainings were stopped before a newer pack, and newer latents of the old pack, were made."""
    folder = tmp_path_factory.mktemp("since") / "outputs"
    shutil.copytree(workspace, folder)
    here = f"workspace={folder}"
    for name in (["name=named"], []):
        assert not call("train", here, *WORDS, *name, "trainer.stop_after_minutes=1e-9").facts["finished"]
    call("train", here, "model=vq", "name=vq-2", "model.network.ch=8", *TINY, "trainer.seed=2")
    call("encode", here, "first_stage=vq-2")
    call("data draw", here, "data.count=24", "data.validation=8", "data.seed=5", "name=newer")
    call("encode", here, "first_stage=vq", "pack=newer")
    return folder


def test_a_named_run_goes_on_with_its_own_pack_and_latents(since: Path) -> None:
    before = read_json(since / "runs" / "named" / "run.json", Record)
    result = call("train", f"workspace={since}", *WORDS, "name=named")
    assert result.facts["finished"]
    assert result.used["pack"].startswith(str(since / "packs" / "drawn-64"))
    assert before["sha256 of the first stage"][:12] in result.used["latents"]
    assert read_json(since / "runs" / "named" / "run.json", Record) == before


def test_a_run_without_a_name_goes_on_with_its_own_latents(since: Path) -> None:
    result = call("train", f"workspace={since}", *WORDS, "pack=drawn-64")
    assert result.facts["finished"]
    assert result.made["run"].name == "attr-tiny-drawn-64"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pack=newer"], "was started on the pack"),
        (["first_stage=vq-2"], "was started on latents of the first stage"),
        (["model=mask"], "model.conditions"),
        (["model=vq"], "is the run of a diffusion model, not vq"),
    ],
)
def test_what_differs_is_refused_in_one_line(since: Path, facecond: Facecond, words: list[str], said: str) -> None:
    tiny = [word for word in TINY if not word.startswith("model=")]
    status, out, err = facecond(
        "train",
        f"workspace={since}",
        "name=named",
        *tiny,
        *words,
        *(["model=attr"] if "model=" not in words[0] else []),
        *(MODEL if words != ["model=vq"] else []),
    )
    assert (status, out) == (2, "")
    (line,) = [text for text in err.splitlines() if text.startswith("facecond:")]
    assert said in line
    assert "name=" in line


def test_a_run_whose_pack_is_gone_says_so(since: Path, tmp_path: Path) -> None:
    shutil.copytree(since / "runs" / "named", tmp_path / "runs" / "named")
    shutil.copytree(since / "packs" / "newer", tmp_path / "packs" / "newer")
    content = read_json(tmp_path / "runs" / "named" / "run.json", Record)
    write_json(tmp_path / "runs" / "named" / "run.json", content | {"pack_path": "gone"})
    with pytest.raises(CheckpointError, match=r"was started on the pack gone, which is not in"):
        call("train", f"workspace={tmp_path}", *WORDS, "name=named")
