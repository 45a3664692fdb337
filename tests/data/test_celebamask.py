import numpy as np
import pytest
from PIL import Image

from facecond.config.data import CelebAMaskHQConfig, ReleaseSplit
from facecond.data.celebamask import CelebAMaskHQ
from facecond.errors import DataError
from facecond.faces.labels import PARTS
from tests.data.makers import face_labels, release_attributes, write_release

INDICES = [0, 7, 8, 9, 2005]  # 7 and 8 are LDM validation faces; 2005 lies in the second folder


def open_release(root, **settings):
    return CelebAMaskHQ(CelebAMaskHQConfig(root=str(root), **settings))


def names(face):
    return [problem.name for problem in face.problems]


def mask_file(root, index, part):
    return root / "CelebAMask-HQ-mask-anno" / str(index // 2000) / f"{index:05d}_{part}.png"


@pytest.fixture
def root(tmp_path):
    return write_release(tmp_path / "release", INDICES)


def test_reads_exactly_what_was_written(root):
    source = open_release(root)
    assert list(source.ids) == [str(index) for index in INDICES]
    assert source.splits == ["train", "validation", "validation", "train", "train"]
    items = source.read_many(range(5), 64)
    for place, index in enumerate(INDICES):
        np.testing.assert_array_equal(items.labels_NHW[place], face_labels(64, index))
        np.testing.assert_array_equal(items.attributes_NA[place], release_attributes(index))
    assert items.images_NHWC.shape == (5, 64, 64, 3)
    assert not any(items.problems)
    assert not source.findings


def test_later_classes_are_painted_over_earlier_ones(root):
    hair = np.zeros((64, 64), np.uint8)
    hair[20:24, 20:24] = 255
    Image.fromarray(hair).save(mask_file(root, 9, "hair"))
    Image.fromarray(hair).save(mask_file(root, 9, "nose"))
    labels = open_release(root).read(3, 64).labels_HW
    assert (labels[20:24, 20:24] == PARTS.index("hair") + 1).all()


def test_shrinking_a_map_picks_pixels(root):
    small = open_release(root).read(0, 32).labels_HW
    np.testing.assert_array_equal(small, face_labels(64, 0)[1::2, 1::2])


def test_colour_and_one_bit_masks_are_read_alike(root):
    expected = open_release(root).read(3, 64).labels_HW
    path = mask_file(root, 9, "skin")
    mask = Image.open(path)
    for mode in ("RGB", "1"):
        mask.convert(mode).save(path)
        np.testing.assert_array_equal(open_release(root).read(3, 64).labels_HW, expected)


def test_wrong_part_names_are_an_error_not_empty_masks(tmp_path):
    renamed = {part: part.replace("l_", "left_").replace("r_", "right_") for part in PARTS}
    with pytest.raises(DataError, match=r"name a part '.*', which does not exist \(did you mean"):
        open_release(write_release(tmp_path / "r", [0, 1], part_names=renamed))


def test_masks_named_otherwise_are_an_error(tmp_path):
    root = write_release(tmp_path / "r", [0, 1])
    for path in (root / "CelebAMask-HQ-mask-anno" / "0").iterdir():
        path.rename(path.with_name("mask-" + path.name))
    with pytest.raises(DataError, match=r"no file is named like a part mask, but for example 0/mask-.*00000_skin\.png"):
        open_release(root)


@pytest.mark.parametrize("gone", ["CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"])
def test_a_missing_piece_is_named(root, gone):
    (root / gone).rename(root / "elsewhere")
    with pytest.raises(DataError, match=gone):
        open_release(root)


def test_pictures_and_masks_of_different_numbers(tmp_path):
    root = write_release(tmp_path / "r", [0])
    (root / "CelebA-HQ-img" / "0.jpg").rename(root / "CelebA-HQ-img" / "5.jpg")
    with pytest.raises(DataError, match="no picture has a part mask of the same number"):
        open_release(root)


def test_masks_in_the_wrong_folder(root):
    folder = root / "CelebAMask-HQ-mask-anno"
    (folder / "1").rename(folder / "3")
    with pytest.raises(DataError, match="should lie in CelebAMask-HQ-mask-anno/1"):
        open_release(root)


def test_pictures_without_masks_are_left_out_and_listed(root):
    for path in (root / "CelebAMask-HQ-mask-anno" / "1").iterdir():
        path.unlink()
    source = open_release(root)
    assert "2005" not in source.ids
    assert [(finding.id, finding.problem) for finding in source.findings] == [("2005", "missing_labels")]


def test_damaged_files_make_an_item_unusable_never_empty(root):
    picture = root / "CelebA-HQ-img" / "7.jpg"
    picture.write_bytes(picture.read_bytes()[:200])
    mask_file(root, 8, "skin").write_bytes(b"not a picture")
    source = open_release(root)
    for place, problem in ((1, "unreadable_picture"), (2, "unreadable_labels")):
        face = source.read(place, 32)
        assert names(face) == [problem]
        assert face.problems[0].unusable
        assert (face.labels_HW == 255).all()


def test_suspicious_items_are_named(root):
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(mask_file(root, 7, "hair"))
    mask_file(root, 8, "nose").unlink()
    Image.open(mask_file(root, 9, "skin")).resize((32, 32)).save(mask_file(root, 9, "skin"))
    picture = root / "CelebA-HQ-img" / "2005.jpg"
    Image.open(picture).resize((96, 96)).save(picture)
    source = open_release(root)
    assert names(source.read(1, 32)) == ["empty_part"]
    assert names(source.read(2, 32)) == ["missing_part"]
    assert source.read(2, 32).problems[0].detail == "nose"
    assert names(source.read(3, 32)) == ["sizes_disagree"]
    assert names(source.read(4, 32)) == ["wrong_size"]
    assert names(source.read(0, 256)) == ["enlarged"]


def test_a_picture_the_attribute_file_does_not_name(root):
    path = root / "CelebAMask-HQ-attribute-anno.txt"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("7.jpg")))
    face = open_release(root).read(1, 32)
    assert names(face) == ["missing_attributes"]
    assert not face.attributes_A.any()


@pytest.mark.parametrize("header", ["", "idx orig_idx orig_file\n"])
def test_celeba_partition_through_the_mapping(root, header):
    numbers = [162_769, 162_770, 182_636, 182_637, 5]
    rows = [f"{index}   {number}   {number + 1:06d}.jpg" for index, number in zip(INDICES, numbers, strict=True)]
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text(header + "\n".join(rows) + "\n")
    source = open_release(root, split=ReleaseSplit.celeba)
    assert source.splits == ["train", "validation", "validation", "test", "train"]
