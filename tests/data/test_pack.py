import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facecond.data.arrays import SIDE_FILE
from facecond.data.pack import EXCLUDED, Finding, Pack, PackWriter, runs, split_names
from facecond.errors import DataError
from tests.data.makers import random_items, random_pack

FILES = ("images.npy", "labels.npy", "attributes.npy", "manifest.json")


def write_in_pieces(path, pieces, count, restart_after):
    """Write `pieces` of a pack, coming back anew after every `restart_after` of them; return its files' bytes."""
    items = random_items(count, 4)
    writer = PackWriter(path, count=count, resolution=4, source={"kind": "random"})
    for number, piece in enumerate(pieces):
        if number and number % restart_after == 0:
            writer = PackWriter(path, count=count, resolution=4, source={"kind": "random"})
        findings = [Finding(f"face{piece.start}", "small", "")] if piece.start % 2 else []
        writer.write(piece, *(values[piece] for values in items), findings=findings)
    writer.finish([f"face{index}" for index in range(count)], ["train"] * count)
    return {name: (path / name).read_bytes() for name in FILES}


def test_what_is_written_is_what_is_read(tmp_path):
    pack = random_pack(tmp_path / "pack")
    images, labels, attributes = random_items(10, 8)
    np.testing.assert_array_equal(pack.images, images)
    np.testing.assert_array_equal(pack.labels, labels)
    np.testing.assert_array_equal(pack.attributes, attributes)
    assert pack.indices("train").tolist() == list(range(7))
    assert pack.indices("validation").tolist() == [7, 8, 9]
    assert pack.index_of("face4") == 4
    assert not (pack.path / SIDE_FILE).exists()
    with pytest.raises(ValueError, match="read-only"):
        pack.images[0] = 0


def test_manifest_counts(tmp_path):
    pack = random_pack(tmp_path / "pack")
    _, labels, attributes = random_items(10, 8)
    train = pack.manifest["classes"]["train"]
    assert train["pixels"] == [(labels[:7] == k).sum() for k in range(19)]
    assert train["items"] == [(labels[:7] == k).any((1, 2)).sum() for k in range(19)]
    assert pack.manifest["attributes"]["validation"]["present"] == (attributes[7:] == 1).sum(0).tolist()
    assert pack.manifest["attributes"]["validation"]["absent"] == (attributes[7:] == -1).sum(0).tolist()


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 9), st.integers(1, 4), st.integers(1, 3), st.randoms(use_true_random=False))
def test_interrupted_writing_gives_the_same_bytes(tmp_path_factory, count, step, restart_after, random):
    pieces = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    straight = write_in_pieces(tmp_path_factory.mktemp("a") / "p", pieces, count, 1000)
    random.shuffle(pieces)
    assert write_in_pieces(tmp_path_factory.mktemp("b") / "p", pieces, count, restart_after) == straight


def test_missing_covers_exactly_what_is_not_written(tmp_path):
    items = random_items(20, 4)
    writer = PackWriter(tmp_path / "p", count=20, resolution=4, source={})
    for piece in (slice(3, 7), slice(10, 11)):
        writer.write(piece, *(values[piece] for values in items))
    again = PackWriter(tmp_path / "p", count=20, resolution=4, source={})
    assert again.done == 5
    assert again.missing(4) == [slice(0, 3), slice(7, 10), slice(11, 15), slice(15, 19), slice(19, 20)]
    with pytest.raises(ValueError, match="15 of 20 rows are not written"):
        again.finish([str(i) for i in range(20)], ["train"] * 20)


@pytest.mark.parametrize("cut", [1, 5, 9])
def test_a_torn_side_file_costs_only_its_last_piece(tmp_path, cut):
    items = random_items(6, 4)
    writer = PackWriter(tmp_path / "p", count=6, resolution=4, source={})
    writer.write(slice(0, 2), *(values[0:2] for values in items))
    writer.write(slice(2, 4), *(values[2:4] for values in items))
    side = tmp_path / "p" / SIDE_FILE
    side.write_bytes(side.read_bytes()[:-cut])
    again = PackWriter(tmp_path / "p", count=6, resolution=4, source={})
    assert again.missing() == [slice(2, 6)]
    again.write(slice(2, 6), *(values[2:6] for values in items))
    assert PackWriter(tmp_path / "p", count=6, resolution=4, source={}).missing() == []


