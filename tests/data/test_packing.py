import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.config.data import CelebAMaskHQConfig, ClassOrder, LabelMapsConfig
from facecond.data import packing
from facecond.data.celebamask import CelebAMaskHQ
from facecond.data.labelmaps import LabelMaps
from facecond.data.pack import Pack, PackWriter
from facecond.data.packing import pack_source
from facecond.data.source import Items
from facecond.errors import DataError
from tests.data.makers import face_labels, release_attributes, write_pairs, write_release

FILES = ("images.npy", "labels.npy", "attributes.npy", "manifest.json")


def contents(path):
    return {name: (path / name).read_bytes() for name in FILES}


def pairs(root, **settings):
    return LabelMaps(LabelMapsConfig(root=str(root), **settings))


class InterruptedReadingError(Exception):
    pass


class Breaking:
    """A source that breaks off after so many items, as an interruption would."""

    def __init__(self, source, after):
        self.source, self.left = source, after
        self.ids, self.splits, self.findings = source.ids, source.splits, source.findings

    def __len__(self):
        return len(self.source)

    def describe(self):
        return self.source.describe()

    def read_many(self, indices, resolution) -> Items:
        self.left -= len(indices)
        if self.left < 0:
            raise InterruptedReadingError
        return self.source.read_many(indices, resolution)


def test_a_release_becomes_a_pack(tmp_path):
    indices = [0, 3, 7, 8, 2001]
    root = write_release(tmp_path / "r", indices)
    pack = pack_source(CelebAMaskHQ(CelebAMaskHQConfig(root=str(root))), tmp_path / "p", 64, workers=1)
    np.testing.assert_array_equal(pack.labels, [face_labels(64, index) for index in indices])
    np.testing.assert_array_equal(pack.attributes, [release_attributes(index) for index in indices])
    assert [pack.ids[index] for index in pack.indices("validation")] == ["7", "8"]
    assert pack.manifest["source"]["kind"] == "celebamask_hq"
    assert pack.findings == []


def test_workers_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "LEAST_PIECES", 1)
    root = write_pairs(tmp_path / "d", 11)
    (root / "labels" / "p004.png").write_bytes(b"")
    one = pack_source(pairs(root), tmp_path / "one", 32, workers=1, chunk=2)
    two = pack_source(pairs(root), tmp_path / "two", 32, workers=2, chunk=3)
    assert contents(one.path) == contents(two.path)


@pytest.mark.parametrize("after", [0, 1, 4, 7])
def test_an_interrupted_packing_goes_on_to_the_same_bytes(tmp_path, after):
    root = write_pairs(tmp_path / "d", 8)
    straight = pack_source(pairs(root), tmp_path / "a", 32, workers=1, chunk=2)
    with pytest.raises(InterruptedReadingError):
        pack_source(Breaking(pairs(root), after), tmp_path / "b", 32, workers=1, chunk=1)
    with pytest.raises(DataError, match="not a finished pack"):
        Pack.open(tmp_path / "b")
    rest = Breaking(pairs(root), 8 - after)  # breaks off if anything is read twice
    assert contents(pack_source(rest, tmp_path / "b", 32, workers=1, chunk=3).path) == contents(straight.path)


def test_a_killed_packing_goes_on_to_the_same_bytes(tmp_path):
    root = write_pairs(tmp_path / "d", 40)
    straight = pack_source(pairs(root), tmp_path / "a", 128, workers=1)
    script = (
        "import sys, time\n"
        "from facecond.config.data import LabelMapsConfig\n"
        "from facecond.data.labelmaps import LabelMaps\n"
        "from facecond.data.packing import pack_source\n"
        "class Slow(LabelMaps):\n"
        "    def read(self, index, resolution):\n"
        "        time.sleep(0.02)\n"
        "        return super().read(index, resolution)\n"
        "pack_source(Slow(LabelMapsConfig(root=sys.argv[1])), sys.argv[2], 128, workers=1, chunk=1)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root), str(tmp_path / "b")], env=environment, stderr=subprocess.DEVNULL
    )
    side = tmp_path / "b" / "writing.jsonl"
    deadline = time.monotonic() + 60
    while not (side.exists() and side.read_bytes().count(b"\n") > 5) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    source = pairs(root)
    writer = PackWriter(tmp_path / "b", count=40, resolution=128, source=source.describe())
    assert 5 <= writer.done < 40
    again = pack_source(source, tmp_path / "b", 128, workers=1)
    assert contents(again.path) == contents(straight.path)


