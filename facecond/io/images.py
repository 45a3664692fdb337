"""Pictures and label maps on disk: read with clear errors, written atomically and without loss."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from facecond.errors import DataError
from facecond.faces.labels import PALETTE
from facecond.io.files import atomic_write

_LABEL_MODES = ("L", "P", "1", "I", "I;16")


def open_picture(path: Path) -> Image.Image:
    """Open a picture whole. Raises DataError when it is missing, damaged or of an unknown format."""
    try:
        picture = Image.open(path)
        picture.load()
    except FileNotFoundError:
        raise DataError(f"{path}: no such picture") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: not a picture this program can read") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as reason:
        raise DataError(f"{path}: damaged picture: {reason}") from reason
    return picture


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Return a picture as uint8 (H, W, 3) RGB, turned as its EXIF orientation says; transparency is dropped onto
    white.
    """
    picture = ImageOps.exif_transpose(open_picture(Path(path)))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        coloured = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    return np.array(picture.convert("RGB"))


def read_label_map(path: str | os.PathLike[str], *, classes: int = 19) -> NDArray[np.uint8]:
    """Return a label map as uint8 (H, W): values 0..classes-1, and 255 where nothing is specified.

    Grey and palette files hold the labels themselves (a palette's indices, not its colours). A colour file is
    accepted when its three channels are equal. Raises DataError for other colours and for values out of range: a
    lossy or coloured rendering of a map is not a map.
    """
    place = Path(path)
    picture = open_picture(place)
    if picture.mode in _LABEL_MODES:
        values = np.asarray(picture)
    else:
        colours = np.asarray(picture.convert("RGB"))
        if (colours != colours[..., :1]).any():
            raise DataError(
                f"{place}: a label map has one channel of class numbers, this is a colour picture ({picture.mode})",
                hint="save the class numbers as a grey PNG",
            )
        values = colours[..., 0]
    wrong = np.unique(values[(values >= classes) & (values != 255)])
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
