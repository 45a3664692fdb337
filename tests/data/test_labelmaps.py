import numpy as np
import pytest
from PIL import Image

from facecond.config.data import ClassOrder, LabelMapsConfig
from facecond.data.labelmaps import LabelMaps
from facecond.errors import ConfigError, DataError
from tests.data.makers import face_labels, write_pairs


def open_pairs(root, **settings):
    return LabelMaps(LabelMapsConfig(root=str(root), **settings))


def names(face):
    return [problem.name for problem in face.problems]


@pytest.mark.parametrize("order", list(ClassOrder))
def test_both_orders_read_as_the_same_map(tmp_path, order):
    source = open_pairs(write_pairs(tmp_path / "d", 4, order.value), class_order=order)
    items = source.read_many(range(4), 64)
    np.testing.assert_array_equal(items.labels_NHW, [face_labels(64, index) for index in range(4)])
    assert not items.attributes_NA.any()
    assert not any(items.problems)


def test_label_ids_are_never_averaged(tmp_path):
    root = write_pairs(tmp_path / "d", 1)
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 18  # any average of 0 and 18 would be another class
    stripes[:2, :4] = 1
    Image.fromarray(stripes).save(root / "labels" / "p000.png")
    for size in (16, 32, 48, 100):
        assert set(np.unique(open_pairs(root).read(0, size).labels_HW)) <= {0, 1, 18}


def test_pictures_are_averaged_when_they_shrink(tmp_path):
    root = write_pairs(tmp_path / "d", 1)
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    (root / "images" / "p000.jpg").unlink()
    Image.fromarray(stripes).save(root / "images" / "p000.png")
    image = open_pairs(root).read(0, 16).image_HWC
    assert np.abs(image.astype(int) - 127).max() < 20  # picking pixels would give 0 or 255


def test_what_has_no_partner_is_left_out_and_listed(tmp_path):
    root = write_pairs(tmp_path / "d", 4)
    (root / "images" / "p001.jpg").unlink()
    (root / "labels" / "p002.png").unlink()
    source = open_pairs(root)
    assert source.ids == ["p000", "p003"]
    assert [(f.id, f.problem) for f in source.findings] == [("p002", "missing_labels"), ("p001", "missing_picture")]


def test_folders_that_hold_nothing_are_errors(tmp_path):
    root = write_pairs(tmp_path / "d", 2)
    with pytest.raises(ConfigError, match=r"data\.images is not set"):
        LabelMaps(LabelMapsConfig())
    with pytest.raises(DataError, match="no such folder"):
        open_pairs(tmp_path / "nowhere")
    for path in list((root / "labels").iterdir()):
        path.rename(path.with_name("mask_" + path.name))
    with pytest.raises(DataError, match=r"has the name of a label map .*expected pictures images/NAME"):
        open_pairs(root)
    for path in list((root / "labels").iterdir()):
        path.unlink()
    with pytest.raises(DataError, match="holds no file ending in"):
        open_pairs(root)


def test_two_pictures_of_one_name(tmp_path):
    root = write_pairs(tmp_path / "d", 2)
    Image.new("RGB", (64, 64)).save(root / "images" / "p001.png")
    with pytest.raises(DataError, match=r"both p001\.jpg and p001\.png"):
        open_pairs(root)


def test_bad_items_are_unusable_and_named(tmp_path):
    root = write_pairs(tmp_path / "d", 6)
    labels = np.array(face_labels(64, 0))
    labels[0, 0] = 19
    Image.fromarray(labels).save(root / "labels" / "p000.png")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(root / "labels" / "p001.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (64, 64, 3)).astype(np.uint8)).save(
        root / "labels" / "p002.png"
    )
    Image.fromarray(face_labels(64, 1)[:, :32]).save(root / "labels" / "p003.png")
    Image.fromarray(face_labels(64, 1)[:, ::-1]).save(root / "labels" / "p004.png")
    source = open_pairs(root)
    faces = [source.read(index, 32) for index in range(6)]
    assert [names(face) for face in faces] == [
        ["foreign_labels"], ["empty_labels"], ["unreadable_labels"], ["sizes_disagree"], ["swapped_sides"], [],
    ]  # fmt: skip
    assert [any(p.unusable for p in face.problems) for face in faces] == [True] * 4 + [False] * 2
    assert "19" in faces[0].problems[0].detail


def test_unspecified_pixels_are_kept(tmp_path):
    root = write_pairs(tmp_path / "d", 1)
    labels = np.array(face_labels(64, 1))
    labels[:8] = 255
    Image.fromarray(labels).save(root / "labels" / "p000.png")
    face = open_pairs(root).read(0, 64)
    np.testing.assert_array_equal(face.labels_HW, labels)
    assert not face.problems


def test_a_pair_that_is_not_square_is_cut_to_its_middle(tmp_path):
    root = write_pairs(tmp_path / "d", 1)
    wide = np.zeros((64, 96), np.uint8)
    wide[:, 16:80] = face_labels(64, 1)
    Image.fromarray(wide).save(root / "labels" / "p000.png")
    Image.new("RGB", (192, 128)).save(root / "images" / "p000.jpg")
    face = open_pairs(root).read(0, 64)
    assert names(face) == ["not_square"]
    np.testing.assert_array_equal(face.labels_HW, face_labels(64, 1))


def test_attributes_from_a_csv(tmp_path):
    root = write_pairs(tmp_path / "d", 3)
    table = tmp_path / "a.csv"
    table.write_text("source,file,Smiling,male\nweb,p000.jpg,1,-1\nweb,p002.jpg,0,1\n")
    source = open_pairs(root, attributes=str(table))
    items = source.read_many(range(3), 32)
    assert items.attributes_NA[:, [31, 20]].tolist() == [[1, -1], [0, 0], [0, 1]]
    assert (np.abs(items.attributes_NA).sum(1) == [2, 0, 1]).all()
    assert [[p.name for p in problems] for problems in items.problems] == [[], ["missing_attributes"], []]


def test_held_out_items_stay_held_out_when_others_arrive(tmp_path):
    few = open_pairs(write_pairs(tmp_path / "a", 10), validation_fraction=0.5)
    many = open_pairs(write_pairs(tmp_path / "b", 30), validation_fraction=0.5)
    sides = dict(zip(many.ids, many.splits, strict=True))
    assert [sides[item] for item in few.ids] == few.splits
    assert {"train", "validation"} == set(many.splits)
