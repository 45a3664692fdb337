"""COCO's masks against pycocotools where it is installed, and by hand."""

import numpy as np
import pytest

from facecond.faces.names import CLASSES
from facecond.synthesized.coco import Labelled, box, instances, panoptic, panoptic_picture, run_lengths


def decoded(encoded: dict) -> np.ndarray:
    """Undo run lengths as COCO defines them."""
    height, width = encoded["size"]
    flat = np.concatenate([np.full(count, place % 2) for place, count in enumerate(encoded["counts"])])
    return flat.reshape(width, height).T.astype(bool)


def test_run_lengths_by_hand() -> None:
    assert run_lengths(np.array([[0, 1], [1, 1]], dtype=bool)) == {"size": [2, 2], "counts": [1, 3]}
    assert run_lengths(np.array([[1, 0, 0]], dtype=bool)) == {"size": [1, 3], "counts": [0, 1, 2]}
    assert run_lengths(np.zeros((2, 2), dtype=bool)) == {"size": [2, 2], "counts": [4]}
    assert run_lengths(np.ones((2, 2), dtype=bool)) == {"size": [2, 2], "counts": [0, 4]}
    assert box(np.array([[0, 0, 0], [0, 1, 1]], dtype=bool)) == [1, 1, 2, 1]


@pytest.mark.parametrize("seed", range(20))
def test_masks_come_back(seed: int) -> None:
    dice = np.random.default_rng(seed)
    mask = dice.random((int(dice.integers(1, 20)), int(dice.integers(1, 20)))) < dice.random()
    encoded = run_lengths(mask)
    np.testing.assert_array_equal(decoded(encoded), mask)
    assert sum(encoded["counts"]) == mask.size


@pytest.mark.parametrize("seed", range(5))
def test_pycocotools_agrees(seed: int) -> None:
    tools = pytest.importorskip("pycocotools.mask", reason="no pycocotools: make setup")
    mask = np.random.default_rng(seed).random((13, 9)) < 0.4
    theirs, ours = tools.encode(np.asfortranarray(mask.astype(np.uint8))), tools.frPyObjects(run_lengths(mask), 13, 9)
    assert ours == theirs
    assert box(mask) == tools.toBbox(theirs).tolist()


def test_what_is_not_said_is_void_and_no_instance() -> None:
    labels = np.array([[0, 2], [255, 2]], dtype=np.uint8)
    face = Labelled(3, "data/train/images/000002.png", labels)
    (note,) = instances([face], {})["annotations"]
    assert (note["category_id"], note["area"], note["bbox"], note["image_id"]) == (2, 2, [1, 0, 1, 2], 3)
    content = panoptic([face], {})
    (whole,) = content["annotations"]
    assert [(each["id"], each["area"]) for each in whole["segments_info"]] == [(19, 1), (2, 2)]
    assert whole["file_name"] == "000002.png"
    assert panoptic_picture(labels)[..., 0].tolist() == [[19, 2], [0, 2]]
    assert {each["name"] for each in content["categories"]} == {*CLASSES}
