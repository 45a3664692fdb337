"""What a detector said of a set of pictures, on the disk, so that the next measure reads instead of looking."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facecond.errors import DataError
from facecond.io.arrays import Vouched, create_array, open_array, require_unaltered
from facecond.io.documents import read_json, write_json
from facecond.io.files import sha256_file

log = logging.getLogger("facecond")


class Kept:
    """One array (N, ...), float32, whole or not there; its name says what is in it, so that it is never out of date."""

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._count, self._note = path, count, path.with_suffix(".json")
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        self._array: NDArray[np.float32] | None = None
        self.whole = path.is_file() and self._fits()
        """Whether it can be read already; what is damaged is written anew."""

    def _fits(self) -> bool:
        try:
            fits = len(self._open()) == self._count
            if self._note.is_file():  # features from before had none
                digest = read_json(self._note, Vouched)["sha256"]
                require_unaltered(self._path.parent, {self._path.name: digest})
        except DataError as reason:
            log.warning("%s; looking again", reason.message)
            return False
        return fits

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """What was said of pictures `rows`."""
        if self._array is None:
            self._array = self.whole_array()
        return np.asarray(self._array[rows])

    def whole_array(self) -> NDArray[np.float32]:
        """All of it, mapped from the disk, read-only."""
        return self._open()

    def _open(self) -> NDArray[np.float32]:
        return open_array(self._path, np.float32)

    def write(self, rows: NDArray[np.int64], said: NDArray[np.float32]) -> None:
        """Keep what is said of pictures `rows`; the file has its name at the end of the block."""
        if self._array is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._array = create_array(self._partial, np.float32, (self._count, *said.shape[1:]))
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
            self._partial.replace(self._path)
            write_json(self._note, {"sha256": digest}, checksum=True)
        else:
            self._partial.unlink()
