"""The same drawn person without and with a trait: what a change of it should make of a picture, which nobody can photograph."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.drawn.painter import draw

SEED, LOOKED_AT = 17, 4000
"""Of the people, which no model that comes with the program learnt from; and how many are looked at for pairs of a trait."""


class Pair(NamedTuple):
    """A person before and after a change of one trait. Pictures are uint8 (side, side, 3), label maps uint8 (side, side)."""

    trait: str
    sign: int
    """+1 = the trait is added, -1 = it is taken away."""
    before_HWC: NDArray[np.uint8]
    truth_HWC: NDArray[np.uint8]
    """What the change should make of it."""
    labels_HW: NDArray[np.uint8]
    """The map before."""
    true_labels_HW: NDArray[np.uint8]
    """The map after."""
    attributes_A: NDArray[np.int8]
    """All attributes before, -1 or +1."""

    def differs(self) -> NDArray[np.bool_]:
        """Where the two pictures differ, bool (side, side)."""
        differs: NDArray[np.bool_] = (self.before_HWC != self.truth_HWC).any(axis=-1)
        return differs


def pairs(traits: Sequence[str], count: int, resolution: int) -> list[Pair]:
    """Return `count` pairs, the traits in turn, each trait added and taken away in turn.

    Attributes differ in the trait alone, and the pictures differ. ValueError where a trait has too few such people.
    """
    of_traits = [_of_trait(trait, place * LOOKED_AT, resolution) for place, trait in enumerate(traits)]
    found = list(islice((pair for turn in zip(*of_traits, strict=False) for pair in turn), count))
    if len(found) < count:
        raise ValueError(f"{len(found)} pairs found of {count}")
    return found


def _of_trait(trait: str, first: int, resolution: int) -> Iterator[Pair]:
    """Pairs of people from number `first` on, so that traits do not share people."""
    made = 0
    for index in range(first, first + LOOKED_AT):
        without, having = (draw(SEED, [index], resolution, {trait: value}) for value in (False, True))
        if (without.attributes != having.attributes).sum() != 1 or np.array_equal(without.images, having.images):
            continue
        one, other, sign = (without, having, 1) if made % 2 == 0 else (having, without, -1)
        made += 1
        yield Pair(trait, sign, one.images[0], other.images[0], one.labels[0], other.labels[0], one.attributes[0])
