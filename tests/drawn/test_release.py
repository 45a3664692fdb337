"""A written release gives back exactly the drawn label maps, attributes and pictures."""

import numpy as np
import pytest
from PIL import Image

from facecond.drawn.painter import draw
from facecond.drawn.release import part_masks, write_release
from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import CLASSES


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(
        tmp_path_factory.mktemp("release"), seed=4, count=24, resolution=64, lossless=True, progress=False
    )


def painted(folder, number, classes):
    labels = np.zeros((64, 64), np.uint8)
    for value, part in classes:
        path = folder / "CelebAMask-HQ-mask-anno" / str(number // 2000) / f"{number:05d}_{part}.png"
        if path.exists():
            labels[np.asarray(Image.open(path).convert("L")) > 127] = value
    return labels


def test_parts_painted_in_order_give_the_label_maps(release):
    direct = draw(4, range(24), 64)
    ordered = list(enumerate(CLASSES))[1:]
    for number in range(24):
        np.testing.assert_array_equal(painted(release, number, ordered), direct.labels[number])
    assert any((painted(release, number, ordered[::-1]) != direct.labels[number]).any() for number in range(24))


def test_pictures_are_lossless_and_twice_the_size(release):
    direct = draw(4, [3], 128)
    np.testing.assert_array_equal(np.asarray(Image.open(release / "CelebA-HQ-img" / "3.png")), direct.images[0])


def test_attribute_file_reads_back(release):
    count, names, *rows = (release / "CelebAMask-HQ-attribute-anno.txt").read_text().splitlines()
    assert int(count) == 24 == len(rows)
    assert tuple(names.split()) == tuple(ATTRIBUTES)
    values = np.array([row.split()[1:] for row in rows]).astype(int)
    np.testing.assert_array_equal(values, draw(4, range(24), 64).attributes)
    assert [row.split()[0] for row in rows] == [f"{number}.jpg" for number in range(24)]
    assert rows[0].startswith("0.jpg  ")


def test_absent_parts_have_no_file(release):
    for number in range(24):
        present = set(np.unique(draw(4, [number], 64).labels)) - {0}
        files = {path.stem.split("_", 1)[1] for path in release.rglob(f"{number:05d}_*.png")}
        assert files == {CLASSES[value] for value in present}


def test_pictures_as_jpeg(tmp_path):
    folder = write_release(tmp_path, seed=4, count=2, resolution=64, progress=False)
    image = np.asarray(Image.open(folder / "CelebA-HQ-img" / "1.jpg")).astype(float)
    assert np.abs(image - draw(4, [1], 128).images[0]).mean() < 4


def test_masks_of_skin_and_glasses_overlap_what_lies_on_them():
    drawing = draw(4, range(40), 64, {"Eyeglasses": True})
    assert any((part_masks(labels)["eye_g"] & (labels == CLASSES.index("l_eye"))).any() for labels in drawing.labels)
    assert all((part_masks(labels)["skin"] & (labels == CLASSES.index("nose"))).any() for labels in drawing.labels)
