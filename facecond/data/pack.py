"""The pack: one folder with pictures, label maps and attributes as memory-mapped arrays (docs/formats.md, "pack").

    images.npy      uint8 (N, H, W, 3)   RGB
    labels.npy      uint8 (N, H, W)      classes 0..18 in CelebAMask-HQ's order, 255 = nothing said
    attributes.npy  int8  (N, 40)        -1, +1, 0 = unknown
    NAME.npy        what conditions derive from pictures and label maps
    manifest.json   written last; a folder without it is no pack

`latents/` inside a pack belongs to `facecond.data.latents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NotRequired

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.conditions.condition import Condition
from facecond.conditions.table import CONDITIONS
from facecond.data.arrays import ArraySpec, ArrayWriter, require_finished
from facecond.errors import DataError
from facecond.faces.attributes import ATTRIBUTES, NUM_ATTRIBUTES
from facecond.faces.labels import CLASSES, NUM_CLASSES, UNSPECIFIED
from facecond.io.arrays import open_array, require_unaltered
from facecond.io.documents import Count, Digest, Pixels, Range, read_json
from facecond.io.files import inside, sha256_file
from facecond.progress import bar

FORMAT = "facecond-pack"
VERSION = 1
GIVEN = ("images", "labels", "attributes")
"""Arrays that every source of faces gives."""
DERIVED = {each.column.name: each.column for each in CONDITIONS.values() if each.column.derive is not None}
"""Arrays that conditions derive from them."""
SPLITS = ("train", "validation")
EXCLUDED = "excluded"
"""Split of items that stand in the arrays but must not be used, because their picture or label map could not be
read."""


class Finding(NamedTuple):
    """Something to know about one item: its id, a short name of the problem, and the particulars."""

    id: str
    problem: str
    detail: str


class Entry(TypedDict):
    """A finding in the manifest."""

    id: str
    problem: str
    detail: str


class ClassCounts(TypedDict):
    """Of a split: pixels of each class, items that have it, and pixels without a label."""

    pixels: Annotated[list[Count], Len(NUM_CLASSES, NUM_CLASSES)]
    items: Annotated[list[Count], Len(NUM_CLASSES, NUM_CLASSES)]
    unspecified_pixels: Count


class AttributeCounts(TypedDict):
    """Of a split: items in which each attribute is present, and absent."""

    present: Annotated[list[Count], Len(NUM_ATTRIBUTES, NUM_ATTRIBUTES)]
    absent: Annotated[list[Count], Len(NUM_ATTRIBUTES, NUM_ATTRIBUTES)]


class Manifest(TypedDict):
    """What manifest.json holds."""

    resolution: Pixels
    source: dict[str, Any]
    ids: Annotated[list[str], Len(1)]
    splits: dict[str, list[Range]]
    classes: dict[str, ClassCounts]
    attributes: dict[str, AttributeCounts]
    suspicious: list[Entry]
    sha256: dict[str, Digest]
    notes: NotRequired[list[str]]


class Pack:
    """A complete pack, opened read-only. Make one with `Pack.open`.

    `images` uint8 (N, H, W, 3), `labels` uint8 (N, H, W), `attributes` int8 (N, 40) are memory maps; `ids` are N
    strings; `splits` N names out of train, validation (and others the source declares, or excluded).
    """

    def __init__(self, path: Path, manifest: Manifest, arrays: Mapping[str, np.memmap[Any, Any]]) -> None:
        self.path = path
        self.manifest = manifest
        self.resolution: int = manifest["resolution"]
        self.ids: list[str] = manifest["ids"]
        self.images = arrays["images"]
        self.labels = arrays["labels"]
        self.attributes = arrays["attributes"]
        self.arrays = arrays
        self.splits: list[str] = split_names(manifest["splits"], len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def open(cls, path: str | Path) -> Pack:
        """Open the pack in folder `path`. Raises DataError when it is none, is unfinished, damaged or of another
        version.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        count, size = len(manifest["ids"]), manifest["resolution"]
        listed = {Path(name).stem for name in manifest["sha256"]}
        specs = {name: spec for name, spec in _specs(size).items() if name in listed or name in GIVEN}
        arrays = {
            name: open_array(folder / f"{name}.npy", spec.dtype, (count, *spec.row), hint=_ALTERED)
            for name, spec in specs.items()
        }
        for name in manifest["sha256"]:
            inside(folder, name, of=f"{folder / 'manifest.json'}, sha256")
        require_unaltered(folder, manifest["sha256"], hint=_ALTERED)
        return cls(folder, manifest, arrays)

    def indices(self, split: str) -> NDArray[np.int64]:
        """Return the items of a split, int64, rising. Raises DataError for a split this pack does not have or an
        empty one.
        """
        known = {*SPLITS, *self.splits} - {EXCLUDED}
        if split not in known:
            raise DataError(f"{self.path} has no split {split!r}, only {', '.join(sorted(known))}")
        found = np.flatnonzero(np.array(self.splits) == split).astype(np.int64)
        if not len(found):
            raise DataError(f"the {split} split of {self.path} is empty", hint="see `notes` in its manifest.json")
        return found

    def values(self, condition: Condition) -> NDArray[Any]:
        """Return the array (N, ...) of a condition's values. Raises DataError when the pack was made without it."""
        name = condition.column.name
        if name not in self.arrays:
            raise DataError(f"{self.path} has no {name}.npy", hint="it was packed by an older version; pack it again")
        return self.arrays[name]

    def index_of(self, item: str) -> int:
        """Return the index of the item with this id. Raises DataError when there is none."""
        try:
            return self.ids.index(item)
        except ValueError:
            raise DataError(f"{self.path} holds no item {item!r}") from None

    @property
    def findings(self) -> list[Finding]:
        """What was noticed while packing."""
        return [Finding(**entry) for entry in self.manifest["suspicious"]]


