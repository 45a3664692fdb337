"""Sets of pictures, read in pieces wherever they are, and named by what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facecond.errors import DataError
from facecond.io.images import read_image

PIECE = 64
"""Pictures looked at together."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class Pictures(Protocol):
    """A set of pictures."""

    def __len__(self) -> int:
        """Number of pictures."""
        ...

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pictures `rows`: uint8 (n, H, W, 3)."""
        ...

    def content(self) -> str:
        """SHA-256 that names what is in the set."""
        ...


@dataclass(frozen=True)
class Rows:
    """Rows of an array of pictures that may be mapped from the disk."""

    array: NDArray[np.uint8]
    """uint8 (N, H, W, 3)."""
    rows: NDArray[np.int64]
    name: str = ""
    """SHA-256 of the array where it is known; else the pictures are read for it."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `Pictures`."""
        return np.asarray(self.array[self.rows[rows]])

    def content(self) -> str:
        """See `Pictures`."""
        if self.name:
            return hashlib.sha256(self.name.encode() + self.rows.tobytes()).hexdigest()
        digest = hashlib.sha256(str(self.array.shape[1:]).encode())
        for start in range(0, len(self.rows), PIECE):
            digest.update(self.read(np.arange(start, min(start + PIECE, len(self.rows)))).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Reconstructed:
    """Pictures after a round trip through a first stage."""

    of: Pictures
    reconstruct: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    """uint8 (n, H, W, 3) -> the same."""
    first_stage: str
    """Its SHA-256."""

    def __len__(self) -> int:
        """As many as there are pictures."""
        return len(self.of)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `Pictures`."""
        return self.reconstruct(self.of.read(rows))

    def content(self) -> str:
        """See `Pictures`."""
        return hashlib.sha256((self.of.content() + self.first_stage).encode()).hexdigest()


class Averaged:
    """The mean of a set, pixel by pixel and rounded, `COPIES` times."""

    COPIES = 8

    def __init__(self, of: Pictures) -> None:
        self._of = of
        self._sum: NDArray[np.int64] | None = None
        self._taken = np.zeros(len(of), dtype=np.bool_)

    def __len__(self) -> int:
        """Number of copies."""
        return self.COPIES

    def take(self, rows: NDArray[np.int64], images: NDArray[np.uint8]) -> None:
        """Take in pictures `rows` of the set, uint8 (n, H, W, 3), that were read for others; none is counted twice."""
        if self._sum is None:
            self._sum = np.zeros(images.shape[1:], dtype=np.int64)
        self._sum += images[~self._taken[rows]].sum(axis=0, dtype=np.int64)
        self._taken[rows] = True

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `Pictures`. Reads what was not taken in before."""
        missing = np.flatnonzero(~self._taken)
        for start in range(0, len(missing), PIECE):
            some = missing[start : start + PIECE]
            self.take(some, self._of.read(some))
        if self._sum is None:
            raise ValueError("an empty set has no average")
        mean = (self._sum / len(self._of)).round().astype(np.uint8)
        return np.stack([mean] * len(rows))

    def content(self, of: str = "") -> str:
        """See `Pictures`; `of` is the content of the set where it is known."""
        return hashlib.sha256(f"average of {of or self._of.content()}".encode()).hexdigest()


def _is_picture(file: Path, folder: Path) -> bool:
    shown = not any(part.startswith(".") for part in file.relative_to(folder).parts)
    return shown and file.suffix.lower() in SUFFIXES and file.is_file()


@dataclass(frozen=True)
class Files:
    """Picture files of one size."""

    files: Sequence[Path]

    @classmethod
    def of(cls, folder: Path) -> Files:
        """The pictures in `folder` and the folders in it, by name; hidden files and folders are passed over.

        Raises DataError when it is no folder, holds fewer than two pictures, or label maps beside pictures.
        """
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder", hint="name a folder of pictures")
        if (folder / "labels").is_dir() and (folder / "images").is_dir():
            raise DataError(f"{folder} holds label maps beside pictures", hint=f"name {folder / 'images'}")
        files = sorted(file for file in folder.rglob("*") if _is_picture(file, folder))
        if len(files) < 2:
            raise DataError(
                f"{folder} holds {len(files)} picture{'' if len(files) == 1 else 's'} ({', '.join(SUFFIXES)})",
                hint="a distribution needs at least two, and hundreds to mean something",
            )
        return cls(files)

    def __len__(self) -> int:
        """Number of files."""
        return len(self.files)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `Pictures`. Raises DataError for a file that cannot be read, and when its size is not that of the first."""
        found: list[NDArray[np.uint8]] = []
        for row in rows:
            image = read_image(self.files[row])
            first = found[0].shape if found else self._shape()
            if image.shape != first:
                raise DataError(
                    f"{self.files[row]} is {image.shape[1]} x {image.shape[0]}, {self.files[0]} is {first[1]} x {first[0]}",
                    hint="pictures of one size are needed; resize them, or measure folders apart",
                )
            found.append(image)
        return np.stack(found)

    def _shape(self) -> tuple[int, ...]:
        return read_image(self.files[0]).shape

    def content(self) -> str:
        """Of the files; their names and folders do not matter, their order does not either."""
        digests = sorted(hashlib.sha256(file.read_bytes()).digest() for file in self.files)
        return hashlib.sha256(b"".join(digests)).hexdigest()
