"""What a detector said of a set of pictures, on the disk, so that the next measure reads instead of looking."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from facecond.errors import DataError
from facecond.io.arrays import GAUSSIAN, Vouched, create_array, open_array, require_unaltered
from facecond.io.documents import read_json, write_json
from facecond.io.files import sha256_file

log = logging.getLogger("facecond")


class Kept:
    """One array (N, ...), whole or not there; its name says what is in it, so that it is never out of date."""

    def __init__(self, path: Path, count: int | None = None, dtype: DTypeLike = np.float32) -> None:
        """Look whether `path` is there, with `count` rows (None = any number) of `dtype`."""
        self._path, self._count, self._dtype, self._note = path, count, dtype, path.with_suffix(".json")
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        self._array: NDArray[Any] | None = None
        self.whole = path.is_file() and self._fits()
        """Whether it can be read already; what is damaged is written anew."""

    def _fits(self) -> bool:
        try:
            fits = self._count in (None, len(self._open()))
            if self._note.is_file():  # features from before had none
                digest = read_json(self._note, Vouched)["sha256"]
                require_unaltered(self._path.parent, {self._path.name: digest})
        except DataError as reason:
            log.warning("%s; looking again", reason.message)
            return False
        return fits

    def gaussian(self) -> Kept:
        """The Gaussian of all of it, float64, kept beside it; see `metrics.frechet`."""
        return Kept(self._path.with_suffix(f"{GAUSSIAN}.npy"), dtype=np.float64)

    def keep(self, array: NDArray[Any]) -> None:
        """Keep a whole array."""
        self._count = len(array)
        with self:
            self.write(np.arange(len(array)), array)

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """What was said of pictures `rows`."""
        if self._array is None:
            self._array = self.whole_array()
        return np.asarray(self._array[rows])

    def whole_array(self) -> NDArray[Any]:
        """All of it, mapped from the disk, read-only."""
        return self._open()

    def _open(self) -> NDArray[Any]:
        return open_array(self._path, self._dtype)

    def write(self, rows: NDArray[np.int64], said: NDArray[Any]) -> None:
        """Keep what is said of pictures `rows`; the file has its name at the end of the block."""
        if self._array is None:
            if self._count is None:
                raise ValueError("of how many rows?")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._array = create_array(self._partial, self._dtype, (self._count, *said.shape[1:]))
        self._array[rows] = said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *of: object) -> None:
        """Give what was written its name, or delete it when not all of it came."""
        if self.whole or self._array is None:
            return
        self._array.flush()  # type: ignore[attr-defined]
        self._array = None
        if kind is None:
            digest = sha256_file(self._partial)
            self._note.unlink(missing_ok=True)  # no note is better than that of another file
            for file in (self.gaussian()._path, self.gaussian()._note):
                file.unlink(missing_ok=True)  # it is of what was there before
            self._partial.replace(self._path)
            write_json(self._note, {"sha256": digest}, checksum=True)
        else:
            self._partial.unlink()
