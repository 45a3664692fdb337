"""The same drawn person without and with a trait: what a change of it should make of a picture, which nobody can photograph."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.drawn.painter import draw
from facecond.drawn.people import dice, words
from facecond.errors import DataError
from facecond.faces.attributes import ATTRIBUTES
from facecond.progress import bar

SEED, LOOKED_AT = 17, 4000
"""Of the people, which no model that comes with the program learnt from; and how many are looked at for pairs of a trait."""

AT_ONCE = 250
"""People whose attributes are looked at together."""


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

    Attributes differ in the trait alone, and the pictures differ. Raises DataError where a trait has too few such people.
    """
    found: list[list[Pair]] = []
    with bar("draw pairs", count, unit="pair") as progress:
        for place, (trait, needed) in enumerate(zip(traits, shares(len(traits), count), strict=True)):
            found.append([])
            for pair in islice(_of_trait(trait, place * LOOKED_AT, resolution), needed):
                found[-1].append(pair)
                progress.update()
            if len(found[-1]) < needed:
                raise too_few(trait, len(found[-1]), needed)
    return [found[k % len(traits)][k // len(traits)] for k in range(count)]


def shares(traits: int, count: int) -> list[int]:
    """How many of `count` pairs each trait has where they come in turn."""
    return [count // traits + (place < count % traits) for place in range(traits)]


def check_traits(traits: Sequence[str], count: int) -> None:
    """Raise DataError where `pairs` is sure to find too few people, by their attributes alone: nothing is drawn."""
    for place, (trait, needed) in enumerate(zip(traits, shares(len(traits), count), strict=True)):
        found, first = 0, place * LOOKED_AT
        for start in range(first, first + LOOKED_AT, AT_ONCE):
            found += int(_alone(trait, start, min(AT_ONCE, first + LOOKED_AT - start)).sum())
            if found >= needed:
                break
        else:
            raise too_few(trait, found, needed)


def too_few(trait: str, found: int, needed: int) -> DataError:
    """The error of a trait that too few people can have changed alone."""
    known = [name for name in ATTRIBUTES if _alone(name, 0, AT_ONCE).any()]
    return DataError(
        f"{trait}: {found} pairs of drawn people that differ in it alone were found among {LOOKED_AT} people, and {needed} are "
        "asked for",
        hint="ask for fewer pairs"
        if trait in known
        else f"it can hardly be changed alone; these can: {', '.join(known)}",
    )


def _alone(trait: str, first: int, count: int) -> NDArray[np.bool_]:
    """Bool (count,): of whom, from number `first` on, having the trait or not changes no other attribute."""
    normal, choice, _ = dice(SEED, range(first, first + count))
    without, having = (words(normal, choice, {trait: value}) for value in (False, True))
    alone: NDArray[np.bool_] = (without != having).sum(axis=1) == 1
    return alone


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