class Notes(TypedDict):
    """What is kept of a piece until the manifest is written: entries of findings, and items that no split may use."""

    findings: list[Annotated[list[str], Len(3, 3)]]
    excluded: list[Count]


class PackWriter:
    """Writes a pack in pieces; running again goes on where it stopped.

    `source` (plain JSON values) describes where the items come from; a folder begun for another source, count or
    resolution is refused with a DataError, and so is a folder that holds something else.
    """

    def __init__(self, path: str | Path, *, count: int, resolution: int, source: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.resolution = resolution
        self.source = dict(source)
        if (self.path / "manifest.json").exists():
            raise DataError(f"{self.path} is a finished pack", hint="choose another name, or delete the folder")
        identity = {
            "format": FORMAT,
            "version": VERSION,
            "count": count,
            "resolution": resolution,
            "source": self.source,
        }
        self._arrays = ArrayWriter(self.path, count, _specs(resolution), identity, noted=Notes | None)

    @property
    def done(self) -> int:
        """Number of items written."""
        return self._arrays.done

    @property
    def findings(self) -> list[Finding]:
        """Findings given to `write` so far, by rising item."""
        notes = self._arrays.notes
        return [Finding(*entry) for start in sorted(notes) for entry in notes[start]["findings"]]

    def missing(self, step: int = 64) -> list[slice]:
        """Return slices of at most `step` items that cover what is not written yet."""
        return self._arrays.missing(step)

    def write(
        self,
        rows: slice,
        images_NHWC: NDArray[np.uint8],
        labels_NHW: NDArray[np.uint8],
        attributes_NA: NDArray[np.int8],
        derived: Mapping[str, NDArray[Any]] | None = None,
        *,
        findings: Iterable[Finding] = (),
        excluded: Iterable[int] = (),
    ) -> None:
        """Write the items `rows` (a slice of pack indices).

        `derived` holds the arrays of DERIVED; None = derive them here. `findings` are kept for the manifest; `excluded`
        are pack indices that no split may use. Raises ValueError when shapes, types or values (labels 0..18 or 255,
        attributes -1..1) do not fit.
        """
        if np.any((labels_NHW >= NUM_CLASSES) & (labels_NHW != UNSPECIFIED)):
            raise ValueError("label maps hold values that are no classes")
        if np.any(np.abs(attributes_NA) > 1):
            raise ValueError("attributes hold values other than -1, 0, 1")
        notes = {"findings": [list(finding) for finding in findings], "excluded": [int(index) for index in excluded]}
        arrays = {"images": images_NHWC, "labels": labels_NHW, "attributes": attributes_NA}
        arrays |= derive(images_NHWC, labels_NHW) if derived is None else derived
        self._arrays.write(rows, arrays, notes if any(notes.values()) else None)

    def finish(
        self,
        ids: Sequence[str],
        splits: Sequence[str],
        suspicious: Iterable[Finding] = (),
        *,
        notes: Iterable[str] = (),
    ) -> Pack:
        """Count classes and attributes, hash the files, write the manifest, and return the pack.

        `ids` and `splits` have one entry per item; `suspicious` are findings beyond those given to `write`; `notes` are
        sentences about the pack as a whole.
        """
        if not len(ids) == len(splits) == self._arrays.count or len(set(ids)) != len(ids):
            raise ValueError("ids and splits must have one entry per item, and ids must differ")
        divided = list(splits)
        for note in self._arrays.notes.values():
            for index in note["excluded"]:
                divided[index] = EXCLUDED
        groups = {name: np.flatnonzero(np.array(divided) == name) for name in dict.fromkeys([*SPLITS, *divided])}
        findings = [*suspicious, *self.findings]
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "resolution": self.resolution,
            "count": len(ids),
            "source": self.source,
            "class_order": list(CLASSES),
            "attribute_names": list(ATTRIBUTES),
            "notes": [*notes, *(f"the {name} split is empty" for name in SPLITS if not len(groups[name]))],
            "classes": self._count_classes(groups),
            "attributes": self._count_attributes(groups),
            "suspicious": [finding._asdict() for finding in findings],
            "sha256": {f"{name}.npy": sha256_file(self._arrays.path(name)) for name in self._arrays.specs},
            "splits": {name: runs(indices) for name, indices in groups.items()},
            "ids": list(ids),
        }
        self._arrays.finish(manifest)
        return Pack.open(self.path)

    def _count_classes(self, groups: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
        """Per split: pixels and items of each class, and pixels about which nothing is said."""
        labels, counts = self._arrays.open("labels"), np.zeros((self._arrays.count, 256), dtype=np.int64)
        with bar("counting classes", self._arrays.count) as progress:
            for index in range(self._arrays.count):
                counts[index] = np.bincount(labels[index].ravel(), minlength=256)
                progress.update(1)
        return {
            name: {
                "pixels": counts[indices, :NUM_CLASSES].sum(0).tolist(),
                "items": (counts[indices, :NUM_CLASSES] > 0).sum(0).tolist(),
                "unspecified_pixels": int(counts[indices, UNSPECIFIED].sum()),
            }
            for name, indices in groups.items()
        }

    def _count_attributes(self, groups: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
        """Per split: items in which each attribute is present and absent; the rest are unknown."""
        attributes = np.asarray(self._arrays.open("attributes"))
        return {
            name: {
                "present": (attributes[indices] == 1).sum(0).tolist(),
                "absent": (attributes[indices] == -1).sum(0).tolist(),
            }
            for name, indices in groups.items()
        }


def derive(images_NHWC: NDArray[np.uint8], labels_NHW: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return what conditions derive from pictures, uint8 (N, H, W, 3), and label maps, uint8 (N, H, W): the arrays of DERIVED."""
    return {
        name: column.derive(images_NHWC, labels_NHW) for name, column in DERIVED.items() if column.derive is not None
    }


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the pack in `folder`. Raises DataError when there is none or it is not of this format."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such pack", hint="make one with `facecond data draw` or `facecond data pack`")
    if not (folder / "manifest.json").exists():
        raise DataError(
            f"{folder} is not a finished pack: it has no manifest.json",
            hint="run the command that was writing it again, or name another folder",
        )
    manifest = read_json(folder / "manifest.json", Manifest, format=(FORMAT, VERSION), hint=_ALTERED)
    require_finished(folder, _ALTERED)
    return manifest


_ALTERED = "bring the file back, pack again, or name another pack"


def runs(indices: NDArray[np.int64]) -> list[list[int]]:
    """Write rising indices as ranges [first, last + 1]; the short form splits have in the manifest."""
    if not len(indices):
        return []
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    return [[int(piece[0]), int(piece[-1]) + 1] for piece in np.split(indices, breaks)]


def split_names(splits: Mapping[str, Sequence[Sequence[int]]], count: int) -> list[str]:
    """Undo `runs` for all splits: one name per item. Raises DataError unless every item is in exactly one split."""
    names = [""] * count
    for name, pieces in splits.items():
        for start, stop in pieces:
            if not 0 <= start < stop <= count or any(names[start:stop]):
                raise DataError(f"the splits of the manifest are damaged at {name} {start}:{stop}")
            names[start:stop] = [name] * (stop - start)
    if not all(names):
        raise DataError(f"the splits of the manifest leave out item {names.index('')}")
    return names


def _specs(resolution: int) -> dict[str, ArraySpec]:
    derived = {name: ArraySpec(each.shape(resolution), np.dtype(each.dtype)) for name, each in DERIVED.items()}
    return {
        "images": ArraySpec((resolution, resolution, 3), np.dtype(np.uint8)),
        "labels": ArraySpec((resolution, resolution), np.dtype(np.uint8)),
        "attributes": ArraySpec((NUM_ATTRIBUTES,), np.dtype(np.int8)),
        **derived,
    }
