"""Where a picture may change when something about a face is changed: a region of pixels, and how it fades in towards its border.

What a map shows decides where it differs; an attribute changes the parts that it is a word for (`AFFECTS`). Outside of the region
nothing is written, so that a picture keeps every byte there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.errors import ConfigError, nearest
from facecond.faces.labels import CLASSES, PART_GROUPS, part_indices

WHOLE = "all"
"""A region's name: the whole picture."""

BACKGROUND = "background"


class Reach(NamedTuple):
    """What an attribute changes."""

    parts: tuple[str, ...]
    """Names of parts or groups of them, `background`, or `all`."""
    grow: float = 0.0
    """How far beyond them, as a share of the picture's side, on top of what all regions grow by."""
    between: bool = False
    """Also what lies between them: their convex hull."""


_FACE = ("skin", "nose", "eyes", "brows", "whole_mouth", "glasses")
_HAIR = Reach(("hair",), 0.04)
_BEARD = Reach(("skin", "whole_mouth", "nose"), 0.02)

AFFECTS: Mapping[str, Reach] = {
    "5_o_Clock_Shadow": _BEARD,
    "Arched_Eyebrows": Reach(("brows",), 0.05),
    "Attractive": Reach((WHOLE,)),
    "Bags_Under_Eyes": Reach(("eyes",), 0.08),
    "Bald": Reach(("hair", "hat", "skin", "brows"), 0.04),
    "Bangs": Reach(("hair", "brows", "skin"), 0.02),
    "Big_Lips": Reach(("whole_mouth",), 0.05),
    "Big_Nose": Reach(("nose",), 0.06),
    "Black_Hair": Reach(("hair", "brows"), 0.03),
    "Blond_Hair": Reach(("hair", "brows"), 0.03),
    "Blurry": Reach((WHOLE,)),
    "Brown_Hair": Reach(("hair", "brows"), 0.03),
    "Bushy_Eyebrows": Reach(("brows",), 0.05),
    "Chubby": Reach((*_FACE, "ears", "neck", "hair"), 0.05),
    "Double_Chin": Reach(("skin", "neck", "necklace"), 0.04),
    "Eyeglasses": Reach(("eyes", "brows", "glasses"), 0.08, between=True),
    "Goatee": _BEARD,
    "Gray_Hair": Reach(("hair", "brows"), 0.03),
    "Heavy_Makeup": Reach(_FACE),
    "High_Cheekbones": Reach(_FACE),
    "Male": Reach((WHOLE,)),
    "Mouth_Slightly_Open": Reach(("whole_mouth",), 0.08),
    "Mustache": _BEARD,
    "Narrow_Eyes": Reach(("eyes", "glasses"), 0.05),
    "No_Beard": _BEARD,
    "Oval_Face": Reach((*_FACE, "ears", "neck", "hair"), 0.05),
    "Pale_Skin": Reach((*_FACE, "ears", "neck")),
    "Pointy_Nose": Reach(("nose",), 0.06),
    "Receding_Hairline": Reach(("hair", "skin"), 0.02),
    "Rosy_Cheeks": Reach(_FACE),
    "Sideburns": Reach(("skin", "hair", "ears"), 0.02),
    "Smiling": Reach(_FACE),
    "Straight_Hair": _HAIR,
    "Wavy_Hair": _HAIR,
    "Wearing_Earrings": Reach(("ears", "earrings", "hair"), 0.06),
    "Wearing_Hat": Reach(("hat", "hair", "brows", "background"), 0.04),
    "Wearing_Lipstick": Reach(("whole_mouth",), 0.02),
    "Wearing_Necklace": Reach(("neck", "necklace", "clothes"), 0.04),
    "Wearing_Necktie": Reach(("clothes", "neck"), 0.04),
    "Young": Reach((WHOLE,)),
}
"""What each attribute is a word for, of the parts that a label map has."""


def classes_of(parts: Sequence[str]) -> list[int]:
    """Return the classes (0..18) that `parts` mean; `background` is one. Raises ConfigError for an unknown name."""
    named = [part for part in parts if part.lower() != BACKGROUND]
    known = {*CLASSES, *PART_GROUPS}
    for part in named:
        if part.lower() not in known:
            raise ConfigError(f"unknown part {part!r}", hint=nearest(part, list(known)))
    return [*([0] if len(named) < len(parts) else []), *part_indices(named)]


def region_of(
    before_HW: NDArray[np.uint8],
    after_HW: NDArray[np.uint8],
    reaches: Sequence[Reach] = (),
    *,
    grow: float = 0.0,
) -> NDArray[np.bool_]:
    """Return where a picture may change, bool (H, W): where its label maps differ and what `reaches` say, both in either map.

    `grow` is added to all of it, as a share of the side. Nothing is in it where the maps agree and nothing reaches.
    """
    side = before_HW.shape[0]
    found_HW = _grown(before_HW != after_HW, grow * side)
    for reach in reaches:
        if WHOLE in reach.parts:
            return np.ones_like(found_HW)
        classes = classes_of(reach.parts)
        part_HW = np.isin(before_HW, classes) | np.isin(after_HW, classes)
        if reach.between and part_HW.any():
            from skimage.morphology import convex_hull_image

            part_HW = convex_hull_image(part_HW)
        found_HW |= _grown(part_HW, (grow + reach.grow) * side)
    return found_HW


def painted(own_HW: NDArray[np.uint8], other_HW: NDArray[np.uint8], part: str) -> NDArray[np.uint8]:
    """Return a label map, uint8 (H, W), with a part as another has it; what the own part leaves bare becomes what is nearest."""
    from scipy.ndimage import distance_transform_edt

    classes = classes_of([part])
    bare_HW, new_HW = np.isin(own_HW, classes), np.isin(other_HW, classes)
    if bare_HW.all():
        return np.where(new_HW, other_HW, own_HW)
    nearest = distance_transform_edt(bare_HW, return_distances=False, return_indices=True)
    return np.where(new_HW, other_HW, own_HW[tuple(nearest)])


def fading(
    region_HW: NDArray[np.bool_], feather: float, *, beyond: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Return how much of an edit shows at each pixel, float32 (H, W) in [0, 1]: 0 outside of the region, 1 from `feather` pixels
    inside its border on. A picture's own edges are no border; those of a face in a larger picture are where that goes on:
    `beyond`, bool (H + 2, W + 2), says of the pixels around the face where it does (`Frame.beyond`); None = nowhere.
    """
    from scipy.ndimage import distance_transform_edt

    if not region_HW.any():
        return np.zeros(region_HW.shape, dtype=np.float32)
    around = np.pad(region_HW, 1, mode="edge")
    if beyond is not None:
        around &= ~beyond
    if feather <= 0 or around.all():
        return region_HW.astype(np.float32)
    depth_HW = distance_transform_edt(around)[1:-1, 1:-1]
    return np.minimum(depth_HW / (feather + 1), 1).astype(np.float32)


def _grown(region_HW: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    if pixels <= 0 or not region_HW.any():
        return region_HW
    from scipy.ndimage import distance_transform_edt

    near_HW: NDArray[np.bool_] = distance_transform_edt(~region_HW) <= pixels
    return near_HW
