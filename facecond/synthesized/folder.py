"""The folder of synthesized faces.

    synthesis.json                      format, version, count, made_with: all that decides the faces
    records.jsonl                       one line per face made, accepted or not: what was told and read, why it was rejected
    data/SPLIT/images/NNNNNN.png        accepted faces; NNNNNN is the number of the face
    data/SPLIT/labels/NNNNNN.png        the map that was told, pixel value = class
    data/SPLIT/read/NNNNNN.png          the map that the parser read
    rejected/NNNNNN-TRY.png             faces that did not show what they were told

A record is written after its files. What other programs read beside these is made from them (`exports`), and vouched for by
exports.json. Format: docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le, Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.config.settings import difference
from facecond.errors import DataError
from facecond.io.documents import (
    Count,
    Digest,
    Finite,
    Positive,
    RecordWriter,
    as_written,
    read_json,
    read_records,
    write_json,
    write_records,
)
from facecond.io.files import sha256_file
from facecond.io.images import digest_of_pixels, read_image, read_label_map, write_label_map, write_png

FORMAT, VERSION = "facecond-synthesis", 1
EXPORTS = "facecond-synthesis-exports", 1
SPLITS = ("train", "validation")
MOST_FACES = 10**7
SIGNS = "-0+"

Share = Annotated[Finite, Ge(0), Le(1)]


class SynthesisHead(TypedDict):
    """What synthesis.json holds."""

    count: Positive
    resolution: Positive
    made_with: dict[str, Any]


class FaceRecord(TypedDict):
    """The record of a face that was made."""

    index: Annotated[int, Ge(0), Le(MOST_FACES)]
    attempt: Annotated[int, Ge(0), Le(1000)]
    seed: Annotated[int, Ge(0)]
    split: Literal["train", "validation"]
    source: str | None
    """Id of the person whose attributes, and mostly whose map, it was told."""
    asked: str
    """Attributes that were asked for by name."""
    description: dict[str, str]
    attributes_told: Annotated[str, Len(40, 40)] | None
    """Forty signs -, 0 and +; None where the model is told none."""
    attributes_read: Annotated[str, Len(40, 40)] | None
    miou: Share | None
    """Mean IoU of the map read with the map told; None where there are not both."""
    attributes_right: Share | None
    """Share of the attributes told that were read so."""
    accepted: bool
    reasons: list[str]
    pixels: Digest
    labels: Digest | None
    """Of the pixels of the map told; None where none was, or the face was rejected."""
    read: Digest | None


class Exports(TypedDict):
    """What exports.json holds: the files made from the faces, by their place in the folder."""

    sha256: dict[str, Digest]
    forms: list[str]
    labels: Literal["told", "read"]
    count: Count


class Maps(NamedTuple):
    """The label maps of a face, as far as there are any."""

    told_HW: NDArray[np.uint8] | None
    read_HW: NDArray[np.uint8] | None


class SynthesizedFolder:
    """The files of one folder. Nothing is written before the first face."""

    def __init__(self, path: Path, *, count: int, resolution: int, made_with: Mapping[str, Any]) -> None:
        """Open the folder, or prepare a new one.

        Raises DataError when the folder is something else, or was made with other settings.
        """
        self.path = path
        self._head: dict[str, Any] = {
            "format": FORMAT, "version": VERSION, "count": count, "resolution": resolution,
            "made_with": as_written(made_with),
        }  # fmt: skip
        if (path / "synthesis.json").exists():
            before = read_head(path)
            if other := difference(before["made_with"], self._head["made_with"]):
                raise DataError(f"{path} was made with {other}", hint="choose another name=, or delete the folder")
            self._head["count"] = max(count, before["count"])
        elif path.is_dir() and any(path.iterdir()):
            raise DataError(f"{path} holds other files and no synthesis.json", hint="choose another name=")
        self._faces: dict[int, dict[int, FaceRecord]] = {}
        for record in read_records(path / "records.jsonl", FaceRecord):
            if self._is_there(record):
                self._faces.setdefault(record["index"], {})[record["attempt"]] = record

    @property
    def count(self) -> int:
        """Faces asked for, now or before, whichever are more."""
        return int(self._head["count"])

    @property
    def resolution(self) -> int:
        """Side of the pictures, pixels."""
        return int(self._head["resolution"])

    @property
    def made_with(self) -> dict[str, Any]:
        """What decides the faces (JSON values)."""
        return dict(self._head["made_with"])

    def _is_there(self, record: FaceRecord) -> bool:
        return all(file.is_file() for file in files_of(self.path, record))

    def accepted(self, index: int) -> FaceRecord | None:
        """The record of the accepted face number `index`; None when there is none."""
        return next((each for each in self._faces.get(index, {}).values() if each["accepted"]), None)

    def missing(self, index: int, tries: int) -> list[int]:
        """Attempts at face `index` that were not made, of those that come before it is accepted, or given up after `tries`."""
        made = self._faces.get(index, {})
        done = self.accepted(index)
        return [attempt for attempt in range(done["attempt"] if done else tries) if attempt not in made]

    def records(self, count: int) -> list[FaceRecord]:
        """The records of the first `count` faces, by face and attempt."""
        faces = sorted(index for index in self._faces if index < count)
        return [self._faces[index][attempt] for index in faces for attempt in sorted(self._faces[index])]

    def write(self, record: FaceRecord, image_HWC: NDArray[np.uint8], maps: Maps) -> None:
        """Write a face and its record; the hashes in the record are filled in."""
        if not (self.path / "synthesis.json").exists():
            write_json(self.path / "synthesis.json", self._head, checksum=True)
        kept = maps if record["accepted"] else Maps(None, None)
        labels, read = (None if each is None else digest_of_pixels(each) for each in kept)
        whole: FaceRecord = {**record, "pixels": digest_of_pixels(image_HWC), "labels": labels, "read": read}
        image, *others = files_of(self.path, whole)
        for file, labels_HW in zip(others, (each for each in kept if each is not None), strict=True):
            write_label_map(file, labels_HW)
        write_png(image, image_HWC)
        with RecordWriter(self.path / "records.jsonl", checksum=True) as writer:
            writer.write(dict(whole))
        self._faces.setdefault(whole["index"], {})[whole["attempt"]] = whole

    def finish(self) -> None:
        """Note how many faces were asked for, and put the records in order, those of files that are gone left out."""
        if self._faces:
            write_json(self.path / "synthesis.json", self._head, checksum=True)
            records = self.records(MOST_FACES + 1)
            write_records(self.path / "records.jsonl", map(dict, records), checksum=True)

    def read(self, record: FaceRecord) -> tuple[NDArray[np.uint8], Maps]:
        """Return a face with its maps. Raises DataError for a file that is not what its record vouches for."""
        return read_face(self.path, record)

    def note_exports(self, made: Sequence[Path], *, forms: Sequence[str], labels: str, count: int) -> None:
        """Write down what was made from the faces, so that it can be compared."""
        name, version = EXPORTS
        hashes = {file.relative_to(self.path).as_posix(): sha256_file(file) for file in sorted(made)}
        content = {
            "format": name, "version": version, "forms": list(forms), "labels": labels, "count": count, "sha256": hashes
        }  # fmt: skip
        write_json(self.path / "exports.json", content, checksum=True)


def files_of(folder: Path, record: FaceRecord) -> list[Path]:
    """The files of a face: its picture, the map told, the map read, as far as they were kept."""
    if not record["accepted"]:
        return [folder / "rejected" / f"{record['index']:06d}-{record['attempt']}.png"]
    place, name = folder / "data" / record["split"], f"{record['index']:06d}.png"
    maps = [place / kind / name for kind in ("labels", "read") if record[kind] is not None]
    return [place / "images" / name, *maps]


def read_face(folder: Path, record: FaceRecord) -> tuple[NDArray[np.uint8], Maps]:
    """Return a face of a folder with its maps. Raises DataError for a file that is not what its record vouches for."""
    image, *others = files_of(folder, record)
    kinds = [kind for kind in ("labels", "read") if record["accepted"] and record[kind] is not None]
    image_HWC = _compared(image, read_image(image), record["pixels"])
    found = {
        kind: _compared(file, read_label_map(file), record[kind])  # type: ignore[literal-required]
        for kind, file in zip(kinds, others, strict=True)
    }
    return image_HWC, Maps(found.get("labels"), found.get("read"))


def _compared(file: Path, pixels: NDArray[np.uint8], expected: str | None) -> NDArray[np.uint8]:
    if digest_of_pixels(pixels) != expected:
        raise DataError(f"{file} was altered: its pixels are not those its record vouches for", hint=AGAIN)
    return pixels


AGAIN = "delete it: facecond synthesize makes it again"


def read_head(folder: Path) -> SynthesisHead:
    """What synthesis.json says. Raises DataError when it is missing, damaged or of another version."""
    hint = "is this a folder made by facecond synthesize? Choose another name="
    return read_json(folder / "synthesis.json", SynthesisHead, format=(FORMAT, VERSION), hint=hint)


def read_exports(folder: Path) -> Exports:
    """What exports.json says. Raises DataError when it is missing, damaged or of another version."""
    return read_json(
        folder / "exports.json", Exports, format=EXPORTS, hint="delete it: facecond synthesize writes it again"
    )


def signs_of(values_A: NDArray[Any]) -> str:
    """Attributes, (40,) in {-1, 0, +1}, as forty signs."""
    return "".join(SIGNS[int(value) + 1] for value in values_A)


def attributes_of(signs: str | None) -> NDArray[np.int8]:
    """Undo `signs_of`: int8 (40,); nothing is said where there are no signs."""
    return np.array([SIGNS.index(sign) - 1 for sign in signs or "0" * 40], dtype=np.int8)
