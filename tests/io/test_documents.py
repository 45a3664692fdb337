"""Documents: whatever JSON stands in a file, its reader returns something of its type, or says in one line what is wrong."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from facecond.commands.steps import Step
from facecond.data import latents, pack
from facecond.demo.edits import Edits
from facecond.demo.plan import Plan
from facecond.errors import CheckpointError, DataError
from facecond.io.checkpoint import Header, StateManifest
from facecond.io.documents import Count, Finite, check, parse, read_json, read_record, read_records
from facecond.io.lock import Owner
from facecond.io.results import Figure
from facecond.io.runs import Done, Line, RunFile
from facecond.photos.folder import Parsed, PhotoRecord
from facecond.sampling import folder as generation
from facecond.workspace.find import KeptNote

DIGEST = "0123456789abcdef" * 4
NUMBERS = {"pixels": [1] * 19, "items": [1] * 19, "unspecified_pixels": 0}

EXAMPLES: dict[Any, dict[str, Any]] = {
    RunFile: {
        "kind": "vq", "choices": {"model": "vq"}, "config": {"trainer": {"seed": 0}}, "weights_config": {}, "resolution": 64,
        "sha256 of the pack": DIGEST, "sha256 of the first stage": None, "pack_path": "packs/a", "versions": {"torch": "2"},
    },
    Done: {"images_seen": 48, "weights_sha256": DIGEST, "seconds": 1.5, "finished": "2026-11-26T00:00:00+00:00"},
    Line: {"images_seen": 48, "kind": "training", "loss": 0.5},
    pack.Manifest: {
        "resolution": 64, "source": {"kind": "drawn"}, "ids": ["a", "b"], "splits": {"train": [[0, 2]]},
        "classes": {"train": NUMBERS}, "attributes": {"train": {"present": [1] * 40, "absent": [1] * 40}},
        "suspicious": [{"id": "a", "problem": "eyes", "detail": "one"}], "sha256": {"images.npy": DIGEST}, "notes": ["one"],
    },
    pack.Notes: {"findings": [["a", "eyes", "one"]], "excluded": [3]},
    latents.Manifest: {
        "first_stage": DIGEST, "count": 2, "shape": [3, 16, 16], "flips": True, "mean": [0.5], "std": [1], "sha256": {"a": DIGEST},
    },
    generation.Manifest: {"count": 2, "image_shape": [64, 64, 3], "made_with": {"weights": DIGEST}, "about": {}},
    generation.PictureRecord: {
        "index": 0, "seed": 2**63, "source": "a", "description": {"attributes": "+Smiling"}, "place": {"row": 0},
        "told": {"attributes": {"value": "+" * 40, "sha256": DIGEST}},
    },
    Parsed: {"made_with": {"parser": DIGEST}, "judges": {}},
    PhotoRecord: {
        "name": "a", "source": "/a.jpg", "sha256": DIGEST, "size": [640, 480], "affine": [[1, 0, 0.5], [0, 1, 0.5]],
        "frame": {"x": 1.5, "y": 2, "side": 128.5, "roll": -3}, "framed_by": "eyes", "confidence": 0.5, "shares": {"hair": 0.2},
        "findings": [{"problem": "eyes", "detail": "one"}], "present": ["Smiling"], "classifier": None,
    },
    KeptNote: {"sha256": DIGEST, "made_from": {DIGEST: "a.ckpt"}},
    dict[str, Step]: {"draw": {"title": "draw", "words": ["a=1"], "done": True, "seconds": 2.5, "made": {"pack": "packs/a"}}},
    Plan: {
        "minutes": 15, "seed": 0, "count": 256, "pace": "usual", "faces": 4096, "validation": 256, "images": {"vq": 6400},
        "seconds": {"vq": 60.5}, "machine": "two cores",
    },
    Edits: {"unit": "grey levels", "rows": [{"edit": "glasses", "inside": 3.5, "outside": 0}]},
    Owner: {"host": "a", "pid": 1, "since": "2026-11-26", "command": "facecond train"},
    Figure: {
        "name": "miou", "value": 0.5, "count": 256, "spread": 0.01, "marks": {"reconstructions": 0.6},
        "classes": [{"name": "hair", "value": 0.5, "count": 2}],
    },
    Header: {"config": {"kind": "vq"}, "metadata": {"images_seen": 1}, "sha256": DIGEST},
    StateManifest: {"sha256": {"state.json": DIGEST}},
}  # fmt: skip

NAMES = [getattr(kind, "__name__", str(kind)) + f" {kind.__module__}" for kind in EXAMPLES]

WRONG = [None, True, -1, 0, 10**30, -1.5, 1e400, "", "x", "\ud800", "../x", [], [[]], {}, {"a": []}, "0" * 63]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each value stands in a document, the document itself first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with another value at a place; `...` removes what is there."""
    if not place:
        return None if value is ... else value
    document = copy.deepcopy(document)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return document


