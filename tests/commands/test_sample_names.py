"""Folders of samples say what a person would look for, and are found again by their key, whatever stands before it."""

import re
from pathlib import Path
from typing import Any

import pytest

from facecond.commands import eval as evaluate
from facecond.commands import sample, swap_masks
from facecond.conditions.table import CONDITIONS
from facecond.faces.names import ATTRIBUTES
from facecond.workspace.find import read_run
from facecond.workspace.names import LONGEST, TOLD, check_name, generation_name
from facecond.workspace.origin import compose_sampling, origin_of
from tests.commands.conftest import call

KEY = "0123abcd"


@pytest.fixture(scope="module")
def origin(workspace: Path) -> Any:
    run = read_run(workspace / "runs" / "multicond")
    return origin_of(run, workspace / "packs" / "drawn-64", str(workspace))


def name_of(origin: Any, *words: str, workspace: Path) -> str:
    """Name of the folder of `facecond sample`, without what else is checked and found before."""
    config = compose_sampling("sample", [f"workspace={workspace}", *words], origin.run)[0].config
    return sample._folder_name(origin, config, None)


SAID = {
    ("count=2",): "multicond-items",
    ("items=[3,1]",): "multicond-items-3-1",
    ("items=[0,1,2,3,4]",): "multicond-items",
    ("attr='-Male,+Smiling'",): "multicond-+smiling-male",
    ("attr=-Male",): "multicond--male",
    ("attr=+Eyeglasses", "items=[3]"): "multicond-items-3-+eyeglasses",
    ("attr=+Smiling", "sampler.eta=1", "seed=5"): "multicond-+smiling-eta1-seed5",
    ("sampler=dpmpp", "sampler.steps=3", "guidance.scale=2.5"): "multicond-items-dpmpp-3steps-guidance2.5",
    ("grid=variations", "count=1"): "multicond-variations-items",
    ("grid=attributes", "attribute_sets=[+Smiling,'+Eyeglasses,-Young']"): (
        "multicond-attributes-items-+smiling+eyeglasses-young"
    ),
    ("grid=checkpoints", "count=2"): "multicond-checkpoints-items",
    ("only=[attributes]", "count=1"): "multicond-items-only-attributes",
}


@pytest.mark.parametrize("words", SAID, ids=" ".join)
def test_a_name_says_what_was_told_and_how(words: tuple[str, ...], workspace: Path, origin: Any) -> None:
    name, _, key = name_of(origin, *words, workspace=workspace).rpartition("-")
    assert name == SAID[words]
    assert re.fullmatch("[0-9a-f]{8}", key)


def test_a_map_is_named_by_its_file(tmp_path: Path) -> None:
    for each in CONDITIONS.values():
        if not each.changes_items:
            for place, said in (("maps/Änne's map.png", f"{each.word}-anne-s-map"), ("...", each.word)):
                assert generation_name(tmp_path, "run", each.short(place), KEY) == f"run-{said}-{KEY}"


def test_swaps_name_their_parts_and_pairs(workspace: Path) -> None:
    words = [f"workspace={workspace}", "run=multicond", "parts=[hair,nose]", "pairs=['3:7']", "sampler.eta=0.5"]
    name = swap_masks.prepare(words).name
    assert name.rpartition("-")[0] == "multicond-swap-nose-hair-3x7-eta0.5"
    older = workspace / "swaps" / f"multicond-nose-hair-{name[-8:]}"
    older.mkdir(parents=True)
    (older / "generation.json").touch()
    assert swap_masks.prepare(words).name == older.name


def test_samples_of_eval_are_those_of_sample(workspace: Path, origin: Any) -> None:
    words = [f"workspace={workspace}", "run=multicond", "measures=[miou,lpips]", "download=false", "variations=10"]
    samples, variations = (folder.name for folder in evaluate.prepare(words).found.folders.values())
    assert samples == name_of(origin, workspace=workspace)
    assert variations == name_of(origin, "grid=variations", workspace=workspace)


def test_names_are_short_and_plain(tmp_path: Path) -> None:
    every = next(each for each in CONDITIONS.values() if each.changes_items).short(
        ",".join(f"-{n}" for n in ATTRIBUTES)
    )
    name = generation_name(tmp_path, "r" * LONGEST, ["variations", *every, "eta1"], KEY)
    assert len(name) <= LONGEST + TOLD + 20 < 255 - len(".NAME.owner")
    assert re.fullmatch(r"r+-variations--5_o_clock_shadow-arched_eyebrows\S*-and-\d\d-more-0123abcd", name)
    odd = generation_name(tmp_path, "run", ['a/b\\c:d*?"<>|', "+Ö", "", "...", "CON."], KEY)
    check_name(odd)
    assert odd == "run-a-b-c-d--+o-con-0123abcd"


def test_the_key_decides_which_folder_it_is(tmp_path: Path) -> None:
    for name in (f"older-conditions-{KEY}", f"run-conditions-{KEY}", "run-items-ffffffff", f"run-checkpoints-{KEY}/8"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "generation.json").touch()
    (tmp_path / f"another-{KEY}").mkdir()
    (tmp_path / f"run-file-{KEY}").touch()
    assert generation_name(tmp_path, "run", ["items"], KEY) == f"run-conditions-{KEY}"
    assert generation_name(tmp_path, "renamed", ["items"], KEY) == f"older-conditions-{KEY}"
    assert generation_name(tmp_path, "run", ["items"], KEY, checkpoints=True) == f"run-checkpoints-{KEY}"
    assert generation_name(tmp_path, "run", ["items"], "00000000") == "run-items-00000000"
    assert generation_name(tmp_path / "nowhere", "run", [], KEY) == f"run-{KEY}"


def test_a_folder_of_the_older_naming_is_continued(workspace: Path, rendered: list[int]) -> None:
    words = [f"workspace={workspace}", "run=multicond", "sampler.steps=1", "seed=77"]
    made = call("sample", *words, "count=1").made["images"].parent
    older = made.with_name(f"multicond-conditions-{made.name[-8:]}")
    made.rename(older)
    first = (older / "images" / "000000.png").stat().st_mtime_ns
    assert call("sample", *words, "count=2").made["images"].parent == older
    assert not made.exists()
    assert (older / "images" / "000000.png").stat().st_mtime_ns == first
    assert sum(rendered) == 2  # what was there is not sampled again
