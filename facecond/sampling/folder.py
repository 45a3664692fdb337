"""A folder of generated images: what it was made with, a record and a PNG per image, and all images as one array.

    generation.json    format, version, count, image shape, made_with (weights, sampler, ...), about (the pack)
    records.jsonl      one line per image, in order once the folder is complete; records-RANK.jsonl while several write
    images/NNNNNN.png  the pictures
    images.npy         the same, uint8 (N, H, W, 3), for measuring without decoding; rebuilt from the PNGs when deleted
    conditions/*       values of conditions that are no text, named by content (label maps in palette colours)

The record of an image is written after its pixels, so whatever has a record is whole. Format: docs/formats.md.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NotRequired, cast

import numpy as np
from annotated_types import Ge, Le, Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.conditions.table import CONDITIONS
from facecond.config.settings import difference
from facecond.errors import DataError
from facecond.io.arrays import is_remembered, open_array, remember, stamp
from facecond.io.documents import (
    Count,
    Digest,
    Pixels,
    RecordWriter,
    as_written,
    read_json,
    read_record,
    scan_records,
    write_json,
    write_records,
)
from facecond.io.files import explained, sha256_file
from facecond.io.images import digest_of_pixels, read_image, write_png

log = logging.getLogger("facecond")

FORMAT = "facecond-generation"
VERSION = 2
MOST_IMAGES = 10**8
"""Images of a folder: the index of their records is held in memory."""


class About(TypedDict, total=False):
    """What is kept beside images and does not decide about them."""

    pack: str
    """SHA-256 of the manifest of the pack whose items they were told, where that is the run's own."""
    noisy: dict[str, str]
    """Conditions told as a judge reads them off the real pictures -> that judge."""


class Manifest(TypedDict):
    """What generation.json holds."""

    count: Count
    image_shape: Annotated[list[Pixels], Len(3, 3)] | None
    made_with: dict[str, Any]
    about: About


class Told(TypedDict):
    """What an image was told of one condition."""

    value: str
    sha256: Digest
    given: NotRequired[Digest | None]
    """Of a value that was completed: SHA-256 of what had been given, None for nothing."""


class PictureRecord(TypedDict):
    """The record of an image."""

    index: Annotated[int, Ge(0), Le(MOST_IMAGES)]
    seed: int
    source: str | None
    description: dict[str, Any]
    told: dict[str, Told]
    pixels: NotRequired[Digest]
    place: dict[str, Any]


class RecordIndex:
    """Which images have a record and where it stands on the disk; records are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._files: list[Path] = []
        self._places = np.full((0, 2), -1, dtype=np.int64)  # number of the file, byte in it; -1 for none
        for file in [path / "records.jsonl", *sorted(path.glob("records-*.jsonl"))]:
            # of two for one image the later counts: it was deleted, made again
            for start, record in scan_records(file, PictureRecord):
                self.note(record["index"], file, start)

    def note(self, index: int, file: Path, start: int) -> None:
        """The record of image `index` begins at byte `start` of `file`."""
        if file not in self._files:
            self._files.append(file)
        if index >= len(self._places):
            more = max(1024, len(self._places), index + 1 - len(self._places))
            self._places = np.concatenate([self._places, np.full((more, 2), -1, dtype=np.int64)])
        self._places[index] = self._files.index(file), start

    def forget(self, index: int) -> None:
        """Image `index` has no record that counts."""
        self._places[index] = -1

    def __contains__(self, index: int) -> bool:
        return index < len(self._places) and bool(self._places[index, 0] >= 0)

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self._places[:, 0] >= 0).tolist())

    def __len__(self) -> int:
        return int((self._places[:, 0] >= 0).sum())

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The record of image `index`; KeyError when it has none."""
        if index not in self:
            raise KeyError(index)
        file, start = self._places[index].tolist()
        with self._files[file].open("rb") as stream:
            stream.seek(start)
            record = read_record(stream.readline(), PictureRecord, f"{self._files[file]}, byte {start}")
        return cast("dict[str, Any]", record)


