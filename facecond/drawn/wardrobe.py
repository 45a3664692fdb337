"""Hair, clothes, things worn and what lies behind the head: the rest of a person's traits, from words and dice."""

from __future__ import annotations

import numpy as np

from facecond.drawn.people import People
from facecond.drawn.shapes import F, floats
from facecond.drawn.traits import Dice, Traits, body, column

HAIR = {
    "Black_Hair": ((34, 28, 30), (24, 22, 28)),
    "Blond_Hair": ((222, 188, 128), (204, 168, 112), (236, 212, 164)),
    "Brown_Hair": ((104, 66, 40), (84, 54, 36), (124, 80, 50)),
    "Gray_Hair": ((176, 176, 178), (206, 206, 208), (146, 147, 152)),
}
OTHER_HAIR = ((150, 64, 40), (122, 46, 38), (176, 92, 56), (116, 34, 44))
"""Red, auburn, copper, dyed: colours that CelebA has no word for."""

CLOTH = (
    (38, 40, 52), (235, 235, 232), (150, 36, 44), (40, 74, 140), (52, 104, 74), (120, 120, 124),
    (214, 180, 90), (112, 62, 120), (24, 24, 26), (206, 116, 140), (88, 150, 170), (126, 90, 60),
)  # fmt: skip
GROUNDS = (
    (214, 220, 226), (60, 70, 92), (150, 164, 150), (196, 170, 140), (92, 60, 56), (40, 44, 48),
    (124, 160, 200), (232, 226, 214), (180, 84, 70), (84, 110, 96), (172, 176, 184), (70, 58, 88),
)  # fmt: skip
METAL_EARRING = ((244, 200, 84), (226, 230, 240), (246, 240, 232), (40, 160, 170), (214, 44, 70))


def traits(people: People) -> Traits:
    """All traits of these people."""
    dice = Dice(people)
    t = body(people, dice)
    t |= hair(people, dice, t)
    t |= wardrobe(people, dice)
    return Traits({name: value.astype(np.float32) if value.dtype == np.float64 else value for name, value in t.items()})


