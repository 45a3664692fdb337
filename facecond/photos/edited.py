"""The folder of edited pictures.

    edit.json         format, version, made_with: all that decides the pictures beside the photographs themselves
    images/NAME.png   the pictures, as large as they came; the bytes outside of the region are theirs
    regions/NAME.png  where each might change, as large as it: 255 there, 0 elsewhere
    records.jsonl     one line per picture: source, its hash, the frame, the region, what the model was told before and after
    sheet.png         before and after, to look at

A record is written after its picture and region. A photograph is known by the hash of its file, an item by the hash of its pixels.
Format: docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import degrees
from pathlib import Path
from typing import Annotated, Any, NotRequired

import numpy as np
from annotated_types import Ge, Le, Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.config.settings import difference
from facecond.errors import DataError
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
from facecond.io.images import digest_of_pixels, read_image, write_png
from facecond.photos.folder import FrameRecord, name_among
from facecond.photos.frame import Frame

FORMAT, VERSION = "facecond-edits", 1


class EditsHead(TypedDict):
    """What edit.json holds."""

    made_with: dict[str, Any]


class EditRecord(TypedDict):
    """The record of an edited picture."""

    name: Annotated[str, Len(1, 255)]
    source: str
    sha256: Digest
    size: Annotated[list[Pixels], Len(2, 2)]
    frame: FrameRecord
    seed: Annotated[int, Ge(0)]
    before: dict[str, str]
    after: dict[str, str]
    region: Annotated[Finite, Ge(0), Le(1)]
    """Share of the frame that might change."""
    changed: Annotated[Finite, Ge(0), Le(1)]
    """Share of the picture's pixels that did."""
    outside: NotRequired[Annotated[int, Ge(0)]]
    """Number of pixels outside of the region that did: 0."""
    pixels: Digest
    region_pixels: NotRequired[Digest]
    """Of the region's picture; records that have none are of a time when edits reached beyond it, and are made again."""


class EditedFolder:
    """The files of one folder. Nothing is written before the first picture."""

    def __init__(self, path: Path, *, made_with: Mapping[str, Any]) -> None:
        """Open the folder, or prepare a new one.

        Raises DataError when the folder is something else, or was made with other settings.
        """
        self.path = path
        self._content: dict[str, Any] = {"format": FORMAT, "version": VERSION, "made_with": dict(made_with)}
        if (path / "edit.json").exists():
            before = read_json(path / "edit.json", EditsHead, format=(FORMAT, VERSION), hint="choose another name=")
            if other := difference(before["made_with"], self._content["made_with"]):
                raise DataError(f"{path} was made with {other}", hint="choose another name=, or delete the folder")
        elif path.is_dir() and any(path.iterdir()):
            raise DataError(f"{path} holds other files and no edit.json", hint="choose another name=")
        self._records = {
            record["sha256"]: record
            for record in read_records(path / "records.jsonl", EditRecord)
            if self._is_whole(record)
        }

    def _is_whole(self, record: EditRecord) -> bool:
        try:
            return digest_of_pixels(read_image(self.file("images", record))) == record["pixels"] and digest_of_pixels(
                read_region(self.file("regions", record))
            ) == record.get("region_pixels")
        except DataError:
            return False

    def file(self, kind: str, record: EditRecord) -> Path:
        """Where a picture (`kind` = images) or its region (regions) is."""
        return inside(self.path / kind, f"{record['name']}.png", of=f"a record of {self.path}, name")

    def get(self, digest: str) -> EditRecord | None:
        """The record of the picture whose source has this SHA-256, when it is finished."""
        return self._records.get(digest)

    def write(
        self,
        picture_HWC: NDArray[np.uint8],
        own_HWC: NDArray[np.uint8],
        *,
        source: str,
        digest: str,
        frame: Frame,
        region: float,
        region_HW: NDArray[np.bool_],
        seed: int,
        told: tuple[Mapping[str, str], Mapping[str, str]],
    ) -> EditRecord:
        """Write a picture, its region and its record, and return that.

        `own_HWC` is what the picture was before, `region` the share of the frame and `region_HW` the pixels of the picture that
        might change, `told` what it showed and should show (condition -> words).
        """
        if not self._records:
            write_json(self.path / "edit.json", self._content, checksum=True)
        height, width = picture_HWC.shape[:2]
        changed_HW, stated_HW = (picture_HWC != own_HWC).any(axis=-1), region_HW * np.uint8(255)
        record: EditRecord = {
            "name": self._name(source, digest),
            "source": source,
            "sha256": digest,
            "size": [width, height],
            "frame": {"x": frame.x, "y": frame.y, "side": frame.side, "roll": degrees(frame.roll)},
            "seed": seed,
            "before": dict(told[0]),
            "after": dict(told[1]),
            "region": round(region, 6),
            "changed": round(float(changed_HW.mean()), 6),
            "outside": int((changed_HW & ~region_HW).sum()),
            "pixels": digest_of_pixels(picture_HWC),
            "region_pixels": digest_of_pixels(stated_HW),
        }
        write_png(self.file("regions", record), stated_HW)
        write_png(self.file("images", record), picture_HWC)
        with RecordWriter(self.path / "records.jsonl", checksum=True) as writer:
            writer.write(dict(record))
        self._records[digest] = record
        return record

    def finish(self) -> None:
        """Drop the records that were replaced."""
        if self._records:
            write_records(self.path / "records.jsonl", map(dict, self._records.values()), checksum=True)

    def _name(self, source: str, digest: str) -> str:
        return name_among({record["name"].lower() for record in self._records.values()}, Path(source), digest)


def read_region(path: Path) -> NDArray[np.uint8]:
    """Return where a picture might change, uint8 (H, W): 255 there, 0 elsewhere. Raises DataError as `read_image` does."""
    return read_image(path)[..., 0]
