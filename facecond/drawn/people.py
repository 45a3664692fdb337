"""Who is drawn: the 40 CelebA attributes of a face, as a pure function of (seed, index).

CelebAMask-HQ's attributes are strongly tied to sex and age, and in a few families to one another (make-up and
lipstick, smile and cheekbones, the beard words). `RATES` holds, for each attribute, how often it is set among young
men, older men, young women and older women, and which hidden factor it shares with its relatives; the numbers are
CelebA-HQ's, except that attributes under about 8 % (hats, glasses, bald heads, ...) are drawn more often, so that a
small model sees enough of them. What would contradict a picture (a bald head with bangs, a tie on a necklace) is then
removed by `agree`.

`CONSTANT` names what is not drawn. Every other attribute changes the picture, at 64 pixels too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from facecond.faces.attributes import ATTRIBUTES
from facecond.rng import numpy_generator

COLUMN: Final = {name: number for number, name in enumerate(ATTRIBUTES)}

CONSTANT: Final[Mapping[str, int]] = {"Attractive": -1}
"""Attributes held constant, and at what: a judgement of taste is not something a program draws."""

MALE_RATE: Final = 0.40
YOUNG_RATE: Final = (0.70, 0.80)
"""How many of the men, and of the women, are young."""

FACTORS: Final = ("glamour", "joy", "beard", "weight", "years")

RATES: Final[Mapping[str, tuple[float, float, float, float, str, float]]] = {
    # attribute              young men, older men, young women, older women, shared factor, its weight (correlation's root)
    "5_o_Clock_Shadow":     (0.40, 0.25, 0.00, 0.00, "beard", 0.30),
    "Arched_Eyebrows":      (0.10, 0.06, 0.54, 0.49, "glamour", 0.50),
    "Bags_Under_Eyes":      (0.36, 0.62, 0.13, 0.34, "years", 0.50),
    "Bald":                 (0.05, 0.18, 0.00, 0.00, "years", 0.20),
    "Bangs":                (0.17, 0.05, 0.27, 0.36, "glamour", 0.00),
    "Big_Lips":             (0.29, 0.18, 0.44, 0.36, "glamour", 0.20),
    "Big_Nose":             (0.46, 0.68, 0.14, 0.31, "weight", 0.50),
    "Bushy_Eyebrows":       (0.44, 0.25, 0.12, 0.04, "beard", 0.30),
    "Chubby":               (0.09, 0.30, 0.04, 0.10, "weight", 0.85),
    "Double_Chin":          (0.06, 0.28, 0.02, 0.12, "weight", 0.85),
    "Eyeglasses":           (0.11, 0.22, 0.06, 0.10, "years", 0.30),
    "Goatee":               (0.19, 0.23, 0.00, 0.00, "beard", 0.80),
    "Heavy_Makeup":         (0.00, 0.00, 0.72, 0.58, "glamour", 0.90),
    "High_Cheekbones":      (0.27, 0.34, 0.53, 0.74, "joy", 0.85),
    "Mouth_Slightly_Open":  (0.38, 0.42, 0.50, 0.62, "joy", 0.70),
    "Mustache":             (0.15, 0.22, 0.00, 0.00, "beard", 0.80),
    "Narrow_Eyes":          (0.14, 0.16, 0.11, 0.13, "joy", 0.20),
    "Oval_Face":            (0.22, 0.16, 0.30, 0.16, "weight", -0.30),
    "Pale_Skin":            (0.05, 0.04, 0.09, 0.07, "glamour", 0.00),
    "Pointy_Nose":          (0.26, 0.22, 0.40, 0.37, "weight", -0.20),
    "Receding_Hairline":    (0.07, 0.28, 0.05, 0.07, "years", 0.40),
    "Rosy_Cheeks":          (0.02, 0.02, 0.20, 0.27, "glamour", 0.50),
    "Sideburns":            (0.20, 0.22, 0.00, 0.00, "beard", 0.75),
    "Smiling":              (0.38, 0.44, 0.49, 0.68, "joy", 0.92),
    "Wearing_Earrings":     (0.04, 0.02, 0.42, 0.60, "glamour", 0.40),
    "Wearing_Hat":          (0.12, 0.11, 0.04, 0.03, "years", 0.00),
    "Wearing_Lipstick":     (0.00, 0.00, 0.88, 0.82, "glamour", 0.95),
    "Wearing_Necklace":     (0.03, 0.02, 0.24, 0.38, "glamour", 0.35),
    "Wearing_Necktie":      (0.13, 0.29, 0.00, 0.00, "years", 0.20),
    "Blurry":               (0.03, 0.03, 0.03, 0.03, "years", 0.00),
}  # fmt: skip

HAIR_COLOURS: Final = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
HAIR_COLOUR_RATES: Final = (
    (0.42, 0.09, 0.32, 0.01),
    (0.18, 0.06, 0.20, 0.38),
    (0.25, 0.28, 0.29, 0.01),
    (0.12, 0.34, 0.26, 0.14),
)
"""Young men, older men, young women, older women; what is missing to 1 is red, auburn or dyed hair, which has no word."""

TEXTURES: Final = ("Straight_Hair", "Wavy_Hair")
TEXTURE_RATES: Final = ((0.30, 0.20), (0.24, 0.14), (0.26, 0.48), (0.16, 0.55))


@dataclass(frozen=True)
class People:
    """Who is drawn: words and dice."""

    attributes: np.ndarray
    """bool (B, 40)."""
    uniform: np.ndarray
    """float32 (B, DICE) in [0, 1): what the words leave open, used up in a fixed order by the traits."""

    def has(self, name: str) -> np.ndarray:
        """bool (B,): who has this attribute."""
        return self.attributes[:, COLUMN[name]]


DICE: Final = 224


def people(seed: int, indices: Sequence[int], wanted: Mapping[str, bool] | None = None) -> People:
    """Return the people with these indices. `wanted` forces attributes and leaves everything else about them as it was."""
    normal, choice, uniform = dice(seed, indices)
    return People(words(normal, choice, wanted or {}), uniform)


def dice(seed: int, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what decides who the people with these indices are: the first two arguments of `words`, and `People.uniform`."""
    normal = np.empty((len(indices), len(RATES) + len(FACTORS)))
    choice = np.empty((len(indices), 4))
    uniform = np.empty((len(indices), DICE), np.float32)
    for row, index in enumerate(indices):
        generator = numpy_generator(seed, "drawn face", int(index))
        choice[row] = generator.random(4)
        normal[row] = generator.standard_normal(normal.shape[1])
        uniform[row] = generator.random(DICE, dtype=np.float32)
    return normal, choice, uniform