def test_a_finished_pack_is_recognised(tmp_path):
    root = write_pairs(tmp_path / "d", 4)
    first = pack_source(pairs(root), tmp_path / "p", 32, workers=1)
    again = pack_source(Breaking(pairs(root), 0), tmp_path / "p", 32, workers=1)  # reads nothing
    assert again.manifest == first.manifest
    with pytest.raises(DataError, match="resolution=32, not 16"):
        pack_source(pairs(root), tmp_path / "p", 16, workers=1)
    with pytest.raises(DataError, match=r"validation_fraction=0\.1, not 0\.5"):
        pack_source(pairs(root, validation_fraction=0.5), tmp_path / "p", 32, workers=1)


def test_suspicious_items_reach_the_manifest_and_bad_ones_no_split(tmp_path):
    root = write_pairs(tmp_path / "d", 6)
    (root / "images" / "p001.jpg").write_bytes(b"torn")
    (root / "images" / "p002.jpg").unlink()
    labels = np.array(face_labels(64, 3))
    labels[5, 5] = 77
    Image.fromarray(labels).save(root / "labels" / "p003.png")
    pack = pack_source(pairs(root, validation_fraction=0.0), tmp_path / "p", 32, workers=1)
    assert pack.ids == ["p000", "p001", "p003", "p004", "p005"]
    assert pack.splits == ["train", "excluded", "excluded", "train", "train"]
    problems = Counter(finding.problem for finding in pack.findings)
    assert problems == {
        "missing_picture": 1,
        "unreadable_picture": 1,
        "foreign_labels": 1,
    }
    assert pack.manifest["notes"] == ["the validation split is empty"]
    assert (pack.labels[1] == 255).all()


def test_a_source_of_which_nothing_can_be_used_is_an_error(tmp_path):
    root = write_pairs(tmp_path / "d", 5)
    for path in (root / "labels").iterdir():
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    with pytest.raises(DataError, match=r"none of the first 5 items can be used: the label map holds nothing but"):
        pack_source(pairs(root), tmp_path / "p", 32, workers=1)


def test_mirrored_maps_are_noted(tmp_path):
    root = write_pairs(tmp_path / "d", 5)
    for path in (root / "labels").iterdir():
        Image.fromarray(np.array(Image.open(path))[:, ::-1]).save(path)
    pack = pack_source(pairs(root), tmp_path / "p", 32, workers=1)
    assert pack.manifest["notes"][0].startswith("3 of 5 label maps do not look like faces")  # two wear glasses
    assert "left eye lies to the left" in pack.manifest["notes"][0]


@pytest.mark.parametrize(("written", "declared"), [("face_parsing", "celebamaskhq"), ("celebamaskhq", "face_parsing")])
def test_a_class_order_declared_wrongly_is_noted(tmp_path, written, declared):
    root = write_pairs(tmp_path / "d", 5, written)
    pack = pack_source(pairs(root, class_order=ClassOrder[declared]), tmp_path / "p", 32, workers=1)
    assert "is the class order what it was declared to be" in pack.manifest["notes"][0]


def test_face_parsing_order_is_turned_into_the_packs_order(tmp_path):
    root = write_pairs(tmp_path / "d", 3, "face_parsing")
    pack = pack_source(pairs(root, class_order=ClassOrder.face_parsing), tmp_path / "p", 64, workers=1)
    np.testing.assert_array_equal(pack.labels, [face_labels(64, index) for index in range(3)])
    assert pack.manifest["class_order"][2] == "nose"
