"""What each of many faces is asked to show: whose attributes and map, which rare pair, whose parts.

Face k is a function of the pack, the settings, the seed and k, and of the faces before it where attributes are balanced: a larger
number of faces begins with those of a smaller one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond import rng
from facecond.config.commands.synthesize import AttributesFrom
from facecond.editing.agree import PART_OF
from facecond.editing.region import AFFECTS, classes_of
from facecond.errors import ConfigError
from facecond.faces.attributes import parse_attributes
from facecond.faces.names import ATTRIBUTES, CLASSES

CANDIDATES = 64
"""People of whom the next of balanced ones is chosen; of few people half of them."""

OTHERS = 16
"""People of whom the most similar one gives parts."""

_GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, without their whole parts, lie evenly between 0 and 1, however many there are."""


class Asked(NamedTuple):
    """What one face is asked to show."""

    person: int | None
    """Place of the person among those who may be taken; None = nobody, nothing but what is said by hand."""
    others: tuple[int, ...] = ()
    """Places of people of whom the most similar one gives parts."""
    pair: int | None = None
    """Number of the pair."""


def read_pair(text: str) -> NDArray[np.int8]:
    """Read "Eyeglasses+Wearing_Hat" or "Bald-Male" as int8 (40,). Raises ConfigError for other text and for a single attribute."""
    named = re.findall(r"[+-]?[^+-]+", text.replace(" ", ""))
    if "".join(named) != text.replace(" ", "") or len(named) < 2:
        raise ConfigError(f"pairs: {text!r} is not two attributes or more", hint="write it like Eyeglasses+Wearing_Hat")
    return parse_attributes(",".join(named))


def asked_of(
    attributes_NA: NDArray[np.int8],
    count: int,
    *,
    how: AttributesFrom,
    pairs: Sequence[NDArray[np.int8]] = (),
    share: float = 0.5,
    exchanged: bool = False,
    held_out_N: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> list[Asked]:
    """Return what the first `count` faces are asked to show, of people with the attributes (N, 40).

    Of `share` of the faces, evenly strewn, each shows one of `pairs`, in turn: by a person of whom it holds, in turn, where there
    is one. Those of `exchanged` maps get parts of one of some other people, drawn at random: of people who are held out where they
    are, bool (N,), else of the others.
    """
    people = _people(attributes_NA, count, how, seed)
    having = [np.flatnonzero((attributes_NA[:, pair != 0] == pair[pair != 0]).all(axis=1)) for pair in pairs]
    apart_N = np.zeros(len(attributes_NA), dtype=np.bool_) if held_out_N is None else held_out_N
    groups = np.flatnonzero(~apart_N), np.flatnonzero(apart_N)
    found, turn = [], 0
    for index in range(count):
        person, pair = people[index], None
        if pairs and ((index + 1) * _GOLDEN) % 1 < share:
            pair = turn % len(pairs)
            if person is not None and len(having[pair]):
                order = rng.numpy_generator(seed, "people of pair", pair).permutation(having[pair])
                person = int(order[turn // len(pairs) % len(order)])
            turn += 1
        others: tuple[int, ...] = ()
        if exchanged and person is not None:
            others = _others(person, groups[int(apart_N[person])], index, seed)
        found.append(Asked(person, others, pair))
    return found


def _people(attributes_NA: NDArray[np.int8], count: int, how: AttributesFrom, seed: int) -> Sequence[int | None]:
    total = len(attributes_NA)
    if how is AttributesFrom.given:
        return [None] * count
    if how is AttributesFrom.data:  # everybody once, then everybody again
        rounds = [rng.numpy_generator(seed, "people", turn).permutation(total) for turn in range(-(-count // total))]
        return [int(person) for person in np.concatenate(rounds)[:count]]
    found, surplus_A = [], np.zeros(attributes_NA.shape[1], dtype=np.int64)
    few = min(CANDIDATES, -(-total // 2))
    for index in range(count):
        some = rng.numpy_generator(seed, "candidates", index).choice(total, few, replace=False)
        after = ((surplus_A + attributes_NA[some]) ** 2).sum(axis=1)
        person = int(some[int(np.argmin(after))])
        surplus_A += attributes_NA[person]
        found.append(person)
    return found


def _others(person: int, group: NDArray[np.int64], index: int, seed: int) -> tuple[int, ...]:
    """Some other people of the person's group, whose places rise."""
    total, place = len(group), int(np.searchsorted(group, person))
    if total < 2:
        return ()
    generator = rng.numpy_generator(seed, "other people", index)
    steps = generator.choice(total - 1, min(OTHERS, total - 1), replace=False)
    return tuple(int(group[(place + 1 + int(step)) % total]) for step in steps)


def words_for(parts: Sequence[str]) -> list[str]:
    """Attributes that are words for one of the parts, and go along with it from one person to another."""
    taken = {CLASSES[place] for place in classes_of(parts)}
    found = []
    for name in ATTRIBUTES:
        first = (PART_OF[name].shown_by,) if name in PART_OF else AFFECTS[name].parts[:1]
        known = [part for part in first if part != "all"]
        if known and {CLASSES[place] for place in classes_of(known)} <= taken:
            found.append(name)
    return found