class GenerationFolder:
    """The files of one generation; several processes may hold one each on the same path, writing different images."""

    def __init__(
        self,
        path: Path,
        *,
        made_with: Mapping[str, Any],
        about: Mapping[str, Any],
        count: int,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the folder, or make it for `count` images; `defaults` say what settings mean that it does not record.

        Raises DataError when it was made with something else than `made_with`.
        """
        self.path = path
        self._made_with: dict[str, Any] = as_written(made_with)
        self._about: dict[str, Any] = as_written(about)
        self.count = count
        self._array_ready = False
        names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        if (path / "generation.json").exists():  # asked after listing: other processes write it first of all
            before = read_manifest(path)
            if other := difference(before["made_with"], self._made_with, defaults=defaults):
                raise DataError(
                    f"{path} was made with {other}",
                    hint="choose another folder, or repeat the settings in its generation.json",
                )
            self._about = dict(before["about"])
            self.count = before["count"]
        elif all(name.startswith(".generation.") for name in names):  # empty, or another process is just beginning it
            self._write_manifest(None)
        else:
            raise DataError(
                f"{path} holds other files and no generation.json",
                hint="bring that back; or delete the folder, or choose another: name=...",
            )
        with explained(path):
            (path / "images").mkdir(exist_ok=True)
        self.records = RecordIndex(path)
        for index in self.records:
            if not self._image(index).exists():
                self.records.forget(index)

    def lengthen(self, count: int) -> None:
        """Let the folder hold at least `count` images."""
        if count > self.count:
            self.count = count
            self._write_manifest(read_manifest(self.path)["image_shape"])

    def _write_manifest(self, image_shape: list[int] | None) -> None:
        content = {
            "format": FORMAT, "version": VERSION, "count": self.count, "image_shape": image_shape,
            "made_with": self._made_with, "about": self._about,
        }  # fmt: skip
        write_json(self.path / "generation.json", content, checksum=True)

    def _image(self, index: int) -> Path:
        return self.path / "images" / f"{index:06d}.png"

    def prepare_array(self, image_shape: tuple[int, ...]) -> None:
        """Make or lengthen images.npy, (count, H, W, 3) uint8, when needed.

        DataError when the images of this folder have another shape.
        """
        if self._array_ready:
            return
        path = self.path / "images.npy"
        manifest = read_manifest(self.path)
        known = manifest["image_shape"]
        if known is not None and tuple(known) != image_shape:
            raise DataError(f"{self.path} holds images of shape {tuple(known)}, these are {image_shape}")
        if known is None:
            self._write_manifest(list(image_shape))
        shape = (self.count, *image_shape)
        if not path.exists():
            _make_array(path, shape, ((index, self.read_png(index)) for index in self.records))
        _lengthen_array(path, shape)
        self._array_ready = True

    def write_rows(self, indices: Sequence[int], images_BHWC: NDArray[np.uint8]) -> None:
        """Write pictures into images.npy, and flush it."""
        image_shape = images_BHWC.shape[1:]
        self.prepare_array(image_shape)
        _write_rows(self.path / "images.npy", (self.count, *image_shape), indices, images_BHWC)

    def read_png(self, index: int) -> NDArray[np.uint8]:
        """Return one image (H, W, 3) uint8 from its PNG. Raises DataError when it is not the one that was recorded."""
        image_HWC = read_image(self._image(index))
        expected = self.records[index].get("pixels") if index in self.records else None
        if expected is not None and digest_of_pixels(image_HWC) != expected:
            raise DataError(
                f"{self._image(index)} was altered: its pixels are not those that its record vouches for",
                hint="delete it: the command that sampled it makes it again",
            )
        return image_HWC

    def mend_array(self, *, again: bool = False) -> None:
        """Make rows of images.npy that are not what their records vouch for again from the PNGs.

        What was found in order and not written since is not read `again`.

        Raises DataError for a PNG that is not what was recorded either.
        """
        name, records = "images.npy", self.path / "records.jsonl"
        agreed = sha256_file(records) if records.is_file() else ""
        if not again and is_remembered(self.path, name, agreed):
            return
        images = open_images(self.path / name)
        before = stamp(self.path / name)
        mended = False
        for index in self.records:
            expected = self.records[index].get("pixels")
            if expected is not None and digest_of_pixels(images[index]) != expected:
                _write_rows(self.path / name, images.shape, [index], [self.read_png(index)])
                log.warning("row %d of %s was altered; made again from its PNG", index, self.path / name)
                mended = True
        remember(self.path, name, agreed, stamp(self.path / name) if mended else before)

    def write_image(self, index: int, image_HWC: NDArray[np.uint8]) -> None:
        """Write one picture as PNG, whole or not at all."""
        write_png(self._image(index), image_HWC)

    def append(self, records: Iterable[Mapping[str, Any]], rank: int, world_size: int) -> None:
        """Write down images that are on disk."""
        file = self.path / ("records.jsonl" if world_size == 1 else f"records-{rank:04d}.jsonl")
        with RecordWriter(file, checksum=True) as writer:
            for record in records:
                self.records.note(record["index"], file, writer.write(dict(record)))


def finish(path: Path) -> int:
    """Merge the records of all processes into records.jsonl, sorted by index; return how many there are.

    Call it in one process, when all have ended. Calling it again changes nothing.
    """
    records = RecordIndex(path)
    write_records(path / "records.jsonl", (records[index] for index in records), checksum=True)
    for part in path.glob("records-*.jsonl"):
        part.unlink()
    return len(records)


def read_manifest(path: Path) -> Manifest:
    """Return generation.json of a folder; DataError when there is none, or it is damaged or of another kind or version."""
    hint = "is this a folder made by facecond sample? If it was damaged, sample again into another"
    return read_json(path / "generation.json", Manifest, format=(FORMAT, VERSION), hint=hint)


def read_values(folder: Path, record: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the values an image was made with, by condition. Raises DataError for a file that is missing or damaged."""
    told: Mapping[str, Told] = record["told"]
    if unknown := sorted(told.keys() - CONDITIONS.keys()):
        raise DataError(f"a record of {folder}: told has {unknown[0]!r}", hint=f"known: {', '.join(CONDITIONS)}")
    values = {name: CONDITIONS[name].recall(each["value"], folder) for name, each in told.items()}
    for name, value in values.items():
        if digest_of(value) != told[name]["sha256"]:
            raise DataError(
                f"{folder}: {told[name]['value']} was altered: it is not the {name} that image {record['index']} was told",
                hint="sample again into another folder",
            )
    return values


def digest_of(value: NDArray[Any]) -> str:
    """SHA-256 of kind, shape and content of a value."""
    digest = hashlib.sha256(f"{value.dtype}{value.shape}".encode())
    digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _header(shape: tuple[int, ...]) -> bytes:
    # numpy pads the header so that the first axis can grow without moving the data.
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return content.getvalue()


def _make_array(path: Path, shape: tuple[int, ...], rows: Iterable[tuple[int, NDArray[np.uint8]]]) -> None:
    """Make an array of zeros with some rows filled, whole or not at all, unless it is there. Several processes may try."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npy")
    try:
        with explained(path), temporary.open("wb") as stream:
            header = _header(shape)
            stream.write(header)
            stream.truncate(len(header) + int(np.prod(shape)))
        for index, image_HWC in rows:
            _write_rows(temporary, shape, [index], [image_HWC])
        with suppress(FileExistsError):
            path.hardlink_to(temporary)  # unlike a rename, this fails when another process was first
    finally:
        temporary.unlink(missing_ok=True)


def open_images(path: Path) -> NDArray[np.uint8]:
    """The pictures as one array, mapped from the disk, read-only. Raises DataError when the file is damaged."""
    return open_array(path, np.uint8, (None, None, None, 3), hint="delete it, it is made again from the PNGs")


def _lengthen_array(path: Path, shape: tuple[int, ...]) -> None:
    """Give the array more rows in place when it has fewer than `shape` says."""
    if open_images(path).shape[0] >= shape[0]:
        return
    header = _header(shape)
    with explained(path), path.open("r+b") as stream:
        stream.truncate(len(header) + int(np.prod(shape)))
        stream.write(header)


def _write_rows(
    path: Path, shape: tuple[int, ...], indices: Sequence[int], images: Iterable[NDArray[np.uint8]]
) -> None:
    """Write rows of the array with plain writes: a memory map would count what was written as memory of this process."""
    start, size = len(_header(shape)), int(np.prod(shape[1:]))
    with explained(path), path.open("r+b") as stream:
        for index, image_HWC in zip(indices, images, strict=True):
            stream.seek(start + index * size)
            stream.write(np.ascontiguousarray(image_HWC).tobytes())
        stream.flush()
        os.fsync(stream.fileno())
