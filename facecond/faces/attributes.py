"""The 40 attributes of CelebA: names, how people write them, and which of them a label map shows.

Vectors are int8 (..., 40) in {-1, 0, +1}: absent, not specified, present. The paper (section 3) conditions on all 40.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facecond.errors import ConfigError, nearest
from facecond.faces.names import ATTRIBUTES, NUM_ATTRIBUTES

MASK_EVIDENCE: dict[str, str] = {
    "Arched_Eyebrows": "the outline of l_brow and r_brow",
    "Bald": "no hair, or hardly any, above the skin",
    "Bangs": "the lower edge of the hair, down on the forehead",
    "Big_Lips": "the area of u_lip and l_lip",
    "Big_Nose": "the area of the nose",
    "Bushy_Eyebrows": "the thickness of l_brow and r_brow",
    "Chubby": "the outline of the skin",
    "Eyeglasses": "the class eye_g",
    "Mouth_Slightly_Open": "the class mouth between the lips",
    "Narrow_Eyes": "the height of l_eye and r_eye",
    "Oval_Face": "the outline of the skin",
    "Pointy_Nose": "the outline of the nose",
    "Receding_Hairline": "the upper edge of the skin, against the hair",
    "Smiling": "the curve and width of the lips",
    "Straight_Hair": "the outline of the hair",
    "Wavy_Hair": "the outline of the hair",
    "Wearing_Earrings": "the class ear_r",
    "Wearing_Hat": "the class hat",
    "Wearing_Necklace": "the class neck_l",
}
"""Attributes that can be read off a label map, each with what shows it. What only correlates with a map (Male with
short hair, High_Cheekbones with a smile) is not here, nor what lies inside one class: beards and chins in skin, ties in
cloth."""

MASK_IMPLIED: frozenset[str] = frozenset(MASK_EVIDENCE)
"""Attributes a mask-conditional model can get right without being told them."""

MASK_FREE: frozenset[str] = frozenset(ATTRIBUTES) - MASK_IMPLIED
"""Attributes that only the attribute condition can carry: colour, texture, age, sex, beard, make-up, tie, blur."""

_SPELLINGS = {re.sub(r"[\s_-]+", "", name).lower(): index for index, name in enumerate(ATTRIBUTES)}


def attribute_index(name: str) -> int:
    """Return the index (0..39) of an attribute, whatever the case and whether words are joined by `_`, space or `-`.

    Raises ConfigError, with the nearest name, for an unknown one.
    """
    index = _SPELLINGS.get(re.sub(r"[\s_-]+", "", name).lower())
    if index is None:
        raise ConfigError(f"unknown attribute {name!r}", hint=nearest(re.sub(r"[\s-]+", "_", name), ATTRIBUTES))
    return index


def parse_attributes(text: str) -> NDArray[np.int8]:
    """Read "+Smiling,-Male,Eyeglasses" as int8 (40,): +1 and -1 for what is named, 0 for what is not.

    Names are separated by commas or semicolons, matched without regard to case; no sign means +. Raises ConfigError for
    an unknown name and for a name given both signs.
    """
    values = np.zeros(NUM_ATTRIBUTES, dtype=np.int8)
    for piece in re.split(r"[,;]", text):
        word = piece.strip()
        if not word:
            continue
        name = word.lstrip("+-").strip()
        sign = word[: len(word) - len(word.lstrip("+-"))]
        if len(sign) > 1 or not name:
            raise ConfigError(f"cannot read the attribute {word!r}", hint="write it like +Smiling, -Male or Eyeglasses")
        index, value = attribute_index(name), -1 if sign == "-" else 1
        if values[index] == -value:
            raise ConfigError(f"attribute {ATTRIBUTES[index]!r} is given with both signs", hint="keep one of them")
        values[index] = value
    return values


def format_attributes(vector: ArrayLike) -> str:
    """Write an attribute vector, (40,) in {-1, 0, +1}, as `parse_attributes` reads it; nothing for unspecified ones.

    Raises ValueError for another length or other values.
    """
    values = np.asarray(vector)
    if values.shape != (NUM_ATTRIBUTES,) or not np.isin(values, (-1, 0, 1)).all():
        raise ValueError(f"an attribute vector is ({NUM_ATTRIBUTES},) in {{-1, 0, 1}}, got shape {values.shape}")
    signs = {1: "+", -1: "-"}
    return ",".join(f"{signs[int(value)]}{name}" for name, value in zip(ATTRIBUTES, values, strict=True) if value)
