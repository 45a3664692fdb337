"""Which faces a network learnt from: small enough for the header of its weights, comparable with the faces of any pack.

A drawn face is known by the seed and its number, and one of CelebAMask-HQ by its number, both at any resolution. Any
other face is known by its picture as it stands in the pack, so that names of files need not differ between folders.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond.data.pack import Pack, runs
from facecond.io.files import sha256_file


def learnt_from(pack: Pack, split: str = "train") -> dict[str, Any]:
    """Return JSON values: the pack (hash of its manifest), its kind, the split, its count, and the faces in it.

    `faces` holds ranges [first, last + 1] of numbers, or the sorted 64-bit hashes of pictures in base64 (30,000: 320 kB).
    """
    indices = pack.indices(split)
    kind, values = _faces(pack, indices)
    values = np.unique(values)
    faces = base64.b64encode(values.tobytes()).decode() if kind == "pictures" else runs(values.astype(np.int64))
    return {
        "pack": sha256_file(pack.path / "manifest.json"), "source": pack.manifest["source"].get("kind"),
        "resolution": pack.resolution, "split": split, "count": len(indices), "faces_by": kind, "faces": faces,
    }  # fmt: skip


def count_learnt(learnt: Sequence[Mapping[str, Any]], pack: Pack, indices: NDArray[np.int64]) -> int:
    """Return how many of the pack's items `indices` (each counted once) are among the faces of `learnt`."""
    return int(are_learnt(learnt, pack, np.unique(indices)).sum())


def are_learnt(learnt: Sequence[Mapping[str, Any]], pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the pack's items `indices` (N,) are among the faces of `learnt`, bool (N,)."""
    kind, values = _faces(pack, indices)
    met = np.zeros(len(values), dtype=bool)
    for entry in learnt:
        if entry["faces_by"] == "pictures" == kind:
            met |= np.isin(values, np.frombuffer(base64.b64decode(entry["faces"]), dtype="<u8"))
        elif entry["faces_by"] == kind:
            for first, stop in entry["faces"]:
                met |= (values >= first) & (values < stop)
    return met


def _faces(pack: Pack, indices: NDArray[np.int64]) -> tuple[str, NDArray[np.uint64]]:
    """What tells faces of this kind of pack apart, and uint64 (N,): that of each item."""
    source = pack.manifest["source"]
    if source.get("kind") == "drawn":
        return f"number, drawn with seed {source.get('seed')}", np.array([int(pack.ids[i]) for i in indices], "<u8")
    if source.get("kind") == "celebamask_hq":
        return "number in CelebAMask-HQ", np.array([int(pack.ids[i]) for i in indices], "<u8")
    hashes = b"".join(hashlib.blake2b(pack.images[i].tobytes(), digest_size=8).digest() for i in indices)
    return "pictures", np.frombuffer(hashes, dtype="<u8")
