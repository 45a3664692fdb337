"""The sketch condition: made from pictures and maps, or drawn by a person."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from facecond.conditions.sketch import sketches
from facecond.conditions.table import CONDITIONS
from facecond.drawn.painter import draw
from facecond.errors import DataError
from facecond.faces.lines import edges, outlines

SKETCH = CONDITIONS["sketch"]


def drawing(size: int = 128, background: str = "white") -> Image.Image:
    picture = Image.new("RGBA", (size, size), background)
    ImageDraw.Draw(picture).ellipse((size // 4, size // 4, 3 * size // 4, 3 * size // 4), outline="black", width=6)
    return picture


def test_a_sketch_joins_both_and_stays_open_where_the_map_is() -> None:
    faces = draw(0, range(3), 64)
    labels = faces.labels.copy()
    labels[0, :16] = 255
    found = sketches(faces.images, labels)
    assert (found[0, :16] == 255).all()
    assert set(np.unique(found[0, 16:])) == {0, 1}
    assert (found[1] >= outlines(labels[1])).all()
    assert (found[1] >= edges(faces.images[1])).all()
    assert 0.05 < found[1].mean() < 0.4


def test_a_drawing_is_read_at_the_size_of_the_model(tmp_path: Path) -> None:
    drawing(256).save(tmp_path / "face.png")
    value = SKETCH.read(str(tmp_path / "face.png"), 64)
    rows, columns = np.nonzero(value == 1)
    distance = np.hypot(rows - 31.5, columns - 31.5)
    assert value.shape == (64, 64)
    assert distance.min() > 13
    assert distance.max() < 18
    angles = np.unique(np.round(np.arctan2(rows - 31.5, columns - 31.5), 1))
    assert len(angles) > 55  # the ring has no gap
    assert (value != 255).all()


def test_transparent_regions_say_nothing(tmp_path: Path) -> None:
    picture = drawing()
    picture.paste((0, 0, 0, 0), (0, 0, 128, 32))
    picture.save(tmp_path / "open.png")
    value = SKETCH.read(str(tmp_path / "open.png"), 64)
    assert (value[:16] == 255).all()
    assert (value[16:] != 255).all()


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (Image.new("L", (64, 96), 255), "64x96"),
        (Image.new("L", (64, 64), 255), "no dark line"),
        (drawing(32), "32 px wide"),
    ],
)
def test_drawings_that_are_none_are_refused(tmp_path: Path, picture: Image.Image, words: str) -> None:
    picture.save(tmp_path / "sketch.png")
    with pytest.raises(DataError, match=words):
        SKETCH.read(str(tmp_path / "sketch.png"), 64)
    with pytest.raises(DataError, match="no such sketch"):
        SKETCH.check(str(tmp_path / "nowhere.png"))


def test_a_changed_record_is_found_out(tmp_path: Path) -> None:
    value = SKETCH.nothing(1, 8)[0].numpy()
    name = SKETCH.record(value, tmp_path, "cd" * 32)
    Image.new("L", (8, 8), 77).save(tmp_path / name)
    with pytest.raises(DataError, match="other levels"):
        SKETCH.recall(name, tmp_path)
