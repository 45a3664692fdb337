"""Pictures and label maps on disk: read with clear errors, written atomically and without loss."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from facecond.errors import DataError
from facecond.faces.labels import PALETTE
from facecond.io.files import MOST_PICTURE, atomic_write, open_regular

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""Formats that are read. Others, some of which start programs of their own, are not looked into whatever a file is called."""

MOST_PIXELS = 100_000_000
"""Pixels of a picture; a small file can unpack to more than memory holds."""

SIXTEEN_BITS = ("I;16", "I;16B", "I;16L")

COLOURS = ("1", "L", "P", "RGB", "CMYK", "YCbCr")
"""Pillow's modes that mean colours of 8 bits."""

SEE_THROUGH = ("LA", "PA", "RGBA")


def open_picture(path: Path) -> Image.Image:
    """Open a picture whole.

    Raises DataError when it is missing, no regular file, damaged, of another format than `FORMATS`, too large, or several.
    """
    with open_regular(path, what="picture", most=MOST_PICTURE) as stream:
        return _opened(stream, str(path), MOST_PIXELS)


def _opened(stream: BinaryIO, origin: str, most_pixels: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is below
            picture = Image.open(stream, formats=FORMATS)
        _check_extent(picture, origin, most_pixels)
        picture.load()
    except UnidentifiedImageError:
        raise DataError(
            f"{origin}: not a picture this program can read", hint=f"it reads {', '.join(FORMATS)}"
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as reason:
        raise DataError(f"{origin}: damaged picture: {reason}") from reason
    return picture


def _check_extent(picture: Image.Image, origin: str, most_pixels: int) -> None:
    width, height = picture.size
    if width * height > most_pixels:
        raise DataError(
            f"{origin} is {width} x {height}, expected at most {most_pixels:,} pixels", hint="make it smaller"
        )
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a telephone's photograph with a preview behind it
        raise DataError(f"{origin} holds {frames} pictures, expected one", hint="save the one that is meant by itself")


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Return a picture as uint8 (H, W, 3) RGB, turned as its EXIF orientation says; transparency is dropped onto
    white, and of 16 bits the upper eight are kept. Raises DataError also for pixels that are no colours (floating point).
    """
    place = Path(path)
    return _colours_of(open_picture(place), str(place))


def image_of(content: bytes, *, origin: str, most_pixels: int = MOST_PIXELS) -> NDArray[np.uint8]:
    """Return a picture that is in memory, as `read_image` does one on the disk; `origin` names it in messages."""
    return _colours_of(picture_of(content, origin=origin, most_pixels=most_pixels), origin)


def picture_of(content: bytes, *, origin: str, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Open a picture that is in memory, as `open_picture` does one on the disk; `origin` names it in messages."""
    return _opened(io.BytesIO(content), origin, most_pixels)


def _colours_of(opened: Image.Image, origin: str) -> NDArray[np.uint8]:
    picture = ImageOps.exif_transpose(opened)
    if picture.mode in SIXTEEN_BITS:
        grey = (np.asarray(picture).astype(np.uint32) * 255 + 32767) // 65535
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode in SEE_THROUGH or (picture.mode in COLOURS and "transparency" in picture.info):
        coloured = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    elif picture.mode not in COLOURS:
        raise DataError(
            f"{origin}: its pixels are of mode {picture.mode}, expected colours of 8 or 16 bits",
            hint="save it as a PNG or JPEG",
        )
    return np.array(picture.convert("RGB"))


def read_label_map(path: str | os.PathLike[str], *, classes: int = 19) -> NDArray[np.uint8]:
    """Return a label map as uint8 (H, W): values 0..classes-1, and 255 where nothing is specified.

    Grey and palette files hold the labels themselves (a palette's indices, not its colours). A colour file is
    accepted when its three channels are equal and nothing shines through. Raises DataError for other colours, for
    pixels that are no whole numbers and for values out of range: a lossy or coloured rendering of a map is not a map.
    """
    place = Path(path)
    picture = open_picture(place)
    if picture.mode in ("L", "P", "1", "I", *SIXTEEN_BITS):
        values = np.asarray(picture).astype(np.int64)
    elif picture.mode in ("RGB", "RGBA", "LA"):
        channels = np.asarray(picture)
        if picture.mode != "RGB" and (channels[..., -1] != 255).any():
            raise DataError(
                f"{place}: a label map has no transparency, this one does ({picture.mode})",
                hint="save the class numbers as a grey PNG; 255 stands for not specified",
            )
        colours = channels[..., :3] if picture.mode != "LA" else channels[..., :1]
        if (colours != colours[..., :1]).any():
            raise DataError(
                f"{place}: a label map has one channel of class numbers, this is a colour picture ({picture.mode})",
                hint="save the class numbers as a grey PNG",
            )
        values = colours[..., 0].astype(np.int64)
    else:
        raise DataError(
            f"{place}: a label map holds whole numbers, the pixels of this one are of mode {picture.mode}",
            hint="save the class numbers as a grey PNG",
        )
    wrong = np.unique(values[((values < 0) | (values >= classes)) & (values != 255)])
    if wrong.size:
        shown = ", ".join(str(value) for value in wrong[:5]) + (", ..." if wrong.size > 5 else "")
        raise DataError(
            f"{place}: label values {shown}; expected 0..{classes - 1}, or 255 for not specified",
            hint="a map saved as JPEG or resized with interpolation holds values that are no classes",
        )
    return values.astype(np.uint8)


def write_label_map(path: str | os.PathLike[str], labels_HW: NDArray[np.uint8]) -> None:
    """Write a label map, uint8 (H, W), as a PNG in palette colours, atomically; 255 (nothing said) is shown white."""
    colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colours[: len(PALETTE)] = PALETTE
    with atomic_write(path) as temporary:
        picture = Image.frombytes("P", labels_HW.shape[::-1], np.ascontiguousarray(labels_HW).tobytes())
        picture.putpalette(colours.reshape(-1).tolist())
        picture.save(temporary)


def write_png(path: str | os.PathLike[str], image: NDArray[np.uint8], *, compression: int = 4) -> None:
    """Write uint8 (H, W, 3) RGB, or (H, W) grey or labels, as PNG, atomically. `compression` is zlib's level, 0..9."""
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(f"expected uint8 (H, W) or (H, W, 3), got {image.dtype} {image.shape}")
    with atomic_write(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG", compress_level=compression)


def png_of(image: NDArray[np.uint8], *, compression: int = 4) -> bytes:
    """Return the PNG that `write_png` writes."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(content, format="PNG", compress_level=compression)
    return content.getvalue()


def digest_of_pixels(image: NDArray[np.uint8]) -> str:
    """SHA-256 of the pixels of a picture (H, W, 3) or a label map (H, W), uint8, row after row."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()
