"""A label map made to agree with attributes the user names: `+Eyeglasses` on a face without glasses takes them from another.

A model that is told a map and an attribute that contradict each other has not seen such pairs in training and follows the map.
Where a part shows the attribute (faces.attributes.MASK_EVIDENCE), the part is therefore taken from a training face of whom the
attribute holds: the most similar one, moved until the noses meet, as the paper moves parts between people (section 4).
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.data.pack import Pack
from facecond.faces.attributes import attribute_index
from facecond.faces.labels import CLASSES
from facecond.sampling.plans import Prompt

log = logging.getLogger("facecond")


class Part(NamedTuple):
    """The classes of a label map that show an attribute."""

    shown_by: str
    """The class that is there if and only if the attribute holds."""
    taken: tuple[str, ...]
    """Classes that are taken from the other person together."""


PART_OF: Mapping[str, Part] = {
    "Wearing_Hat": Part("hat", ("hat", "hair")),
    "Eyeglasses": Part("eye_g", ("eye_g",)),
    "Mouth_Slightly_Open": Part("mouth", ("mouth", "u_lip", "l_lip")),
    "Wearing_Earrings": Part("ear_r", ("ear_r",)),
    "Wearing_Necklace": Part("neck_l", ("neck_l",)),
}
"""Attributes that one class of the label map shows; what covers most comes first, so that the rest is put on top of it."""

DONORS = 1000
"""Training faces looked through, at most, for a part that an attribute asks for."""

LEAST = 4
"""Pixels below which a class counts as absent."""


def contradicted(labels_HW: NDArray[np.uint8], attributes_A: NDArray[np.int8]) -> list[str]:
    """Return the names of `PART_OF` that `attributes_A`, int8 (40,) in {-1, 0, +1}, asks for and the label map denies."""
    there = np.bincount(labels_HW.ravel(), minlength=256) >= LEAST
    asked = {name: attributes_A[attribute_index(name)] for name in PART_OF}
    return [
        name for name, sign in asked.items() if sign != 0 and (sign > 0) != there[CLASSES.index(PART_OF[name].shown_by)]
    ]


def following_map(
    labels_HW: NDArray[np.uint8], attributes_A: NDArray[Any], before_HW: NDArray[np.uint8] | None = None
) -> NDArray[np.int8]:
    """Return attributes, int8 (40,), with those that one class shows (`PART_OF`) as the map has them, where they are said at all.

    What they contradict in the map `before_HW` already stays as it is.
    """
    found_A = attributes_A.astype(np.int8)
    names = contradicted(labels_HW, found_A)
    known = contradicted(before_HW, found_A) if before_HW is not None else []
    for name in names:
        if name not in known:
            found_A[attribute_index(name)] *= -1
    return found_A


def agreeing(
    labels_HW: NDArray[np.uint8], others_NHW: NDArray[np.uint8], attributes_NA: NDArray[np.int8], name: str, sign: int
) -> NDArray[np.int64]:
    """Return the places of faces that can give the face `labels_HW` what attribute `name` with `sign` (-1, +1) asks for.

    Map and attribute show it alike, their nose is to be seen, and they bring no other part of `PART_OF` with them that the face
    lacks.
    """
    shown, index = CLASSES.index(PART_OF[name].shown_by), attribute_index(name)
    own = np.bincount(labels_HW.ravel(), minlength=256)
    unwanted = [CLASSES.index(part.shown_by) for other, part in PART_OF.items() if other != name]
    unwanted = [place for place in unwanted if own[place] < LEAST]

    def fits(other_HW: NDArray[np.uint8]) -> bool:
        counts = np.bincount(other_HW.ravel(), minlength=256)
        alike = (counts[shown] >= LEAST) == (sign > 0)
        return bool(alike and counts[CLASSES.index("nose")] >= LEAST and not counts[unwanted].any())

    candidates = np.flatnonzero(attributes_NA[:, index] == sign)
    return candidates[np.array([fits(others_NHW[place]) for place in candidates], dtype=bool)]


def most_similar(labels_HW: NDArray[np.uint8], others_NHW: NDArray[np.uint8]) -> int:
    """Return the place of the face whose nose, lips and outline lie most like those of `labels_HW`; N > 0.

    What one of the two does not show counts as a tenth of the picture's size apart.
    """
    own = _outline(labels_HW)
    apart = [np.nan_to_num(_outline(other) - own, nan=0.1) for other in others_NHW]
    return int(np.argmin([(difference**2).sum() for difference in apart]))


def take_part(labels_HW: NDArray[np.uint8], other_HW: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Return `labels_HW` with the part of attribute `name` as the other person has it, or with it gone if they lack it.

    See `take_classes`.
    """
    return take_classes(labels_HW, other_HW, [CLASSES.index(part) for part in PART_OF[name].taken])