@pytest.mark.parametrize("kind", EXAMPLES, ids=NAMES)
def test_what_is_written_is_read(kind: Any) -> None:
    found = check(kind, EXAMPLES[kind], "a.json")
    if isinstance(found, dict):
        assert found == EXAMPLES[kind]
    else:
        assert {key: getattr(found, key) for key in EXAMPLES[kind]}.keys() == EXAMPLES[kind].keys()


@pytest.mark.parametrize("kind", EXAMPLES, ids=NAMES)
def test_whatever_stands_there_is_of_the_type_or_one_line(kind: Any) -> None:
    said = {
        (place, number): fault(kind, json.dumps(changed(EXAMPLES[kind], place, value)))
        for place in places(EXAMPLES[kind])
        for number, value in enumerate([*WRONG, ...])
    }
    for (place, _), message in said.items():
        assert message is None or message.startswith("a.json: "), message
        assert message is None or "\n" not in message
        if place and message and "not valid JSON" not in message:
            assert str(place[0]) in message
    assert sum(message is not None for message in said.values()) > len(WRONG)


def fault(kind: Any, text: str) -> str | None:
    """What is said of a text that is not of the type; None where it is."""
    try:
        check(kind, parse(text, "a.json"), "a.json")
    except DataError as error:
        return error.message
    return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", EXAMPLES, ids=NAMES)
@given(value=JSON)
@settings(max_examples=30, deadline=None)
def test_any_json_is_of_the_type_or_one_line(kind: Any, value: Any) -> None:
    assert (fault(kind, json.dumps(value)) or "a.json: ").startswith("a.json: ")


class Small(TypedDict):
    n: Count
    x: Finite


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"n": 1, "x": NaN}', "not valid JSON: NaN is no value of JSON"),
        ('{"n": 1, "x": -Infinity}', "not valid JSON: -Infinity is no value of JSON"),
        ('{"n": 1, "x": 1e400}', "x is Infinity, expected at most"),
        ('{"n": "1", "x": 0}', 'n is "1", expected a whole number'),
        ('{"n": 1.0, "x": 0}', "n is 1.0, expected a whole number"),
        ('{"n": true, "x": 0}', "n is true, expected a whole number"),
        ('{"n": -1, "x": 0}', "n is -1, expected at least 0"),
        ('{"x": 0}', "n is missing"),
        ("[]", r"the content is \[\], expected an object"),
        ("{", "not valid JSON"),
        ('{"n": 1, "x": 0, "more": "\\ud800"}', "not valid JSON: .*surrogates not allowed"),
        ("[" * 10**6, "not valid JSON for this program: nested too deeply"),
    ],
)
def test_faults_name_key_found_and_expected(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CheckpointError, match=rf"a\.json: {said}") as caught:
        read_json(tmp_path / "a.json", Small, error=CheckpointError, hint="do this")
    assert caught.value.hint == "do this"
    with pytest.raises(DataError, match=said):
        read_record(text.encode(), Small, "line 1") if text[0] == "{" else check(Small, parse(text, "x"), "x")


def test_keys_a_later_program_adds_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"n": 1, "x": 2, "more": {"a": [1]}}')
    assert read_json(tmp_path / "a.json", Small) == {"n": 1, "x": 2, "more": {"a": [1]}}


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({}, "format is null, expected 'small'"),
        ({"format": "large", "version": 1}, "format is \"large\", expected 'small'"),
        ({"format": "small"}, "version is null, this program reads version 1"),
        ({"format": "small", "version": "1"}, 'version is "1", this program reads'),
        ({"format": "small", "version": 2}, "version is 2, this program reads version 1"),
    ],
)
def test_other_formats_and_versions(tmp_path: Path, head: dict[str, Any], said: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**head, "n": 1, "x": 2}))
    with pytest.raises(DataError, match=said) as caught:
        read_json(tmp_path / "a.json", Small, format=("small", 1), hint="make it anew")
    assert caught.value.hint == ("update facecond" if head.get("version") == 2 else "make it anew")


def test_records_name_their_line(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text('{"n": 1, "x": 0}\n{"n": 1}\n')
    with pytest.raises(DataError, match=r"r\.jsonl, line 2: x is missing"):
        read_records(file, Small)
    file.write_text('{"n": 1, "x": 0}\n{"n": 1')
    assert read_records(file, Small) == [{"n": 1, "x": 0}]