def test_interrupted_before_the_first_line_begins_anew(tmp_path):
    PackWriter(tmp_path / "p", count=6, resolution=4, source={})
    side = tmp_path / "p" / SIDE_FILE
    side.write_bytes(side.read_bytes()[:10])
    assert PackWriter(tmp_path / "p", count=6, resolution=4, source={}).missing() == [slice(0, 6)]
    side.unlink()
    assert PackWriter(tmp_path / "p", count=6, resolution=4, source={}).missing() == [slice(0, 6)]


def test_other_work_is_refused(tmp_path):
    PackWriter(tmp_path / "p", count=6, resolution=4, source={"seed": 0})
    with pytest.raises(DataError, match="begun with source="):
        PackWriter(tmp_path / "p", count=6, resolution=4, source={"seed": 1})
    with pytest.raises(DataError, match="begun with resolution=4, not 8"):
        PackWriter(tmp_path / "p", count=6, resolution=8, source={"seed": 0})
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "holiday.jpg").touch()
    with pytest.raises(DataError, match=r"holiday\.jpg"):
        PackWriter(tmp_path / "q", count=6, resolution=4, source={})
    random_pack(tmp_path / "r")
    with pytest.raises(DataError, match="finished pack"):
        PackWriter(tmp_path / "r", count=10, resolution=8, source={"kind": "random"})


def test_values_that_are_no_labels_or_attributes_are_refused(tmp_path):
    images, labels, attributes = random_items(3, 4)
    writer = PackWriter(tmp_path / "p", count=3, resolution=4, source={})
    with pytest.raises(ValueError, match="no classes"):
        writer.write(slice(0, 3), images, np.full_like(labels, 19), attributes)
    with pytest.raises(ValueError, match="attributes"):
        writer.write(slice(0, 3), images, labels, attributes + 2)
    with pytest.raises(ValueError, match="expected uint8"):
        writer.write(slice(0, 3), images.astype(np.float32), labels, attributes)
    assert writer.done == 0


def test_excluded_items_are_in_no_split(tmp_path):
    writer = PackWriter(tmp_path / "p", count=3, resolution=4, source={})
    writer.write(slice(0, 3), *random_items(3, 4), findings=[Finding("b", "unreadable_picture", "torn")], excluded=[1])
    pack = writer.finish(["a", "b", "c"], ["train", "train", "validation"])
    assert pack.splits == ["train", EXCLUDED, "validation"]
    assert pack.indices("train").tolist() == [0]
    assert pack.findings == [Finding("b", "unreadable_picture", "torn")]
    with pytest.raises(DataError, match="no split 'excluded'"):
        pack.indices(EXCLUDED)


def test_an_empty_split_is_said_clearly(tmp_path):
    pack = random_pack(tmp_path / "p", validation=0)
    assert pack.manifest["notes"] == ["the validation split is empty"]
    with pytest.raises(DataError, match=r"validation split of .* is empty"):
        pack.indices("validation")


def test_foreign_and_damaged_packs_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such pack"):
        Pack.open(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no manifest\.json"):
        Pack.open(tmp_path)
    pack = random_pack(tmp_path / "p")
    Pack.open(pack.path)
    path = pack.path / "labels.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.npy was altered"):
        Pack.open(pack.path)
    path.write_bytes(content[:-100])
    with pytest.raises(DataError, match="cannot be read as an array"):
        Pack.open(pack.path)
    path.unlink()
    with pytest.raises(DataError, match=r"labels\.npy: no such array"):
        Pack.open(pack.path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": "zip"}, 'format is "zip"'),
        ({"version": 9}, "version is 9"),
        ({"splits": {"train": [[0, 4]]}}, "leave out item 4"),
        ({"splits": {"train": [[0, 8]], "validation": [[7, 10]]}}, "damaged at validation 7:10"),
        ({"resolution": 16}, "expected uint8"),
    ],
)
def test_foreign_manifests_are_refused(tmp_path, change, expected):
    pack = random_pack(tmp_path / "p")
    (pack.path / "manifest.json").write_text(json.dumps(pack.manifest | change))
    (pack.path / "finished.json").unlink()
    with pytest.raises(DataError, match=expected):
        Pack.open(pack.path)


@given(st.lists(st.sampled_from(["train", "validation", "excluded"]), min_size=1, max_size=30))
def test_runs_and_split_names_invert(names):
    splits = {name: runs(np.flatnonzero(np.array(names) == name)) for name in set(names)}
    assert split_names(splits, len(names)) == names
