"""Which faces are trained on and which are held out.

LDM's split of CelebA-HQ, 25000 / 5000, is the paper's (section 4). CelebA's own partition, reached through the
mapping file, is another one. Other folders are divided by a hash of each item's id, so that adding items moves none
from one side to the other.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from facecond.errors import DataError
from facecond.io.files import read_text
from facecond.rng import mix

CELEBA_FIRST_VALIDATION = 162_770
CELEBA_FIRST_TEST = 182_637
"""CelebA's partition is given by picture number, counted from 0."""


@cache
def ldm_validation() -> frozenset[int]:
    """Return the CelebAMask-HQ indices of LDM's 5000 validation faces."""
    lines = files("facecond.data").joinpath("ldm_validation.txt").read_text(encoding="ascii").splitlines()
    indices, last = [], 0
    for step in " ".join(line for line in lines if not line.startswith("#")).split():
        last += int(step)
        indices.append(last)
    return frozenset(indices)


def ldm_split(index: int) -> str:
    """Return LDM's side for a CelebAMask-HQ index: validation or train; train beyond the release's 30000."""
    return "validation" if index in ldm_validation() else "train"


def celeba_split(original_index: int) -> str:
    """Return the side of CelebA's partition for a CelebA picture number counted from 0: train, validation or test."""
    if original_index < CELEBA_FIRST_VALIDATION:
        return "train"
    return "validation" if original_index < CELEBA_FIRST_TEST else "test"


def hash_split(item: str, fraction: float, seed: int) -> str:
    """Return validation for about `fraction` of all ids, else train; a function of (seed, id) alone."""
    return "validation" if mix(seed, f"validation/{item}") < fraction * 2**63 else "train"


def read_mapping(path: Path) -> dict[int, int]:
    """Read CelebA-HQ-to-CelebA-mapping.txt, with its header line or without: CelebAMask-HQ index -> CelebA number
    from 0.

    Raises DataError for a missing file and for a line that is not `index number file`.
    """
    lines = read_text(path, hint="it is part of the official release").splitlines()
    mapping = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or (number == 1 and words[0] == "idx"):
            continue
        if len(words) != 3 or not (words[0].isdigit() and words[1].isdigit()):
            raise DataError(f"{path}, line {number}: expected `index number file`, found {line.strip()[:60]!r}")
        mapping[int(words[0])] = int(words[1])
    return mapping
