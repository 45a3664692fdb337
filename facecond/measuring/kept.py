"""What a detector said of a set of pictures, on the disk, so that the next measure reads instead of looking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray


class Kept:
    """One array (N, ...), float32, whole or not there; its name says what is in it, so that it is never out of date."""

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._count = path, count
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        self._array: NDArray[np.float32] | None = None
        self.whole = path.is_file() and self._fits()
        """Whether it can be read already; what is damaged is written anew."""

    def _fits(self) -> bool:
        try:
            array = np.load(self._path, mmap_mode="r")
        except (ValueError, EOFError, OSError):
            return False
        return array.dtype == np.float32 and len(array) == self._count

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """What was said of pictures `rows`."""
        if self._array is None:
            self._array = self.whole_array()
        return np.asarray(self._array[rows])

    def whole_array(self) -> NDArray[np.float32]:
        """All of it, mapped from the disk, read-only."""
        array: NDArray[np.float32] = np.load(self._path, mmap_mode="r")
        return array

    def write(self, rows: NDArray[np.int64], said: NDArray[np.float32]) -> None:
        """Keep what is said of pictures `rows`; the file has its name at the end of the block."""
        if self._array is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._array = open_memmap(self._partial, mode="w+", dtype=np.float32, shape=(self._count, *said.shape[1:]))
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
            self._partial.replace(self._path)
        else:
            self._partial.unlink()
