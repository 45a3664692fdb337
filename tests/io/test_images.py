import os
import zlib

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


@pytest.mark.timeout(20)
def test_only_pictures_of_named_formats_are_looked_into(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *words, **named: started.append(words))
    monkeypatch.setattr("subprocess.Popen", lambda *words, **named: started.append(words))
    (tmp_path / "script.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(DataError, match=r"script\.png: not a picture this program can read .*PNG, JPEG"):
        read_image(tmp_path / "script.png")
    assert not started
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is a pipe, expected a picture"):
        read_image(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="/dev/zero is a device"):
        read_image("/dev/zero")


def test_pictures_that_unpack_to_too_much_are_refused_before_they_are_unpacked(tmp_path):
    def chunk(kind, content):
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    head = (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bomb\.png"):
        read_image(tmp_path / "bomb.png")
    monstrous = Image.new("1", (12_000, 9_000))  # 108 million pixels in a file of a few kB
    monstrous.save(tmp_path / "large.png")
    with pytest.raises(DataError, match=r"large\.png is 12000 x 9000, expected at most 100,000,000 pixels"):
        read_image(tmp_path / "large.png")


def test_one_picture_is_expected(tmp_path, pixels):
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"moving\.png holds 2 pictures, expected one"):
        read_image(tmp_path / "moving.png")


def test_sixteen_bits_keep_their_scale(tmp_path):
    """A grey of 16 bits is g / 65535, of 8 bits g / 255."""
    values = np.array([[0, 128, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    expected = np.round(values / 65535 * 255)
    assert np.array_equal(read_image(tmp_path / "deep.png"), np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([[0, np.nan]], np.float32), "mode F"),
        (np.array([[0, 3.7]], np.float32), "mode F"),
        (np.array([[0, -1]], np.int32), "label values -1"),
        (np.array([[0, 300]], np.int32), "label values 300"),
        (np.array([[0, 257]], np.uint16), "label values 257"),
    ],
)
def test_numbers_that_are_no_classes_are_refused(tmp_path, values, kind):
    Image.fromarray(values).save(tmp_path / "map.tiff")
    with pytest.raises(DataError, match=kind):
        read_label_map(tmp_path / "map.tiff")


def test_label_maps_of_other_modes(tmp_path):
    labels = np.array([[0, 5, 18]], np.uint8)
    Image.fromarray(np.stack([labels, np.full_like(labels, 255)], -1), mode="LA").save(tmp_path / "whole.png")
    assert np.array_equal(read_label_map(tmp_path / "whole.png"), labels)
    Image.fromarray(np.stack([labels, np.full_like(labels, 254)], -1), mode="LA").save(tmp_path / "thin.png")
    with pytest.raises(DataError, match=r"thin\.png: a label map has no transparency"):
        read_label_map(tmp_path / "thin.png")
    Image.fromarray(labels.repeat(4, axis=0)).convert("CMYK").save(tmp_path / "print.tiff")
    with pytest.raises(DataError, match=r"print\.tiff: a label map holds whole numbers, .* mode CMYK"):
        read_label_map(tmp_path / "print.tiff")


def test_photographs_for_print_become_rgb(tmp_path, pixels):
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "print.tiff")
    assert np.array_equal(
        read_image(tmp_path / "print.tiff"), np.array(Image.open(tmp_path / "print.tiff").convert("RGB"))
    )
    Image.fromarray(pixels[..., 0].astype(np.float32)).save(tmp_path / "numbers.tiff")
    with pytest.raises(DataError, match=r"numbers\.tiff: its pixels are of mode F, expected colours"):
        read_image(tmp_path / "numbers.tiff")


def test_a_picture_in_memory_is_read_as_one_on_the_disk(tmp_path):
    from facecond.io.images import image_of, png_of

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    write_png(tmp_path / "picture.png", pixels)
    assert png_of(pixels) == (tmp_path / "picture.png").read_bytes()
    np.testing.assert_array_equal(image_of(png_of(pixels), origin="what was sent"), pixels)
    with pytest.raises(DataError, match="what was sent is 7 x 5, expected at most 34 pixels"):
        image_of(png_of(pixels), origin="what was sent", most_pixels=34)
    with pytest.raises(DataError, match="what was sent: not a picture"):
        image_of(b"GIF89a", origin="what was sent")
