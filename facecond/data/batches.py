"""Batches from a pack that lies on the device: no worker processes, no copies, no waiting (the paper, section 4: data).

What fits into a share of the device's memory is moved to the device once, small arrays first; what does not fit stays in its memory
map and is gathered on the host, batch by batch. Either way a batch is a pure function of (indices, flips).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from facecond.conditions.condition import Condition
from facecond.data.latents import LatentStore
from facecond.data.pack import SPLITS, Pack
from facecond.errors import DataError
from facecond.faces.labels import mirror_labels
from facecond.memory import send, total_memory
from facecond.types import Batch

RESIDENT_SHARE = 1 / 3
"""Of the device's memory, at most, that each split takes: weights and activations want the rest."""


class ResidentData:
    """One split of a pack, with its latents when there are any, ready to be cut into batches.

    With `images` and without latents, the latents of a batch are its pictures in [-1, 1] (no first stage); with `maps` they are
    what that makes of its label maps, uint8 (B, H, W).

    Indices are places within the split, 0..len(self)-1, as `facecond.training.stream.order` gives them; `pack_indices`
    int64 turns them into places in the pack. `conditions` are those whose values `batch` gives. Raises DataError for an
    empty split, for latents of another number of items, and for a condition the pack has no values of.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        split: str = "train",
        latents: LatentStore | None = None,
        images: bool = False,
        maps: Callable[[Tensor], Tensor] | None = None,
        conditions: Sequence[Condition] = (),
        device: torch.device | str = "cpu",
        resident_bytes: int | None = None,
    ) -> None:
        """`resident_bytes`: those that may lie on the device; None = `RESIDENT_SHARE` of its memory."""
        if latents is not None and len(latents.latents) != len(pack):
            raise DataError(
                f"{latents.path} holds {len(latents.latents)} latents for a pack of {len(pack)} items",
                hint="encode the pack again",
            )
        self.device = torch.device(device)
        if resident_bytes is None:
            resident_bytes = int(RESIDENT_SHARE * total_memory(self.device))
        self.split = split
        self.pack_indices = pack.indices(split)
        self._has_latents, self._has_images = latents is not None, images
        self._maps = maps
        self.conditions = tuple(conditions)
        self._has_flipped = latents is not None and latents.latents_flipped is not None
        self._columns: dict[str, _Column] = {}
        for name, array in _sources(pack, latents, images, maps is not None, conditions).items():
            column = _Column(array, self.pack_indices, self.device, resident_bytes)
            resident_bytes -= column.resident_bytes
            self._columns[name] = column

    def __len__(self) -> int:
        return len(self.pack_indices)

    def batch(self, indices: ArrayLike, flips: ArrayLike | None = None) -> Batch:
        """Return latents float32 (B, C, h, w) and the values of every condition of the items `indices`.

        `indices` int64 (B,) and `flips` bool (B,) are host arrays (numpy or CPU tensors). A flipped item has the
        latents of its mirrored picture and the values its conditions have for that (`Condition.mirror`). Raises
        DataError when flips are asked for and the latents have no mirrored copy, or when there are neither latents nor
        pictures.
        """
        chosen, mirrored = _as_host(indices, flips)
        told = {each.name: self._mirrored(each.column.name, each.mirror, chosen, mirrored) for each in self.conditions}
        if self._maps is not None:
            return Batch(self._maps(self._labels(chosen, mirrored)), told)
        if not self._has_latents and self._has_images:
            return Batch(self._pictures(chosen, mirrored).float() / 127.5 - 1, told)
        if not self._has_latents:
            raise DataError("this data was opened without latents", hint="compute them with `facecond encode`")
        latents = self._columns["latents"].take(chosen).float()
        if len(mirrored):
            if not self._has_flipped:
                raise DataError("these latents have no mirrored copy", hint="encode again with flips=true")
            others = self._columns["latents_flipped"].take(chosen[mirrored]).float()
            latents.index_copy_(0, self._send(mirrored), others)
        return Batch(latents, told)

    def images(self, indices: ArrayLike, flips: ArrayLike | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return pictures uint8 (B, 3, H, W), labels uint8 (B, H, W), attributes int8 (B, 40) of the items `indices`.

        A flipped item has its picture mirrored, and its label map mirrored with left and right parts exchanged. Raises
        ValueError unless the data was opened with `images=True`.
        """
        if not self._has_images:
            raise ValueError("open ResidentData with images=True to read pictures")
        chosen, mirrored = _as_host(indices, flips)
        attributes = self._columns["attributes"].take(chosen)
        return self._pictures(chosen, mirrored), self._labels(chosen, mirrored), attributes

    def picture_statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and deviation, (3,) each, of all pictures in [-1, 1], mirrored or not."""
        total, squares = np.zeros(3), np.zeros(3)
        for start in range(0, len(self), 256):
            pictures, _, _ = self.images(np.arange(start, min(start + 256, len(self))))
            values = pictures.double() / 127.5 - 1
            total += values.mean(dim=(2, 3)).sum(0).cpu().numpy()
            squares += values.square().mean(dim=(2, 3)).sum(0).cpu().numpy()
        mean = total / len(self)
        return mean, np.sqrt(squares / len(self) - mean**2)

    def labels(self, indices: ArrayLike, flips: ArrayLike | None = None) -> Tensor:
        """Return label maps, uint8 (B, H, W), of the items `indices`, flipped ones mirrored with sides exchanged."""
        return self._labels(*_as_host(indices, flips))

    def _pictures(self, chosen: NDArray[np.int64], mirrored: NDArray[np.int64]) -> Tensor:
        pictures_BHWC = self._mirrored("images", lambda pictures: pictures.flip(2), chosen, mirrored)
        return pictures_BHWC.permute(0, 3, 1, 2).contiguous()

    def _labels(self, chosen: NDArray[np.int64], mirrored: NDArray[np.int64]) -> Tensor:
        return self._mirrored("labels", mirror_labels, chosen, mirrored)

    def _mirrored(
        self, column: str, mirror: Callable[[Tensor], Tensor], chosen: NDArray[np.int64], mirrored: NDArray[np.int64]
    ) -> Tensor:
        values = self._columns[column].take(chosen)
        if len(mirrored):
            places = self._send(mirrored)
            values.index_copy_(0, places, mirror(values.index_select(0, places)))
        return values

    def _send(self, indices: NDArray[np.int64]) -> Tensor:
        return send(torch.from_numpy(indices), self.device)


def resident_bytes(
    pack: Pack,
    there: float,
    *,
    latents: LatentStore | None = None,
    images: bool = False,
    maps: bool = False,
    conditions: Sequence[Condition] = (),
) -> int:
    """Return the bytes that `ResidentData` of both splits, opened with the same, keeps on a device that has `there`; nothing is
    read."""
    total = 0
    for split in SPLITS:
        count, free = len(pack.indices(split)), RESIDENT_SHARE * there
        for array in _sources(pack, latents, images, maps, conditions).values():
            size = _bytes(array, count)
            taken = size if size <= free else 0
            free, total = free - taken, total + taken
    return total


def _sources(
    pack: Pack, latents: LatentStore | None, images: bool, maps: bool, conditions: Sequence[Condition]
) -> dict[str, NDArray[Any]]:
    """The arrays that batches are cut from, by name, small ones first."""
    sources: dict[str, NDArray[Any]] = {"attributes": pack.attributes} if images else {}
    if latents is not None:
        sources["latents"] = latents.latents
        if latents.latents_flipped is not None:
            sources["latents_flipped"] = latents.latents_flipped
    sources |= {each.column.name: pack.values(each) for each in conditions}
    if images or maps:
        sources["labels"] = pack.labels
    if images:
        sources["images"] = pack.images
    return sources


def _bytes(array: NDArray[Any], rows: int) -> int:
    return rows * int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize


class _Column:
    """Rows of one array: on the device when they fit into `budget` bytes, else gathered from the memory map."""

    def __init__(self, array: NDArray[Any], rows: NDArray[np.int64], device: torch.device, budget: int) -> None:
        size = _bytes(array, len(rows))
        self._device = device
        self._rows = rows
        self._resident: Tensor | None = None
        self.resident_bytes = 0
        self._array = array
        if size <= budget:
            self.resident_bytes = size
            self._resident = torch.from_numpy(_gather(array, rows)).to(device)

    def take(self, indices: NDArray[np.int64]) -> Tensor:
        """Return the rows `indices` as a fresh tensor on the device."""
        if self._resident is not None:
            return self._resident.index_select(0, send(torch.from_numpy(indices), self._device))
        return send(torch.from_numpy(_gather(self._array, self._rows[indices])), self._device)


def _gather(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Copy rows out of a memory map; a run of neighbours is read in one go."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all():
        return np.array(array[rows[0] : rows[-1] + 1])
    return np.asarray(array[rows])


def _as_host(indices: ArrayLike, flips: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices, and the places in the batch that are mirrored."""
    chosen = np.ascontiguousarray(indices, dtype=np.int64)
    if flips is None:
        return chosen, np.empty(0, dtype=np.int64)
    mirrored = np.asarray(flips, dtype=bool)
    if mirrored.shape != chosen.shape:
        raise ValueError(f"{len(chosen)} indices, but flips of shape {mirrored.shape}")
    return chosen, np.flatnonzero(mirrored).astype(np.int64)
