"""The folder of parsed photographs, which `data pack data=label_maps` takes as it is.

    parsed.json       format, version, what decides the maps (parser, resolution, align), names of the judges
    images/NAME.png   aligned pictures
    labels/NAME.png   label maps in palette colours, pixel value = class
    attributes.csv    one row per picture, when there is a classifier
    records.jsonl     one line per picture: source, its hash, the frame, what was found
    sheet.png         to look at

A record is written after its pictures. A photograph is known by the hash of its file, so that it may be moved and renamed.
Format: docs/formats.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import degrees
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
from annotated_types import Gt, Le, Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.config.settings import difference
from facecond.errors import DataError
from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import CLASSES, NUM_CLASSES
from facecond.io.documents import (
    Digest,
    Finite,
    Pixels,
    RecordWriter,
    read_json,
    read_records,
    write_json,
    write_records,
)
from facecond.io.files import inside
from facecond.io.images import digest_of_pixels, write_label_map, write_png
from facecond.photos.reading import ParsedFace

FORMAT, VERSION = "facecond-parsed", 1
LONGEST_NAME = 80
"""Characters of a picture's name."""


class Parsed(TypedDict):
    """What parsed.json holds."""

    made_with: dict[str, Any]
    judges: dict[str, Any]


class FrameRecord(TypedDict):
    """Where a face stands in its photograph; see facecond.photos.frame.Frame. `roll` is in degrees."""

    x: Finite
    y: Finite
    side: Annotated[float, Gt(0), Le(1e6)]
    roll: Finite


class PhotoRecord(TypedDict):
    """The record of a photograph."""

    name: Annotated[str, Len(1, 255)]
    source: str
    sha256: Digest
    size: Annotated[list[Pixels], Len(2, 2)]
    frame: FrameRecord
    affine: list[list[Finite]]
    framed_by: str
    confidence: Finite
    shares: dict[str, Finite]
    findings: list[dict[Literal["problem", "detail"], str]]
    present: list[str] | None
    classifier: str | None
    pixels: NotRequired[Digest]
    label_pixels: NotRequired[Digest]


class ParsedFolder:
    """The files of one folder. Nothing is written before the first picture."""

    def __init__(self, path: Path, *, made_with: Mapping[str, Any], judges: Mapping[str, Any]) -> None:
        """Open the folder, or prepare a new one.

        `made_with` decides the maps; `judges` says who made them. Raises DataError when the folder is something else, or was made
        with other settings.
        """
        self.path = path
        self._content: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "made_with": dict(made_with),
            "judges": dict(judges),
        }
        self._records: dict[str, PhotoRecord] = {}
        if (path / "parsed.json").exists():
            before = read_json(path / "parsed.json", Parsed, format=(FORMAT, VERSION), hint="choose another name=")
            if other := difference(before["made_with"], self._content["made_with"]):
                raise DataError(f"{path} was made with {other}", hint="choose another name=, or delete the folder")
        elif path.is_dir() and any(path.iterdir()):
            raise DataError(f"{path} holds other files and no parsed.json", hint="choose another name=")
        for record in read_records(path / "records.jsonl", PhotoRecord):
            if all(self.file(kind, record).exists() for kind in ("images", "labels")):
                self._records[record["sha256"]] = record
        self._taken = {str(record["name"]).lower() for record in self._records.values()}

    @property
    def records(self) -> list[PhotoRecord]:
        """The record of each picture, by name."""
        return sorted(self._records.values(), key=lambda record: str(record["name"]))

    def file(self, kind: str, record: PhotoRecord) -> Path:
        """Where a picture (`kind` = images) or label map (labels) is."""
        return inside(self.path / kind, f"{record['name']}.png", of=f"a record of {self.path}, name")

    def holds(self, digest: str, classifier: str | None) -> bool:
        """Say whether the photograph with SHA-256 `digest` is finished, with attributes by `classifier` (SHA-256) unless None."""
        record = self._records.get(digest)
        return record is not None and classifier in (None, record["classifier"])

    def write(
        self,
        source: Path,
        digest: str,
        size: tuple[int, int],
        face: ParsedFace,
        present: list[str] | None,
        classifier: str | None,
    ) -> None:
        """Write one picture, its map and its record.

        `digest` is the SHA-256 of the file `source`, `size` the photograph's (width, height), `present` the
        attributes that `classifier` (SHA-256) finds.
        """
        if not self._records:
            write_json(self.path / "parsed.json", self._content, checksum=True)
        resolution = face.labels_HW.shape[0]
        frame = face.frame
        record: PhotoRecord = {
            "name": self._name(source, digest),
            "source": str(source),
            "sha256": digest,
            "size": list(size),
            "frame": {"x": frame.x, "y": frame.y, "side": frame.side, "roll": degrees(frame.roll)},
            "affine": frame.affine(resolution).tolist(),
            "framed_by": face.framed_by.value,
            "confidence": round(face.confidence, 4),
            "shares": class_shares(face.labels_HW),
            "findings": [{"problem": problem.name, "detail": problem.detail} for problem in face.findings],
            "present": present,
            "classifier": classifier,
            "pixels": digest_of_pixels(face.image_HWC),
            "label_pixels": digest_of_pixels(face.labels_HW),
        }
        write_label_map(self.file("labels", record), face.labels_HW)
        write_png(self.file("images", record), face.image_HWC)
        with RecordWriter(self.path / "records.jsonl", checksum=True) as writer:
            writer.write(dict(record))
        self._records[digest] = record
        self._taken.add(str(record["name"]).lower())

    def finish(self) -> dict[str, NDArray[np.int8]]:
        """Sort the records by name, and drop those that were replaced; return the attributes found, int8 (40,), by file name."""
        write_records(self.path / "records.jsonl", map(dict, self.records), checksum=True)
        return {
            self.file("images", record).name: np.array(
                [1 if name in record["present"] else -1 for name in ATTRIBUTES], np.int8
            )
            for record in self.records
            if record["present"] is not None
        }

    def _name(self, source: Path, digest: str) -> str:
        """The name a photograph has, else its file's stem, with some of its hash where that is another's."""
        if digest in self._records:
            return str(self._records[digest]["name"])
        return name_among(self._taken, source, digest)


def name_among(taken: Collection[str], source: Path, digest: str) -> str:
    """A picture's name: its file's stem, with some of its hash where that is `taken` (names in small letters)."""
    stem = re.sub(r"[^\w.() -]", "_", source.stem).strip(" .")[:LONGEST_NAME] or "photo"
    return stem if stem.lower() not in taken else f"{stem}-{digest[:8]}"


def class_shares(labels_HW: NDArray[np.uint8]) -> dict[str, float]:
    """Share of the pixels of each class that is there, by name."""
    counts = np.bincount(labels_HW.ravel(), minlength=NUM_CLASSES)
    return {name: round(int(counts[k]) / labels_HW.size, 5) for k, name in enumerate(CLASSES) if counts[k]}
