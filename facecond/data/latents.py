"""Latents of every picture of a pack, computed once per first stage (docs/formats.md, "latents").

    PACK/latents/HASH/latents.npy          float16 (N, C, h, w)   before quantisation, unscaled
    PACK/latents/HASH/latents_flipped.npy  float16 (N, C, h, w)   of the mirrored pictures, when flips are on
    PACK/latents/HASH/manifest.json        written last

HASH is the first 12 hexadecimal digits of the first stage's SHA-256. A mirrored copy is kept because encoding does not
commute with mirroring.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.data.arrays import FINISHED_FILE, ArraySpec, ArrayWriter, require_finished
from facecond.errors import DataError
from facecond.io.arrays import open_array, require_unaltered
from facecond.io.documents import Digest, Finite, NotNegative, Pixels, Positive, finished_at, read_json
from facecond.io.files import sha256_file

FORMAT = "facecond-latents"
VERSION = 1
HASH_DIGITS = 12
_ALTERED = "delete the folder, encode again"


def latents_folder(pack_path: str | Path, first_stage_hash: str) -> Path:
    """Folder of the latents one first stage (SHA-256, at least 12 hexadecimal digits of it) gave for a pack."""
    if len(first_stage_hash) < HASH_DIGITS:
        raise ValueError(f"a first stage is named by at least {HASH_DIGITS} digits of its hash")
    return Path(pack_path) / "latents" / first_stage_hash[:HASH_DIGITS]


class Manifest(TypedDict):
    """What manifest.json holds."""

    first_stage: Annotated[str, Len(HASH_DIGITS, 64)]
    count: Positive
    shape: Annotated[list[Pixels], Len(3, 3)]
    flips: bool
    mean: list[Finite]
    std: list[NotNegative]
    sha256: dict[str, Digest]


class LatentStore:
    """Complete latents, opened read-only. Make one with `LatentStore.open`.

    `latents` and `latents_flipped` (None without flips) are float16 (N, C, h, w) memory maps; `mean` and `std` float32
    (C,) are those of the training split, mirrored copies included.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.first_stage: str = manifest["first_stage"]
        self.shape: tuple[int, ...] = tuple(manifest["shape"])
        self.latents = self._array("latents")
        self.latents_flipped = self._array("latents_flipped") if manifest["flips"] else None
        self.mean, self.std = self._per_channel("mean"), self._per_channel("std")

    @classmethod
    def open(cls, pack_path: str | Path, first_stage_hash: str) -> LatentStore:
        """Open the latents of a pack. Raises DataError when this first stage left none, or unfinished ones."""
        folder = latents_folder(pack_path, first_stage_hash)
        hint = "compute them with `facecond encode`"
        if not (folder / "manifest.json").exists():
            state = "are not finished" if folder.is_dir() else "do not exist"
            raise DataError(f"the latents {folder} {state}", hint=hint)
        manifest = read_manifest(folder)
        if not manifest["first_stage"].startswith(first_stage_hash[: len(manifest["first_stage"])]):
            raise DataError(f"{folder} was computed by the first stage {manifest['first_stage'][:24]}...", hint=hint)
        store = cls(folder, manifest)
        names = {"latents.npy", *(["latents_flipped.npy"] if manifest["flips"] else [])}
        require_unaltered(
            folder, {name: manifest["sha256"][name] for name in names & manifest["sha256"].keys()}, hint=_ALTERED
        )
        return store

    @classmethod
    def available(cls, pack_path: str | Path) -> list[str]:
        """Return the first stages (as `first_stage` names them) of the complete latents of a pack, the latest finished first."""
        found = Path(pack_path).glob("latents/*/manifest.json")
        latest = sorted(
            ((finished_at(path.with_name(FINISHED_FILE), path), path.parent.name) for path in found), reverse=True
        )
        return [read_manifest(latents_folder(pack_path, name))["first_stage"] for _, name in latest]

    def _per_channel(self, key: Literal["mean", "std"]) -> NDArray[np.float32]:
        values = np.array(self.manifest[key], dtype=np.float32)
        if len(values) != self.shape[0]:
            raise DataError(
                f"{self.path / 'manifest.json'}: {key} has {len(values)} numbers, expected {self.shape[0]}, one a channel",
                hint=_ALTERED,
            )
        return values

    def _array(self, name: str) -> np.memmap[Any, Any]:
        path = self.path / f"{name}.npy"
        expected = (self.manifest["count"], *self.shape)
        return open_array(path, np.float16, expected, hint=_ALTERED)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the latents in `folder`. Raises DataError when there is none or it is not of this format."""
    manifest = read_json(folder / "manifest.json", Manifest, format=(FORMAT, VERSION), hint=_ALTERED)
    require_finished(folder, _ALTERED)
    return manifest


class LatentWriter:
    """Writes latents in pieces; running again goes on where it stopped.

    `shape` is that of one latent (C, h, w); `source` (plain JSON) says more about the first stage. Raises DataError
    when the folder was begun with other settings or is complete already.
    """

    def __init__(
        self,
        pack_path: str | Path,
        first_stage_hash: str,
        *,
        count: int,
        shape: tuple[int, int, int],
        flips: bool,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        self.pack_path = Path(pack_path)
        self.path = latents_folder(pack_path, first_stage_hash)
        self.first_stage = first_stage_hash
        self._shape = shape
        if (self.path / "manifest.json").exists():
            raise DataError(f"{self.path} is complete already", hint="delete the folder to encode again")
        self._head = {
            "format": FORMAT,
            "version": VERSION,
            "first_stage": first_stage_hash,
            "source": dict(source or {}),
            "count": count,
            "shape": list(shape),
            "flips": flips,
        }
        names = ["latents", "latents_flipped"] if flips else ["latents"]
        spec = ArraySpec(shape, np.dtype(np.float16))
        self._arrays = ArrayWriter(self.path, count, dict.fromkeys(names, spec), self._head)

    @property
    def done(self) -> int:
        """Number of items written."""
        return self._arrays.done

    def missing(self, step: int = 64) -> list[slice]:
        """Return slices of at most `step` items that cover what is not written yet."""
        return self._arrays.missing(step)

    def write(self, rows: slice, latents: NDArray[Any], latents_flipped: NDArray[Any] | None = None) -> None:
        """Write the latents, float (rows, C, h, w), of the items `rows` and of their mirrored pictures.

        Raises DataError when a value is not finite in half precision.
        """
        arrays = {"latents": latents}
        if latents_flipped is not None:
            arrays["latents_flipped"] = latents_flipped
        with np.errstate(over="ignore"):
            halves = {name: np.asarray(values).astype(np.float16) for name, values in arrays.items()}
        if not all(np.isfinite(values).all() for values in halves.values()):
            raise DataError(
                f"the first stage {self.first_stage[:HASH_DIGITS]} gives latents that are not finite or beyond 65504, "
                f"among items {rows.start} to {rows.stop - 1}",
                hint="its weights are broken, or it was trained to another scale",
            )
        self._arrays.write(rows, halves)

    def finish(self, train_indices: NDArray[np.int64]) -> LatentStore:
        """Measure mean and deviation per channel over the items `train_indices`, hash, write the manifest."""
        channels = self._shape[0]
        total, squares, values = np.zeros(channels), np.zeros(channels), 0
        for name in self._arrays.specs:
            array = self._arrays.open(name)
            for start in range(0, len(train_indices), 256):
                piece = array[train_indices[start : start + 256]].astype(np.float64)
                total += piece.sum((0, 2, 3))
                squares += (piece**2).sum((0, 2, 3))
                values += piece[:, 0].size
        mean = total / max(values, 1)
        std = np.sqrt(np.maximum(squares / max(values, 1) - mean**2, 0))
        self._arrays.finish(
            {
                **self._head,
                "mean": mean.tolist(),
                "std": std.tolist(),
                "sha256": {f"{name}.npy": sha256_file(self._arrays.path(name)) for name in self._arrays.specs},
            }
        )
        return LatentStore.open(self.pack_path, self.first_stage)
