"""What a person looks like in numbers: every continuous trait of the head and of its features, from words and
dice.

Each trait is float32 of shape (B, 1, 1), a colour (B, 3, 1, 1) in 0..1, a switch bool (B,). Dice are used up in the
order of the lines below (and of `wardrobe`), the same number for everybody, so that forcing one attribute changes
nothing else about a face.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facecond.drawn.people import People
from facecond.drawn.shapes import F, floats

SKINS = (
    (245, 216, 196),
    (240, 200, 172),
    (230, 184, 152),
    (216, 164, 128),
    (196, 142, 104),
    (164, 112, 80),
    (128, 84, 60),
    (96, 64, 48),
)
"""Skin in full light, from the fairest to the darkest."""
PALE = (252, 232, 222)
IRISES = ((82, 52, 32), (58, 36, 24), (112, 78, 40), (84, 116, 84), (72, 116, 156), (110, 140, 160))


class Traits:
    """Named arrays over the faces of a batch; `traits.name` reads one, `pick` gives some of the faces."""

    def __init__(self, values: dict[str, np.ndarray], faces: np.ndarray | None = None) -> None:
        self._values, self._faces = values, faces

    def __getattr__(self, name: str) -> np.ndarray:
        """The trait with this name, for the faces that were picked."""
        try:
            value = self._values[name]
        except KeyError:
            raise AttributeError(name) from None
        return value if self._faces is None else value[self._faces]

    def pick(self, faces: np.ndarray) -> Traits:
        """The same traits of some faces (int or bool index over the batch)."""
        return Traits(self._values, faces)


class Dice:
    """Numbers between 0 and 1, one column after another."""

    def __init__(self, people: People) -> None:
        self._uniform, self._used = people.uniform, 0

    def raw(self) -> np.ndarray:
        """float32 (B,) uniform in [0, 1)."""
        self._used += 1
        return self._uniform[:, self._used - 1]

    def between(self, low: float | np.ndarray, high: float | np.ndarray) -> F:
        """(B, 1, 1), uniform from low to high (numbers, or one per face)."""
        return column(low + (np.asarray(high) - low) * self.raw())

    def about(self, mean: float | np.ndarray, spread: float | np.ndarray) -> F:
        """(B, 1, 1), bell-shaped within mean +- 1.5 x spread (sum of three uniforms)."""
        return column(mean + (self.raw() + self.raw() + self.raw() - np.float32(1.5)) * spread)

    def one_of(self, weights: Sequence[float]) -> np.ndarray:
        """int (B,): which of several, with these weights."""
        edges = np.cumsum(np.asarray(weights, np.float64) / np.sum(weights))
        return np.minimum(np.searchsorted(edges, self.raw(), side="right"), len(weights) - 1)

    def tint(self, colours: F, spread: float) -> F:
        """(B, 3) colours (0..255), each channel moved a little, as (B, 3, 1, 1) in 0..1."""
        moved = np.stack(
            [colours[:, channel] + (self.raw() - np.float32(0.5)) * 2 * spread for channel in range(3)], axis=1
        )
        return np.clip(moved / 255, 0, 1).astype(np.float32)[:, :, None, None]


def column(values: np.ndarray) -> F:
    """(B,) -> float32 (B, 1, 1)."""
    return np.asarray(values, np.float32)[:, None, None]


def along(palette: Sequence[Sequence[int]], place: np.ndarray) -> F:
    """Colours (B, 3) at places 0..1 along a palette, interpolated."""
    colours = np.asarray(palette, np.float32)
    position = np.clip(place, 0, 1) * (len(colours) - 1)
    low = np.minimum(position.astype(int), len(colours) - 2)
    part = (position - low)[:, None]
    return colours[low] * (1 - part) + colours[low + 1] * part


def body(people: People, dice: Dice) -> dict[str, np.ndarray]:
    """Traits of head, skin, eyes, brows, nose, mouth, ears and beard.

    Each takes its numbers from `dice` in turn: another order would be other people.
    """
    has = people.has
    t: dict[str, np.ndarray] = {
        "male": column(has("Male")), "old": column(~has("Young")), "smile": column(has("Smiling")), "blurry": has("Blurry")
    }  # fmt: skip
    t |= _pose(dice)
    t |= _head(people, dice)
    skin, shade_B = _skin(people, dice)
    t |= skin
    t |= _eyes(people, dice, shade_B)
    t |= _brows(people, dice, t["eye_y"])
    t |= _nose(people, dice)
    t |= _mouth(people, dice, t["skin"])
    return t | _ears_and_beard(people, dice)


def _pose(dice: Dice) -> dict[str, np.ndarray]:
    """How the head is held, and where the light is.

    The face stays near the middle of the picture when the head turns, as in aligned photographs.
    """
    t: dict[str, np.ndarray] = {}
    turned = dice.raw() < 0.35
    side = np.where(dice.raw() < 0.5, -1, 1)
    t["yaw"] = dice.between(0.18, 0.42) * column(turned * side) + dice.about(0, 0.08)
    t["sin_yaw"] = np.sin(t["yaw"])
    t["tilt"] = dice.about(0, 0.07)
    t["scale"] = dice.between(1.04, 1.13)
    t["head_x"] = -0.50 * t["sin_yaw"] + dice.about(0, 0.03)
    t["head_y"] = dice.between(-0.03, 0.02)
    t["light_x"] = np.where(column(dice.raw() < 0.5), -1, 1) * dice.between(0.12, 0.72).astype(np.float32)
    t["light_y"] = dice.between(-0.55, -0.15)
    t["light_z"] = np.sqrt(1 - np.minimum(t["light_x"] ** 2 + t["light_y"] ** 2, 0.8))
    return t


def _head(people: People, dice: Dice) -> dict[str, np.ndarray]:
    """Half width, height of the chin, how square the jaw is, wrinkles."""
    has, t = people.has, dict[str, np.ndarray]()
    male, chubby, oval = has("Male"), has("Chubby"), has("Oval_Face")
    t["face_a"] = dice.between(0.50, 0.545) + column(
        np.where(chubby, 0.068, 0.0) + np.where(oval, -0.058, 0.0) + male * 0.008
    )
    t["chin"] = dice.between(0.70, 0.77) + column(np.where(oval, 0.055, 0.0) + np.where(chubby, -0.02, 0.0))
    t["jaw"] = dice.between(np.where(male, 2.5, 2.0), np.where(male, 3.5, 2.6)) + column(np.where(chubby, 0.9, 0.0))
    t["jaw"] = np.where(column(oval), np.float32(1.75), t["jaw"]).astype(np.float32)
    t["jowl"] = column(chubby)
    t["bones"] = column(has("High_Cheekbones"))
    t["double_chin"] = column(has("Double_Chin"))
    t["wrinkles"] = column(~has("Young")) * dice.between(0.8, 1.2)
    return t


def _skin(people: People, dice: Dice) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Colours of the skin, and how dark it is without paleness, (B,), 0 to 1."""
    has, t = people.has, dict[str, np.ndarray]()
    # Blond and red hair go with fair skin more often than not, black hair with any.
    fair = np.where(
        has("Blond_Hair"),
        0.97,
        np.where(has("Brown_Hair") | has("Gray_Hair"), 0.86, np.where(has("Black_Hair"), 0.55, 0.85)),
    )
    shade = np.where(dice.raw() < fair, dice.raw() * 0.5, 0.5 + dice.raw() * 0.5)
    base = np.where(has("Pale_Skin")[:, None], floats(PALE), along(SKINS, 0.10 + 0.9 * shade))
    t["skin"] = dice.tint(base, 6)
    t["dark_skin"] = column(np.where(has("Pale_Skin"), 0, shade))
    deep = t["skin"] * floats([0.50, 0.37, 0.33])[:, None, None]
    t["skin_shadow"] = deep + 0.06 * t["skin"]
    t["blush"] = column(np.where(has("Rosy_Cheeks"), 0.72, np.where(has("Heavy_Makeup"), 0.20, 0.08))) * dice.between(
        0.85, 1.1
    )
    t["gloss"] = dice.between(0.08, 0.26)
    t["freckles"] = column(dice.raw() < 0.1) * column(shade < 0.3)
    t["mottle"] = dice.between(0, 60)
    return t, shade


