import numpy as np
import pytest
from PIL import Image

from facecond.errors import DataError
from facecond.io.images import read_image, read_label_map, write_png


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_png_round_trip(tmp_path, pixels):
    write_png(tmp_path / "new" / "a.png", pixels)
    assert np.array_equal(read_image(tmp_path / "new" / "a.png"), pixels)
    write_png(tmp_path / "labels.png", pixels[..., 0] % 19)
    assert np.array_equal(read_label_map(tmp_path / "labels.png"), pixels[..., 0] % 19)
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "b.png", pixels.astype(np.float32))


def test_every_mode_becomes_rgb(tmp_path, pixels):
    grey = Image.fromarray(pixels[..., 0])
    grey.save(tmp_path / "grey.png")
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(pixels[..., :1], 3, axis=2))
    alpha = np.full((5, 7, 1), 255, np.uint8)
    alpha[0, 0] = 0
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(tmp_path / "alpha.png")
    flat = read_image(tmp_path / "alpha.png")
    assert flat[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(flat[1:], pixels[1:])


def test_exif_orientation_is_obeyed(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF 2.3: row 0 is the right-hand side; shown after turning clockwise by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(pixels, -1))


def test_label_maps_keep_indices(tmp_path):
    labels = np.arange(19, dtype=np.uint8).reshape(1, 19).repeat(2, axis=0)
    labels[1, 0] = 255
    palette = Image.fromarray(labels, mode="P")
    palette.putpalette(list(range(255, -1, -1)) * 3)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_label_map(tmp_path / "palette.png"), labels)
    Image.fromarray(labels[..., None].repeat(3, axis=2)).save(tmp_path / "equal.png")
    assert np.array_equal(read_label_map(tmp_path / "equal.png"), labels)


def test_what_is_no_label_map_is_refused(tmp_path, pixels):
    write_png(tmp_path / "colour.png", pixels)
    with pytest.raises(DataError, match=r"colour\.png: a label map has one channel"):
        read_label_map(tmp_path / "colour.png")
    write_png(tmp_path / "range.png", np.array([[0, 18, 19, 40]], np.uint8))
    with pytest.raises(DataError, match=r"range\.png: label values 19, 40; expected 0\.\.18"):
        read_label_map(tmp_path / "range.png")


def test_bad_pictures(tmp_path, pixels):
    with pytest.raises(DataError, match=r"gone\.png: no such picture"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.png: not a picture"):
        read_image(tmp_path / "text.png")
    big = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_png(tmp_path / "whole.png", big)
    (tmp_path / "torn.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    with pytest.raises(DataError, match=r"torn\.png: damaged picture"):
        read_image(tmp_path / "torn.png")
