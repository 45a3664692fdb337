"""Drawn faces in the official CelebAMask-HQ layout, so that the reader of the real release is tested on something
exact.

    CelebA-HQ-img/N.jpg (or .png)                            pictures
    CelebAMask-HQ-mask-anno/{N // 2000}/{N:05d}_{part}.png   one mask per part that is present, 0 or 255
    CelebAMask-HQ-attribute-anno.txt                         the count, the 40 names, then a row of -1 and 1 per picture

As in the real release masks overlap: the skin's mask fills the whole face and that of the glasses covers the eyes
behind them, so the label map comes out only when parts are painted in the order of their classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facecond.drawn.painter import draw
from facecond.errors import DataError
from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import CLASSES
from facecond.io.documents import Record, read_json, write_json
from facecond.progress import bar

IMAGE_FOLDER = "CelebA-HQ-img"
MASK_FOLDER = "CelebAMask-HQ-mask-anno"
ATTRIBUTE_FILE = "CelebAMask-HQ-attribute-anno.txt"
PER_FOLDER = 2000
"""Masks of so many pictures share a numbered folder."""

FACE_PARTS = ("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
"""What the mask of the skin covers."""
BEHIND_GLASSES = ("l_eye", "r_eye", "l_brow", "r_brow")


def part_masks(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Split a label map uint8 (H, W) into bool masks by part, absent parts left out.

    Painted in the order of the classes they give the map again.
    """
    masks = {name: labels == number for number, name in enumerate(CLASSES) if number}
    masks["skin"] = (
        np.isin(labels, [CLASSES.index(name) for name in FACE_PARTS]) if masks["skin"].any() else masks["skin"]
    )
    rows, columns = np.nonzero(masks["eye_g"])
    if len(rows):
        seen = np.isin(labels, [CLASSES.index(name) for name in BEHIND_GLASSES])
        inside = np.zeros_like(seen)
        inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        masks["eye_g"] |= seen & inside
    return {name: mask for name, mask in masks.items() if mask.any()}


MARK = "drawn.json"
"""Says which faces a release holds, so that two are never mixed in one folder."""


def write_release(
    folder: Path | str,
    *,
    seed: int,
    count: int,
    resolution: int = 512,
    image_resolution: int | None = None,
    lossless: bool = False,
    progress: bool = True,
) -> Path:
    """Write the faces 0..count-1 of a seed as an official release and return its folder.

    `resolution` is that of the masks (512 in the real release), `image_resolution` that of the pictures (twice it
    when None, as in the real release). `lossless` writes pictures as PNG instead of JPEG. A pack of resolution R built
    from a release whose masks are R pixels wide has exactly the label maps of `draw(seed, range(count), R)`. The
    attribute file is written last.
    """
    folder = Path(folder)
    image_resolution = image_resolution or 2 * resolution
    identity = {
        "seed": seed, "count": count, "resolution": resolution, "pictures": image_resolution, "lossless": lossless,
    }  # fmt: skip
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARK).is_file() or read_json(folder / MARK, Record) != identity:
            raise DataError(f"{folder} holds other files", hint="choose another name, or delete the folder")
        if (folder / ATTRIBUTE_FILE).is_file():
            return folder
    write_json(folder / MARK, identity)
    (folder / IMAGE_FOLDER).mkdir(parents=True, exist_ok=True)
    rows = []
    meter = bar("drawing a release", count) if progress else None
    for number in range(count):
        drawing = draw(seed, [number], resolution)
        picture = drawing if image_resolution == resolution else draw(seed, [number], image_resolution)
        image = Image.fromarray(picture.images[0])
        if lossless:
            image.save(folder / IMAGE_FOLDER / f"{number}.png", compress_level=1)
        else:
            image.save(folder / IMAGE_FOLDER / f"{number}.jpg", quality=95, subsampling=0)
        masks = folder / MASK_FOLDER / str(number // PER_FOLDER)
        masks.mkdir(parents=True, exist_ok=True)
        for part, mask in part_masks(drawing.labels[0]).items():
            Image.fromarray(mask.astype(np.uint8) * 255).save(masks / f"{number:05d}_{part}.png", compress_level=1)
        values = " ".join(f"{value:2d}" for value in drawing.attributes[0])
        rows.append(f"{number}.jpg  {values}")
        if meter:
            meter.update(1)
    if meter:
        meter.close()
    text = "\n".join([str(count), " ".join(ATTRIBUTES), *rows]) + "\n"
    (folder / ATTRIBUTE_FILE).write_text(text, encoding="ascii")
    return folder