def hair(people: People, dice: Dice, t: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Traits of the hair: style, outline, hairline, texture and colour."""
    has = people.has
    male, young, wavy, straight, bangs = has("Male"), has("Young"), has("Wavy_Hair"), has("Straight_Hair"), has("Bangs")
    bald, receding, hat = has("Bald"), has("Receding_Hairline"), has("Wearing_Hat")
    roll = dice.raw()
    limits = np.where(
        male[:, None],
        floats([0.88, 0.94, 0.985]),
        np.where(young[:, None], floats([0.08, 0.30, 0.70]), floats([0.26, 0.56, 0.78])),
    )
    style = (roll[:, None] >= limits).sum(1)
    style = np.where(bald, 0, np.where((hat | wavy | straight) & (style == 3), 2, style))
    short, medium, long, tied = (style == number for number in range(4))
    curly = wavy & (dice.raw() < 0.32)
    volume = dice.raw()
    h: dict[str, np.ndarray] = {"style": style, "bald": bald, "short": short | tied}
    h["curly"], h["wavy"] = column(curly), column(wavy & ~curly)
    h["sleek"] = column(straight)
    puff = np.where(
        curly,
        0.12 + 0.12 * volume,
        np.where(wavy, 0.05 + 0.08 * volume, np.where(straight, 0.02 + 0.03 * volume, 0.03 + 0.06 * volume)),
    )
    puff = np.where(short, puff * 0.7, np.where(tied, 0.03, puff + np.where(long, 0.06, 0.03)))
    top = np.where(tied, 0.05, np.where(short & ~male, 0.10, 0.06 + 0.09 * volume)) + np.where(curly, 0.05, 0)
    h["hair_a"] = t["face_a"] + column(np.where(bald, -0.004, 0.02 + puff))
    h["hair_top"] = column(0.58 + np.minimum(top, 0.16))
    h["hair_end"] = column(np.where(short | tied, 0.22, np.where(medium, 0.40 + 0.25 * volume, 0.85 + 0.6 * volume)))
    spread = np.where(short | tied, -0.10, np.where(curly, 0.16, np.where(wavy, 0.10, 0.02)) * np.where(long, 1.3, 1.0))
    h["hair_b"] = h["hair_a"] + column(spread)
    # Sideburns are grown to be seen.
    tucked = ((dice.raw() < 0.35) | has("Sideburns")) & (medium | long)
    h["tucked"] = column(short | tied | tucked)
    h["ears_show"] = short | tied | tucked
    h["front_end"] = column(np.where(short | tied, np.where(has("Sideburns"), 0.30, 0.04), 2.0))
    in_front = dice.raw() < 0.8
    h["front_end"] = np.where(column(long & ~in_front), np.float32(0.75), h["front_end"]).astype(np.float32)
    # Hairline: its height over the brows, how square, how far it recedes at the temples, how it slopes from a side parting.
    h["hairline"] = dice.between(-0.60, -0.50) + column(np.where(bangs, 0.305, 0) + np.where(receding, -0.10, 0))
    h["hairline"] = np.where(
        column(tied), np.minimum(h["hairline"], np.float32(-0.54)) + column(np.where(bangs, 0.28, 0)), h["hairline"]
    ).astype(np.float32)
    h["squareness"] = dice.between(np.where(male, 2.4, 2.0), np.where(male, 3.4, 2.6)) + column(np.where(bangs, 1.5, 0))
    h["recede"] = column(np.where(receding, 0.17, np.where(male, 0.03, 0.0))) * dice.between(0.8, 1.2)
    h["temple"] = column(np.where(tucked | short | tied, 0.475, 0.43)) + dice.between(-0.01, 0.02)
    parted = np.where(dice.raw() < 0.5, -1, 1)
    swept = (dice.raw() < 0.5) | (bangs & (dice.raw() < 0.4))
    h["part_x"] = column(parted) * dice.between(0.0, 0.26) * column(~bangs)
    h["slope"] = column(parted * swept) * column(np.where(bangs, 0.16, np.where(male, 0.12, 0.22))) * column(~receding)
    h["fringe"] = column(bangs * np.where(dice.raw() < 0.6, 1.0, 0.5))
    # Short hair on men may stand up at the front or lie to a side.
    h["quiff"] = column(short & male & ~bangs & (dice.raw() < 0.45)) * dice.between(0.03, 0.09)
    h["quiff_x"] = dice.between(-0.3, 0.3)
    bun = dice.one_of((0.5, 0.5))
    h["bun"], h["ponytail"] = tied & (bun == 0) & ~bald, tied & (bun == 1)
    h["bun_x"], h["bun_r"] = dice.between(-0.14, 0.14), dice.between(0.17, 0.22)
    h["swing"] = t["sin_yaw"] * column(np.where(bald, 0.05, 0.16))
    h["wave_f"] = dice.between(11, 17)
    h["phase"], h["phase2"] = dice.between(0, 6.28), dice.between(0, 6.28)
    h["shine"] = dice.between(0.10, 0.26) + column(np.where(straight, 0.14, 0))
    pick = dice.raw()
    base = choose(OTHER_HAIR, pick)
    for name, palette in HAIR.items():
        base = np.where(has(name)[:, None], choose(palette, pick), base)
    bald_fringe = np.where(young[:, None], floats([70, 52, 42]), floats([150, 148, 146]))
    base = np.where(bald[:, None], bald_fringe, base)
    h["hair"] = dice.tint(base, 6)
    brow = np.where(
        has("Blond_Hair")[:, None],
        floats([128, 92, 56]),
        np.where(has("Gray_Hair")[:, None], floats([112, 108, 106]), np.minimum(base * 0.62, 110)),
    )
    h["brow"] = (brow / 255).astype(np.float32)[:, :, None, None]
    h["beard"] = np.where(has("Blond_Hair")[:, None, None, None], h["hair"] * 0.62, h["hair"] * 0.85).astype(np.float32)
    return h


def choose(palette: tuple[tuple[int, int, int], ...], roll: F) -> F:
    """(B, 3) colours, one of a palette for each roll in [0, 1)."""
    return floats(palette)[np.minimum((roll * len(palette)).astype(int), len(palette) - 1)]


def wardrobe(people: People, dice: Dice) -> dict[str, np.ndarray]:
    """Traits of clothes, glasses, hat, jewellery and background."""
    has = people.has
    male, tie = has("Male"), has("Wearing_Necktie")
    w: dict[str, np.ndarray] = {}
    w["cloth"] = dice.tint(choose(CLOTH, dice.raw()), 14)
    w["cloth2"] = dice.tint(choose(CLOTH, dice.raw()), 14)
    w["pattern"] = np.where(tie, 0, dice.one_of((6, 2, 1.2, 1.2)))
    w["collar"] = np.where(tie, 2, np.where(male, dice.one_of((5, 3, 3, 0)), dice.one_of((4, 3, 1, 3))))
    w["shoulder"] = dice.between(0.86, 0.94) - column(male * 0.04)
    w["neck_w"] = (
        column(np.where(male, 0.36, 0.30)) + dice.between(-0.015, 0.02) + column(np.where(has("Chubby"), 0.04, 0))
    )
    w["tie"], w["tie_colour"] = (
        tie,
        dice.tint(choose(((160, 28, 40), (36, 60, 130), (30, 30, 36), (96, 40, 110), (190, 140, 50)), dice.raw()), 10),
    )
    w["tie_stripes"] = column(dice.raw() < 0.5)

    glasses = has("Eyeglasses")
    dark = glasses & (dice.raw() < 0.25)
    w["glasses"], w["sunglasses"] = glasses, column(dark)
    w["lens_a"] = dice.between(0.180, 0.20)
    w["lens_b"] = dice.between(0.120, 0.150) + column(np.where(dark, 0.015, 0))
    w["lens_power"] = column(floats([2.0, 3.0, 4.5])[dice.one_of((1, 1.2, 1.2))])
    w["frame_t"] = dice.between(0.024, 0.034)
    w["frame"] = dice.tint(
        choose(((24, 22, 24), (30, 26, 30), (92, 48, 28), (150, 30, 40), (170, 150, 110), (50, 60, 110)), dice.raw()), 8
    )
    w["lens_tint"] = dice.tint(choose(((40, 36, 40), (66, 44, 30), (34, 44, 60)), dice.raw()), 6)

    w["hat"] = has("Wearing_Hat")
    w["hat_kind"] = np.where(male, dice.one_of((3, 4, 2.5, 1)), dice.one_of((3, 2, 2, 3)))
    w["hat_colour"] = dice.tint(choose(CLOTH, dice.raw()), 14)
    w["hat_band"] = dice.tint(choose(CLOTH, dice.raw()), 14)
    w["hat_y"] = dice.between(-0.47, -0.40)
    w["hat_bend"] = dice.between(-0.02, 0.05)

    w["earrings"], w["earring_kind"] = has("Wearing_Earrings"), np.where(male, 2, dice.one_of((3, 3, 3, 3)))
    w["earring"] = dice.tint(choose(METAL_EARRING, dice.raw()), 8)
    w["earring_size"] = dice.between(0.92, 1.2)
    w["necklace"], w["necklace_kind"] = has("Wearing_Necklace"), dice.one_of((1.2, 1, 1))
    w["necklace_colour"] = dice.tint(
        choose(((246, 206, 90), (232, 236, 244), (250, 244, 236), (40, 150, 150)), dice.raw()), 8
    )
    w["necklace_y"] = dice.between(0.84, 0.88)

    w["ground_kind"] = dice.one_of((3, 3, 2))
    w["ground"], w["ground2"] = dice.tint(choose(GROUNDS, dice.raw()), 18), dice.tint(choose(GROUNDS, dice.raw()), 18)
    w["ground_angle"], w["ground_edge"] = dice.between(0, 6.28), dice.between(-0.6, 0.6)
    w["bokeh"] = np.stack([dice.raw() for _ in range(30)], axis=1).astype(np.float32)
    w["grain_x"], w["grain_y"] = (dice.raw() * 251).astype(int), (dice.raw() * 251).astype(int)
    return w