def take_classes(
    labels_HW: NDArray[np.uint8], other_HW: NDArray[np.uint8], classes: Sequence[int]
) -> NDArray[np.uint8]:
    """Return `labels_HW` with the parts `classes` as the other person has them.

    The other map, of the same size, is moved until the noses meet; where either map has one of the classes concerned, the
    moved map counts. What would come from beyond its edge repeats the edge.
    """
    moved_HW = _move(other_HW, _middle(labels_HW, ("nose",)) - _middle(other_HW, ("nose",)))
    concerned = np.isin(labels_HW, classes) | np.isin(moved_HW, classes)
    return np.where(concerned, moved_HW, labels_HW)


def _middle(labels_HW: NDArray[np.uint8], parts: Sequence[str]) -> NDArray[np.float64]:
    """Mean row and column of some parts, NaN when they are not there."""
    concerned = np.zeros(256, dtype=bool)
    concerned[[CLASSES.index(part) for part in parts]] = True
    where_HW = concerned[labels_HW]
    in_rows_H, in_columns_W = where_HW.sum(axis=1), where_HW.sum(axis=0)
    count = in_rows_H.sum()
    if not count:
        return np.full(2, np.nan)
    sums = [in_rows_H @ np.arange(len(in_rows_H)), in_columns_W @ np.arange(len(in_columns_W))]
    return np.array(sums, dtype=np.float64) / count


def _outline(labels_HW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Where nose and lips lie and how far the skin reaches, as shares of the picture's size: float64 (8,)."""
    skin_HW = labels_HW == CLASSES.index("skin")
    rows, columns = np.flatnonzero(skin_HW.any(axis=1)), np.flatnonzero(skin_HW.any(axis=0))
    reach = np.array([rows[0], columns[0], rows[-1], columns[-1]]) if len(rows) else np.full(4, np.nan)
    parts = [_middle(labels_HW, ("nose",)), _middle(labels_HW, ("mouth", "u_lip", "l_lip"))]
    return np.concatenate([*parts, reach]) / labels_HW.shape[0]


def _move(labels_HW: NDArray[np.uint8], by: NDArray[np.float64]) -> NDArray[np.uint8]:
    down, right = (0 if np.isnan(step) else round(float(step)) for step in by)
    height, width = labels_HW.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return labels_HW[rows[:, None], columns]


def with_agreeing_map(prompt: Prompt, changes: Mapping[str, NDArray[Any]], pack: Pack, place: int) -> Prompt:
    """Return the prompt of validation item `place` with its map made to agree with the attributes named in `changes`.

    A map that is itself among the changes stays as it is. Donors are looked for among at most `DONORS` training faces of whom
    the attribute holds.
    """
    named, own = changes.get(Attributes.name), prompt.values.get(Mask.name)
    if named is None or own is None or Mask.name in changes:
        return prompt
    training = pack.indices("train")
    labels, donors, denied = agreed(own, named, pack, training)
    for name in denied:
        sign = int(named[attribute_index(name)])
        log.info("item %d keeps its map: no training face can give it %s%s", place, "-0+"[sign + 1], name)
    for name in contradicted(labels, named) if donors else ():
        log.info("item %d: its map still denies %s", place, name)
    notes = [f"{PART_OF[name].shown_by} as in {pack.ids[donor]}" for name, donor in donors.items()]
    words = {Mask.name: ", ".join([f"validation item {place}", *notes])} if notes else {}
    return dataclasses.replace(
        prompt, values={**prompt.values, Mask.name: labels}, description={**prompt.description, **words}
    )


def agreed(
    labels_HW: NDArray[np.uint8], attributes_A: NDArray[np.int8], pack: Pack, among: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], dict[str, int], list[str]]:
    """Return a map made to agree with attributes, the items that gave parts, by attribute, and the attributes nobody could give.

    `among`: items of the pack that may give parts; of those of whom an attribute holds, at most `DONORS` are looked at.
    """
    labels, donors, denied = labels_HW, dict[str, int](), list[str]()
    for name in contradicted(labels_HW, attributes_A):
        sign = int(attributes_A[attribute_index(name)])
        likely = among[np.asarray(pack.attributes)[among, attribute_index(name)] == sign]
        likely = likely[:: -(-len(likely) // DONORS) or 1]
        maps = np.asarray(pack.labels[likely])
        fit = agreeing(labels, maps, np.asarray(pack.attributes[likely]), name, sign)
        if len(fit) == 0:
            denied.append(name)
            continue
        donor = fit[most_similar(labels, maps[fit])]
        labels = take_part(labels, maps[donor], name)
        donors[name] = int(likely[donor])
    return labels, donors, denied