def words(normal: np.ndarray, choice: np.ndarray, wanted: Mapping[str, bool]) -> np.ndarray:
    """Turn independent normals (B, factors + attributes) and uniforms (B, 4) into bool attributes (B, 40)."""
    table = np.zeros((len(normal), len(ATTRIBUTES)), bool)
    force = {COLUMN[name]: value for name, value in wanted.items()}

    def put(name: str, values: np.ndarray) -> None:
        column = COLUMN[name]
        table[:, column] = force.get(column, values)

    put("Male", choice[:, 0] < MALE_RATE)
    male = table[:, COLUMN["Male"]]
    put("Young", choice[:, 1] < np.where(male, *YOUNG_RATE))
    cell = np.where(male, 0, 2) + ~table[:, COLUMN["Young"]]

    quantile = NormalDist().inv_cdf
    for number, (name, (*rates, factor, weight)) in enumerate(RATES.items()):
        threshold = np.array([quantile(min(max(rate, 1e-9), 1 - 1e-9)) for rate in rates])
        shared = normal[:, FACTORS.index(factor)]
        own = normal[:, len(FACTORS) + number]
        put(name, weight * shared + np.sqrt(1 - weight**2) * own < threshold[cell])
    for names, rates_of, column in ((HAIR_COLOURS, HAIR_COLOUR_RATES, 2), (TEXTURES, TEXTURE_RATES, 3)):
        edges = np.cumsum(np.array(rates_of), axis=1)[cell]
        forced = [name for name in names if wanted.get(name)]
        for position, name in enumerate(names):
            low = edges[:, position - 1] if position else 0.0
            inside = (choice[:, column] >= low) & (choice[:, column] < edges[:, position])
            put(name, inside & (not forced))
    if wanted.get("No_Beard") is False:
        put("5_o_Clock_Shadow", np.ones(len(table), bool))
    agree(table, frozenset(name for name, value in wanted.items() if value))
    return table


def agree(table: np.ndarray, kept: frozenset[str] = frozenset()) -> None:
    """Remove, in place, attributes that cannot be true of one picture.

    Of two that exclude one another the first named below gives way, unless it is in `kept`.
    """

    def never(loser: str, winner: str) -> None:
        if loser in kept and winner not in kept:
            loser, winner = winner, loser
        table[:, COLUMN[loser]] &= ~table[:, COLUMN[winner]]

    for loser, winner in (
        ("Bald", "Wearing_Hat"), ("Bangs", "Wearing_Hat"), ("Receding_Hairline", "Wearing_Hat"), ("Bangs", "Bald"),
        ("Receding_Hairline", "Bald"), ("Receding_Hairline", "Bangs"), ("Wearing_Necklace", "Wearing_Necktie"),
        ("Oval_Face", "Chubby"), ("Oval_Face", "Double_Chin"), ("Pointy_Nose", "Big_Nose"),
        *((name, "Bald") for name in (*HAIR_COLOURS, *TEXTURES)),
    ):  # fmt: skip
        never(loser, winner)
    # A full beard leaves no stubble to see, and whoever grows anything has a beard.
    full = full_beard(table)
    table[:, COLUMN["5_o_Clock_Shadow"]] &= ~full
    grown = np.zeros(len(table), bool)
    for name in ("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns"):
        if "No_Beard" in kept:
            table[:, COLUMN[name]] = False
        grown |= table[:, COLUMN[name]]
    table[:, COLUMN["No_Beard"]] = ~grown
    for name, value in CONSTANT.items():
        table[:, COLUMN[name]] = value > 0


def full_beard(table: np.ndarray) -> np.ndarray:
    """bool (B,): goatee, moustache and sideburns together are drawn as one beard along the jaw."""
    return table[:, COLUMN["Goatee"]] & table[:, COLUMN["Mustache"]] & table[:, COLUMN["Sideburns"]]
