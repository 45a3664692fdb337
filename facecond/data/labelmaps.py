"""Any folder of pictures and label maps: `images/NAME.*` and `labels/NAME.png`, matched by NAME.

The order the pixel values are numbered in is declared (`class_order`), never guessed; attributes are optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond.config.data import LabelMapsConfig
from facecond.data.attribute_files import Table, read_csv
from facecond.data.pack import Finding
from facecond.data.source import (
    PROBLEMS,
    Face,
    Items,
    Problem,
    digest_of,
    prepare,
    prepare_labels,
    stack,
    unusable_face,
)
from facecond.data.splits import hash_split
from facecond.errors import ConfigError, DataError
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.faces.labels import reorder_table
from facecond.io.images import read_image, read_label_map

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
LABEL_SUFFIXES = (".png", ".bmp")
LAYOUT = "expected pictures images/NAME.jpg (or .png) and label maps labels/NAME.png, pixel value = class"


class LabelMaps:
    """Reader of pictures with label maps; a `Source`. Items are the stems both folders have, in alphabetical order.

    Raises ConfigError when the folders are not named, DataError when they hold nothing that belongs together.
    """

    def __init__(self, config: LabelMapsConfig) -> None:
        self._config = config
        pictures, labels = _folder(config, "images"), _folder(config, "labels")
        self._pictures = _by_stem(pictures, PICTURE_SUFFIXES)
        self._labels = _by_stem(labels, LABEL_SUFFIXES)
        self.ids = sorted(self._pictures.keys() & self._labels.keys())
        if not self.ids:
            raise DataError(
                f"no picture in {pictures} ({len(self._pictures)} there) has the name of a label map in {labels} "
                f"({len(self._labels)} there)",
                hint=LAYOUT,
            )
        self._table = reorder_table(config.class_order.value, "celebamaskhq")
        self._attributes: Table = read_csv(Path(config.attributes), self.ids) if config.attributes else {}
        self.splits = [hash_split(item, config.validation_fraction, config.seed) for item in self.ids]
        self.findings = [
            *(Finding(s, "missing_labels", "left out") for s in sorted(self._pictures.keys() - self._labels.keys())),
            *(Finding(s, "missing_picture", "left out") for s in sorted(self._labels.keys() - self._pictures.keys())),
        ]

    def __len__(self) -> int:
        return len(self.ids)

    def describe(self) -> dict[str, Any]:
        """Return what tells these folders from another source."""
        config = self._config
        return {
            "kind": "label_maps",
            "root": config.root,
            "images": config.images,
            "labels": config.labels,
            "class_order": config.class_order.value,
            "attributes": config.attributes,
            "validation_fraction": config.validation_fraction,
            "seed": config.seed,
            "count": len(self),
            "ids": digest_of(self.ids),
        }

    def read_many(self, indices: Sequence[int], resolution: int) -> Items:
        """Read the items `indices` (places in `ids`) at `resolution`."""
        return stack([self.read(index, resolution) for index in indices])

    def read(self, index: int, resolution: int) -> Face:
        """Read one item: picture, label map in CelebAMask-HQ's order, attributes (0 where unknown)."""
        item = self.ids[index]
        problems: list[Problem] = []
        attributes = self._attributes.get(item)
        if attributes is None:
            attributes = np.zeros(NUM_ATTRIBUTES, dtype=np.int8)
            if self._attributes:
                problems.append(Problem("missing_attributes", f"no row in {self._config.attributes}"))
        try:
            image = read_image(self._pictures[item])
        except DataError as reason:
            return unusable_face(resolution, [*problems, Problem("unreadable_picture", reason.message, unusable=True)])
        try:
            # Values up to 254 pass here, so that one that is no class is reported as what it is.
            labels = self._table[read_label_map(self._labels[item], classes=255)]
        except DataError as reason:
            return unusable_face(resolution, [*problems, Problem("unreadable_labels", reason.message, unusable=True)])
        face = prepare(image, labels, attributes, resolution)
        return face._replace(problems=[*problems, *face.problems])


def read_mask(path: str, resolution: int) -> tuple[NDArray[np.uint8], list[str]]:
    """A label map a person gave, uint8 (resolution, resolution), and what looks wrong with it, in the words of packing.

    Raises DataError for a file that is no label map, or one that packing would exclude.
    """
    labels, problems = prepare_labels(read_label_map(Path(path)), resolution)
    for problem in problems:
        if problem.unusable:
            raise DataError(
                f"{path}: {PROBLEMS[problem.name]} ({problem.detail})", hint="paint at least one part of a face"
            )
    return labels, [f"{PROBLEMS[problem.name]} ({problem.detail})" for problem in problems]


def _folder(config: LabelMapsConfig, name: str) -> Path:
    given = getattr(config, name)
    if given is None and config.root is None:
        raise ConfigError(f"data.{name} is not set", hint=f"set data.root (a folder with {name}/) or data.{name}")
    folder = Path(given) if given is not None else Path(str(config.root)) / name
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", hint=LAYOUT)
    return folder


def _by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in found:
            raise DataError(f"{folder} holds both {found[path.stem].name} and {path.name}", hint="keep one of them")
        found[path.stem] = path
    if not found:
        raise DataError(f"{folder} holds no file ending in {', '.join(suffixes)}", hint=LAYOUT)
    return found