def _eyes(people: People, dice: Dice, shade_B: np.ndarray) -> dict[str, np.ndarray]:
    """Centre, half width, height of the lids, gaze, colours; `shade_B` says how dark the skin is."""
    has, t = people.has, dict[str, np.ndarray]()
    male, smiling, narrow, makeup = has("Male"), has("Smiling"), has("Narrow_Eyes"), has("Heavy_Makeup")
    t["eye_x"] = dice.between(0.225, 0.25)
    t["eye_y"] = dice.between(-0.065, -0.035)
    t["eye_w"] = dice.between(0.118, 0.135) + column(np.where(male, 0.0, 0.006))
    lids = np.where(narrow, 0.024, np.where(male, 0.052, 0.060)) - np.where(smiling & ~narrow, 0.004, 0)
    t["lid_up"] = column(lids) * dice.between(0.92, 1.12)
    t["lid_low"] = column(np.where(narrow, 0.020, 0.040)) * dice.between(0.9, 1.1)
    t["eye_tilt"] = dice.between(-0.008, 0.022)
    t["gaze_x"], t["gaze_y"] = dice.about(0, 0.022), dice.about(0, 0.008)
    t["iris_r"] = dice.between(0.056, 0.062)
    t["iris"] = dice.tint(floats(IRISES)[dice.one_of((5, 4, 3, 2, 3, 2))], 10)
    t["makeup"] = column(makeup)
    shadows = floats(((88, 56, 70), (70, 74, 112), (112, 70, 44), (100, 52, 104), (56, 78, 84)))
    bright = floats(((196, 92, 128), (104, 116, 210), (214, 160, 76), (168, 96, 196), (90, 168, 170)))
    kind = dice.one_of((3, 2, 3, 2, 1))
    t["eye_shadow"] = dice.tint(np.where(shade_B[:, None] > 0.45, bright[kind], shadows[kind]), 10)
    t["lash"] = column(np.where(makeup, 1.0, np.where(male, 0.45, 0.7)))
    t["bags"] = column(has("Bags_Under_Eyes")) * dice.between(0.9, 1.1)
    return t


