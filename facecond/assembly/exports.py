"""Accepted faces in the forms that other programs read: a pack, an image folder with metadata, COCO and Croissant files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from facecond.config.commands.synthesize import LabelsFrom
from facecond.data.pack import Finding
from facecond.data.source import Face, Items, stack
from facecond.errors import DataError
from facecond.faces.checks import check_labels_of_a_face
from facecond.io.documents import write_json, write_records
from facecond.io.files import atomic_write
from facecond.io.images import write_png
from facecond.progress import bar
from facecond.synthesized import coco
from facecond.synthesized.croissant import croissant
from facecond.synthesized.folder import (
    SPLITS,
    FaceRecord,
    SynthesizedFolder,
    attributes_of,
    read_exports,
    read_face,
)
from facecond.synthesized.imagefolder import card, row_of

KIND = "synthesized"
"""Of the source, in packs."""


class SynthesizedFaces:
    """The accepted faces of a folder, to be packed; a `Source`."""

    def __init__(
        self, path: Path, accepted: Sequence[FaceRecord], labels: LabelsFrom, made_with: Mapping[str, Any]
    ) -> None:
        self.path, self._accepted, self._labels = path, list(accepted), labels
        self._made_with = dict(made_with)
        self.ids = [f"{record['index']:06d}" for record in accepted]
        self.splits: list[str] = [record["split"] for record in accepted]
        self.findings: list[Finding] = []

    def __len__(self) -> int:
        return len(self.ids)

    def describe(self) -> dict[str, Any]:
        """Return what tells these faces from others: the weights, and a hash of what every record says."""
        said = "\n".join(json.dumps(record, sort_keys=True) for record in self._accepted)
        return {
            "kind": KIND, "labels": self._labels.name, "count": len(self),
            "weights": self._made_with["weights"], "faces": hashlib.sha256(said.encode()).hexdigest(),
        }  # fmt: skip

    def read_many(self, indices: Sequence[int], resolution: int) -> Items:
        """Read the faces `indices`. Raises DataError for a file that was altered."""
        return stack([self._read(self._accepted[index]) for index in indices])

    def _read(self, record: FaceRecord) -> Face:
        image_HWC, maps = read_face(self.path, record)
        labels_HW = maps.told_HW if self._labels is LabelsFrom.told else maps.read_HW
        assert labels_HW is not None
        read = self._labels is LabelsFrom.read and record["attributes_read"] is not None
        signs = record["attributes_read"] if read else record["attributes_told"]
        return Face(image_HWC, labels_HW, attributes_of(signs), check_labels_of_a_face(labels_HW))


def export(
    folder: SynthesizedFolder,
    accepted: Sequence[FaceRecord],
    *,
    forms: Sequence[str],
    labels: LabelsFrom,
    name: str,
    words: Sequence[str],
) -> None:
    """Write what other programs read of the accepted faces, beside them.

    `words` say what the faces are. Files of an export before that are not written again are deleted.
    """
    before = _exported(folder.path)
    files: list[Path] = []
    if "imagefolder" in forms:
        files += list(_image_folder(folder.path, accepted, name, words))
    if "coco" in forms:
        files += list(_coco(folder.path, accepted, labels, name))
    if "croissant" in forms:
        today = datetime.now(UTC).date().isoformat()
        content = croissant(name, accepted, description=" ".join(words), published=today, licence=None)
        write_json(folder.path / "croissant.json", content)
        files.append(folder.path / "croissant.json")
    folder.note_exports(files, forms=forms, labels=labels.name, count=len(accepted))
    for place in before:
        file = folder.path / place
        if file not in files:
            file.unlink(missing_ok=True)


def exported(path: Path, forms: Sequence[str]) -> dict[str, Path]:
    """What `export` writes into a folder, by name."""
    places = {
        "image folder": ("imagefolder", "data"), "COCO files": ("coco", "annotations"),
        "Croissant metadata": ("croissant", "croissant.json"),
    }  # fmt: skip
    return {name: path / place for name, (form, place) in places.items() if form in forms}


def _exported(path: Path) -> list[str]:
    """Files of the export before."""
    try:
        return list(read_exports(path)["sha256"]) if (path / "exports.json").is_file() else []
    except DataError:
        return []


def _image_folder(path: Path, accepted: Sequence[FaceRecord], name: str, words: Sequence[str]) -> Iterator[Path]:
    for split in SPLITS:
        rows = [row_of(record) for record in accepted if record["split"] == split]
        if rows:
            write_records(path / "data" / split / "metadata.jsonl", rows)
            yield path / "data" / split / "metadata.jsonl"
    with atomic_write(path / "README.md") as temporary:
        temporary.write_text(card(name, words), encoding="utf-8")
    yield path / "README.md"


def _coco(path: Path, accepted: Sequence[FaceRecord], labels: LabelsFrom, name: str) -> Iterator[Path]:
    place = path / "annotations"
    about = {"description": f"{name}: labels as {labels.name}", "version": "1.0"}
    with bar("COCO files", len(accepted)) as progress:
        for split in SPLITS:
            faces = []
            for record in (each for each in accepted if each["split"] == split):
                _, maps = read_face(path, record)
                labels_HW = maps.told_HW if labels is LabelsFrom.told else maps.read_HW
                assert labels_HW is not None
                called = f"data/{split}/images/{record['index']:06d}.png"
                faces.append(coco.Labelled(record["index"] + 1, called, np.asarray(labels_HW)))
                file = place / f"panoptic_{split}" / f"{record['index']:06d}.png"
                write_png(file, coco.panoptic_picture(labels_HW))
                yield file
                progress.update(1)
            if faces:
                for kind, content in (("instances", coco.instances), ("panoptic", coco.panoptic)):
                    with atomic_write(place / f"{kind}_{split}.json") as temporary:
                        temporary.write_text(_compact(content(faces, about)), encoding="utf-8")
                    yield place / f"{kind}_{split}.json"


def _compact(content: Mapping[str, Any]) -> str:
    return json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n"


def is_exported(
    folder: SynthesizedFolder, accepted: Sequence[FaceRecord], *, forms: Sequence[str], labels: LabelsFrom
) -> bool:
    """Whether the files that `export` would write are there, of the same faces."""
    try:
        there = read_exports(folder.path)
    except DataError:
        return False
    return (
        (there["forms"], there["labels"], there["count"]) == (list(forms), labels.name, len(accepted))
        and all((folder.path / place).is_file() for place in there["sha256"])
    )  # fmt: skip
