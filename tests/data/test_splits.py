from pathlib import Path

import numpy as np
import pytest

from facecond.data import splits
from facecond.data.attribute_files import read_annotation
from facecond.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "real" / "anno"


def test_ldm_split_has_the_published_size_and_members():
    validation = splits.ldm_validation()
    assert len(validation) == 5000
    assert min(validation) >= 0
    assert max(validation) < 30_000
    # The first lines of LDM's celebahqvalidation.txt and three of its celebahqtrain.txt.
    assert {5953, 17723, 4424} <= validation
    assert sorted(validation)[:5] == [7, 8, 12, 16, 29]
    assert not {0, 1, 2} & validation
    assert [splits.ldm_split(index) for index in (0, 7, 30_000)] == ["train", "validation", "train"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the annotation files are not here")
def test_against_the_annotation_files():
    listed = {int(line[5:10]) for line in (SHARED / "celebahqvalidation.txt").read_text().split()}
    assert splits.ldm_validation() == listed
    mapping = splits.read_mapping(SHARED / "CelebA-HQ-to-CelebA-mapping.txt")
    sides = [splits.celeba_split(number) for number in mapping.values()]
    assert [sides.count(name) for name in ("train", "validation", "test")] == [24_183, 2_993, 2_824]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the annotation files are not here")
def test_the_majority_predictor_scores_what_was_measured_elsewhere():
    table = read_annotation(SHARED / "CelebAMask-HQ-attribute-anno.txt")
    sides = np.array([splits.ldm_split(index) == "validation" for index in range(30_000)])
    present = np.stack([table[str(index)] for index in range(30_000)]) == 1
    majority = present[~sides].mean(0) > 0.5
    assert (present[sides] == majority).mean() == pytest.approx(0.7884, abs=5e-5)


def test_hash_split_takes_the_fraction_and_depends_on_the_seed():
    ids = [f"face{index}" for index in range(5000)]
    sides = [splits.hash_split(item, 0.1, 0) for item in ids]
    assert abs(sides.count("validation") - 500) < 4 * (5000 * 0.1 * 0.9) ** 0.5
    assert sides != [splits.hash_split(item, 0.1, 1) for item in ids]
    assert {splits.hash_split(item, 0.0, 0) for item in ids} == {"train"}
    assert {splits.hash_split(item, 1.0, 0) for item in ids} == {"validation"}


def test_mapping_errors(tmp_path):
    path = tmp_path / "mapping.txt"
    with pytest.raises(DataError, match="no such file"):
        splits.read_mapping(path)
    path.write_text("0 119613 119614.jpg\n1 zwei 3.jpg\n")
    with pytest.raises(DataError, match="line 2"):
        splits.read_mapping(path)
