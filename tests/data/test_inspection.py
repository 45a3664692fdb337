import math

import numpy as np
import pytest

from facecond.data.inspection import inspect_pack, sample_indices
from facecond.data.pack import Finding, PackWriter
from tests.data.makers import random_items, random_pack


@pytest.fixture
def pack(tmp_path):
    images, labels, attributes = random_items(8, 4)
    labels[labels == 14] = 0
    labels[7] = 255
    attributes[:, 0] = [1, 1, 1, -1, 1, -1, -1, 0]  # majority of the first five: present; right for 1 of 2
    attributes[:, 1:] = 0
    writer = PackWriter(tmp_path / "p", count=8, resolution=4, source={"kind": "random"})
    findings = [Finding("f7", "unreadable_labels", "x"), Finding("f1", "enlarged", ""), Finding("f2", "enlarged", "")]
    writer.write(slice(0, 8), images, labels, attributes, findings=findings, excluded=[7])
    return writer.finish([f"f{i}" for i in range(8)], ["train"] * 5 + ["validation"] * 3)


def test_counts_and_frequencies(pack):
    summary = inspect_pack(pack)
    assert (summary.items, summary.excluded, summary.resolution) == (8, 1, 4)
    train, validation = summary.splits
    assert (train.name, train.items, validation.name, validation.items) == ("train", 5, "validation", 2)
    skin = train.classes[1]
    assert skin.name == "skin"
    assert skin.pixels == pytest.approx((np.asarray(pack.labels[:5]) == 1).mean())
    assert skin.presence == pytest.approx((np.asarray(pack.labels[:5]) == 1).any((1, 2)).mean())
    assert sum(entry.pixels for entry in train.classes) == pytest.approx(1)
    shadow = train.attributes[0]
    assert (shadow.present, shadow.absent, shadow.unknown) == (4, 1, 0)
    assert (shadow.frequency, shadow.majority) == (0.8, 0.8)
    assert math.isnan(train.attributes[1].frequency)


def test_the_floor_applies_the_training_majority_to_validation(pack):
    assert inspect_pack(pack).majority_floor == pytest.approx(0.0)  # both usable validation items lack it


def test_problems_are_grouped_by_frequency(pack):
    problems = inspect_pack(pack).problems
    assert list(problems) == ["enlarged", "unreadable_labels"]
    assert [finding.id for finding in problems["enlarged"]] == ["f1", "f2"]


def test_sheet_shows_different_usable_items(pack):
    chosen = sample_indices(pack, 20, seed=3)
    assert sorted(chosen.tolist()) == list(range(7))
    np.testing.assert_array_equal(sample_indices(pack, 4, seed=3), chosen[:4])


def test_no_attributes_no_floor(tmp_path):
    pack = random_pack(tmp_path / "q", validation=0)
    assert math.isnan(inspect_pack(pack).majority_floor)
