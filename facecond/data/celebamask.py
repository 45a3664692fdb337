"""The official CelebAMask-HQ release, whole or in part.

    CelebA-HQ-img/N.jpg                                       pictures (1024 x 1024)
    CelebAMask-HQ-mask-anno/{N//2000}/{N:05d}_{part}.png      one file per part that is present (512 x 512)
    CelebAMask-HQ-attribute-anno.txt
    CelebA-HQ-to-CelebA-mapping.txt                           only for split=celeba

A label map is painted from the part files in class order, later over earlier; that is how the data set's own tools
make it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond.config.data import CelebAMaskHQConfig, ReleaseSplit
from facecond.data.attribute_files import read_annotation
from facecond.data.pack import Finding
from facecond.data.source import Face, Items, digest_of, prepare, stack, unusable_face
from facecond.data.splits import celeba_split, ldm_split, read_mapping
from facecond.errors import DataError, nearest
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.faces.checks import Problem
from facecond.faces.labels import PARTS
from facecond.io.images import read_image

PICTURES = "CelebA-HQ-img"
MASKS = "CelebAMask-HQ-mask-anno"
ATTRIBUTES_FILE = "CelebAMask-HQ-attribute-anno.txt"
MAPPING_FILE = "CelebA-HQ-to-CelebA-mapping.txt"
PER_FOLDER = 2000
LAYOUT = (
    f"expected {PICTURES}/0.jpg, {MASKS}/0/00000_skin.png (a folder for every {PER_FOLDER} faces, one file per part) "
    f"and {ATTRIBUTES_FILE}"
)

_PICTURE_NAME = re.compile(r"(0|[1-9]\d*)\.(jpg|png)")
_MASK_NAME = re.compile(r"(\d{5,})_(.+)\.png")


class CelebAMaskHQ:
    """Reader of the release; a `Source`. Items are the pictures that have part masks, by rising index.

    Raises DataError when the folder is not laid out as the release: no pictures, no part masks, part names that do
    not exist, masks in the wrong folder, no attribute file, or no picture with masks.
    """

    def __init__(self, config: CelebAMaskHQConfig) -> None:
        self._config = config
        self.root = Path(config.root)
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder", hint=LAYOUT)
        self._suffixes = _list_pictures(self.root / PICTURES)
        self._parts = _list_masks(self.root / MASKS)
        self._attributes = read_annotation(self.root / ATTRIBUTES_FILE)
        self._indices = sorted(self._suffixes.keys() & self._parts.keys())
        if not self._indices:
            raise DataError(f"{self.root}: no picture has a part mask of the same number", hint=LAYOUT)
        self.ids = [str(index) for index in self._indices]
        self.splits = self._divide()
        without_masks = sorted(self._suffixes.keys() - self._parts.keys())
        without_picture = sorted(self._parts.keys() - self._suffixes.keys())
        self.findings = [
            *(Finding(str(index), "missing_labels", "no part mask; left out") for index in without_masks),
            *(Finding(str(index), "missing_picture", "no picture; left out") for index in without_picture),
        ]
        first = self._indices[0]
        self._picture_size = _size_of(self._picture_path(first))
        self._mask_size = _size_of(self._mask_path(first, self._parts_of(first)[0]))

    def __len__(self) -> int:
        return len(self.ids)

    def describe(self) -> dict[str, Any]:
        """Return what tells this release from another source."""
        return {
            "kind": "celebamask_hq",
            "root": str(self._config.root),
            "split": self._config.split.value,
            "count": len(self),
            "ids": digest_of(self.ids),
        }

    def read_many(self, indices: Sequence[int], resolution: int) -> Items:
        """Read the items `indices` (places in `ids`) at `resolution`."""
        return stack([self.read(index, resolution) for index in indices])

    def read(self, index: int, resolution: int) -> Face:
        """Read one item: its picture, its label map painted from the part files, its attributes."""
        number = self._indices[index]
        problems: list[Problem] = []
        attributes = self._attributes.get(self.ids[index])
        if attributes is None:
            problems.append(Problem("missing_attributes", f"no line in {ATTRIBUTES_FILE}"))
            attributes = np.zeros(NUM_ATTRIBUTES, dtype=np.int8)
        try:
            image = read_image(self._picture_path(number))
        except DataError as reason:
            return unusable_face(resolution, [*problems, Problem("unreadable_picture", reason.message, unusable=True)])
        try:
            labels, found = self._paint(number)
        except DataError as reason:
            return unusable_face(resolution, [*problems, Problem("unreadable_labels", reason.message, unusable=True)])
        problems += found
        if labels is None:
            return unusable_face(resolution, problems)
        if self._picture_size and image.shape[:2] != self._picture_size:
            expected = f"{self._picture_size[1]}x{self._picture_size[0]}"
            problems.append(Problem("wrong_size", f"picture {image.shape[1]}x{image.shape[0]}, expected {expected}"))
        face = prepare(image, labels, attributes, resolution)
        return face._replace(problems=[*problems, *face.problems])

    def _paint(self, number: int) -> tuple[NDArray[np.uint8] | None, list[Problem]]:
        """Paint one label map at the masks' own size; None when two parts differ in size."""
        labels: NDArray[np.uint8] | None = None
        problems: list[Problem] = []
        for part in self._parts_of(number):
            mask = read_image(self._mask_path(number, part)).any(-1)
            if labels is None:
                labels = np.zeros(mask.shape, dtype=np.uint8)
            if mask.shape != labels.shape:
                sizes = f"{part} is {mask.shape[1]}x{mask.shape[0]}, others {labels.shape[1]}x{labels.shape[0]}"
                return None, [*problems, Problem("sizes_disagree", sizes, unusable=True)]
            if not mask.any():
                problems.append(Problem("empty_part", part))
            labels[mask] = PARTS.index(part) + 1
        if labels is not None and self._mask_size and labels.shape != self._mask_size:
            expected = f"{self._mask_size[1]}x{self._mask_size[0]}"
            problems.append(Problem("wrong_size", f"masks {labels.shape[1]}x{labels.shape[0]}, expected {expected}"))
        return labels, problems

    def _divide(self) -> list[str]:
        if self._config.split is ReleaseSplit.ldm:
            return [ldm_split(index) for index in self._indices]
        mapping = read_mapping(self.root / MAPPING_FILE)
        missing = [index for index in self._indices if index not in mapping]
        if missing:
            raise DataError(f"{self.root / MAPPING_FILE} does not name picture {missing[0]}", hint="or use split=ldm")
        return [celeba_split(mapping[index]) for index in self._indices]

    def _parts_of(self, number: int) -> list[str]:
        return [part for place, part in enumerate(PARTS) if self._parts[number] >> place & 1]

    def _picture_path(self, number: int) -> Path:
        return self.root / PICTURES / f"{number}.{self._suffixes[number]}"

    def _mask_path(self, number: int, part: str) -> Path:
        return self.root / MASKS / str(number // PER_FOLDER) / f"{number:05d}_{part}.png"


def _list_pictures(folder: Path) -> dict[int, str]:
    """Return the suffix of each picture, by index."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", hint=LAYOUT)
    found = {int(m[1]): m[2] for path in folder.iterdir() if (m := _PICTURE_NAME.fullmatch(path.name))}
    if not found:
        raise DataError(f"{folder} holds no pictures named by number{_example(folder)}", hint=LAYOUT)
    return found


def _list_masks(folder: Path) -> dict[int, int]:
    """Return the parts that have a file, one bit each, by index."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", hint=LAYOUT)
    bits = {part: 1 << place for place, part in enumerate(PARTS)}
    found: dict[int, int] = {}
    unknown: Counter[str] = Counter()
    for group in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in group.iterdir():
            match = _MASK_NAME.fullmatch(path.name)
            if not match:
                continue
            if match[2] not in bits:
                unknown[match[2]] += 1
                continue
            number = int(match[1])
            if group.name != str(number // PER_FOLDER):
                raise DataError(f"{path} should lie in {folder.name}/{number // PER_FOLDER}", hint=LAYOUT)
            found[number] = found.get(number, 0) | bits[match[2]]
    if unknown:
        name, count = unknown.most_common(1)[0]
        raise DataError(
            f"{folder}: {count} files name a part {name!r}, which does not exist", hint=nearest(name, PARTS)
        )
    if not found:
        raise DataError(f"{folder}: no file is named like a part mask{_example(folder)}", hint=LAYOUT)
    return found


def _example(folder: Path) -> str:
    """Name one thing that is there instead."""
    first = next((path for path in sorted(folder.rglob("*"))[:1000] if path.is_file()), None)
    return f", but for example {first.relative_to(folder)}" if first else "; it is empty"


def _size_of(path: Path) -> tuple[int, int] | None:
    """Height and width of a picture; None when it cannot be read (which `read` will then say)."""
    try:
        height, width = read_image(path).shape[:2]
    except DataError:
        return None
    return int(height), int(width)