def _brows(people: People, dice: Dice, eye_y: np.ndarray) -> dict[str, np.ndarray]:
    """Height above the eyes at `eye_y`, thickness, how high the arch is, slope."""
    has, t = people.has, dict[str, np.ndarray]()
    male, bushy, arched = has("Male"), has("Bushy_Eyebrows"), has("Arched_Eyebrows")
    t["brow_y"] = eye_y + dice.between(-0.165, -0.145) - column(np.where(arched, 0.02, 0) - male * 0.012)
    t["brow_t"] = column(np.where(bushy, 0.062, np.where(male, 0.036, 0.031))) * dice.between(0.95, 1.1)
    t["brow_arch"] = column(np.where(arched, 0.105, 0.010)) * dice.between(0.85, 1.15)
    t["brow_slope"] = np.where(column(arched), np.float32(-0.010), dice.between(-0.015, 0.012))
    t["brow_w"] = dice.between(0.165, 0.185)
    t["bushy"] = column(bushy)
    return t


def _nose(people: People, dice: Dice) -> dict[str, np.ndarray]:
    """Half width at the wings and bridge, where it ends."""
    has, t = people.has, dict[str, np.ndarray]()
    big, pointy = has("Big_Nose"), has("Pointy_Nose")
    t["nose_w"] = column(np.where(big, 0.184, np.where(pointy, 0.078, 0.130))) * dice.between(0.94, 1.06)
    t["bridge_w"] = column(np.where(big, 0.072, np.where(pointy, 0.032, 0.052))) * dice.between(0.9, 1.1)
    t["nose_y"] = column(np.where(big, 0.275, np.where(pointy, 0.262, 0.226))) + dice.about(0, 0.014)
    t["pointy"] = column(pointy)
    t["big_nose"] = column(big)
    return t


def _mouth(people: People, dice: Dice, skin: np.ndarray) -> dict[str, np.ndarray]:
    """Place, half width, lips of a colour beside that of the `skin`, gap between them, curve of the corners."""
    has, t = people.has, dict[str, np.ndarray]()
    male, smiling, opened = has("Male"), has("Smiling"), has("Mouth_Slightly_Open")
    makeup, lipstick, big_lips = has("Heavy_Makeup"), has("Wearing_Lipstick"), has("Big_Lips")
    t["mouth_y"] = dice.between(0.45, 0.475) + column(np.where(has("Big_Nose"), 0.022, 0))
    t["mouth_w"] = dice.between(0.185, 0.215) + column(
        np.where(smiling, 0.040, 0) - np.where(opened & ~smiling, 0.02, 0)
    )
    t["curve"] = np.where(column(smiling), dice.between(0.060, 0.085), dice.about(0.014, 0.012)).astype(np.float32)
    grin = column(np.where(opened, np.where(smiling, 0.056, 0.048), 0.0))
    t["gap"] = grin * dice.between(0.85, 1.25)
    thin = np.where(male, 0.038, 0.046)
    t["lip_up"] = column(np.where(big_lips, 0.088, thin) - np.where(smiling & opened, 0.006, 0)) * dice.between(
        0.9, 1.1
    )
    t["lip_low"] = column(np.where(big_lips, 0.114, thin * 1.25)) * dice.between(0.9, 1.1)
    t["lipstick"] = column(lipstick)
    sticks = floats(((178, 24, 48), (204, 60, 92), (150, 20, 60), (214, 76, 70), (184, 50, 110), (120, 24, 40)))
    painted = dice.tint(sticks[dice.one_of((4, 4, 2, 3, 2, 1))], 12)
    painted = np.where(makeup[:, None, None, None], painted * 0.88, painted)
    bare = skin * floats([0.80, 0.60, 0.58])[:, None, None] + floats([0.02, 0.01, 0.02])[:, None, None]
    t["lip"] = np.where(lipstick[:, None, None, None], painted, bare).astype(np.float32)
    t["teeth"] = dice.between(0.90, 0.98)
    return t


def _ears_and_beard(people: People, dice: Dice) -> dict[str, np.ndarray]:
    """Where the ears are, what of a beard there is."""
    has, t = people.has, dict[str, np.ndarray]()
    t["ear_y"] = dice.between(0.0, 0.04)
    t["ear_a"], t["ear_b"] = dice.between(0.082, 0.10), dice.between(0.15, 0.18)
    goatee, moustache, sideburns = has("Goatee"), has("Mustache"), has("Sideburns")
    t["goatee"], t["moustache"], t["sideburns"] = column(goatee), column(moustache), column(sideburns)
    t["full_beard"] = column(goatee & moustache & sideburns)
    t["stubble"] = column(has("5_o_Clock_Shadow"))
    t["beard_reach"] = dice.between(0.0, 0.10)
    return t
