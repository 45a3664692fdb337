"""Glasses, hats and earrings."""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas, Window
from facecond.drawn.shapes import bump, circle, ellipse, fade, ramp, ridge, ring
from facecond.drawn.skin import LABEL, ear_place, rgb
from facecond.drawn.traits import Traits

GLASSES = Window(-0.85, 0.85, -0.36, 0.26)
HAT = Window(-1, 1, -1, -0.05)
JEWELS = Window(-0.98, 0.98, 0.02, 0.72)
BEANIE, CAP, BRIM, WIDE = range(4)


def glasses(canvas: Canvas, t: Traits) -> None:
    """Frames with lightly tinted, reflecting lenses; sunglasses hide the eyes.

    The labels of eyes and brows lie over the lens's, as in the data set.
    """
    rows = np.flatnonzero(t.glasses)
    if not len(rows):
        return
    part, s = canvas.pick(rows, GLASSES), t.pick(rows)
    p, v = part.p, part.v
    q = np.abs(p)
    x, y = q - s.eye_x - 0.004, v - s.eye_y - 0.018
    power = s.lens_power
    xs, ys = (
        np.power(np.abs(x) / s.lens_a + np.float32(1e-3), power),
        np.power(np.abs(y) / s.lens_b + np.float32(1e-3), power),
    )
    slope = power * np.sqrt((xs / (np.abs(x) + 0.01)) ** 2 + (ys / (np.abs(y) + 0.01)) ** 2)
    lens = (xs + ys - 1) / (slope + np.float32(0.3))
    bridge = np.maximum(np.abs(y + 0.045 - 0.35 * q * q) - 0.022, q - s.eye_x + s.lens_a)
    arm = np.maximum(np.abs(y + 0.05) - 0.024, s.eye_x + s.lens_a - q)
    arm = np.maximum(arm, np.abs(part.u) - s.face_a - 0.03)
    frame = np.minimum(np.minimum(ring(lens, s.frame_t), bridge), arm)
    inside = part.cover(lens)
    dark = s.sunglasses
    hidden = (part.labels >= LABEL["l_eye"]) & (part.labels <= LABEL["r_brow"])
    on_face = (part.labels > 0) & (part.labels < LABEL["l_ear"])
    part.multiply(
        1
        - 0.20
        * fade(frame - 0.02, 30)
        * on_face
        * ramp(y, -0.05, 0.05)
        * (1 - ramp(y, 0.15, 0.22))
        * (1 - dark * inside)
    )
    label = np.where(hidden & (dark == 0), part.labels, LABEL["eye_g"]).astype(np.uint8)
    part.paint(inside * (0.13 + 0.84 * dark), np.where(dark[:, None] > 0, s.lens_tint, rgb(206, 222, 236)))
    part.mark(inside, label)
    glare = ramp(np.sin(p * 9 + v * 13 + 0.6), 0.72, 0.95) * inside
    part.paint(glare * (0.20 + 0.10 * dark), rgb(255, 255, 255))
    shade = 0.9 + 0.5 * ridge(lens - 0.004, 0.010) * (y < 0)
    part.paint(part.cover(frame), s.frame * shade[:, None], LABEL["eye_g"])
    canvas.put(part, rows, GLASSES)


def hat(canvas: Canvas, t: Traits) -> None:
    """Beanie, baseball cap, brimmed hat or wide-brimmed hat; hair shows below it."""
    rows = np.flatnonzero(t.hat)
    if not len(rows):
        return
    part, s = canvas.pick(rows, HAT), t.pick(rows)
    u = part.u + 0.10 * s.sin_yaw
    v = part.v
    kind = s.hat_kind[:, None, None]
    edge = s.hat_y + s.hat_bend - 0.10 * u * u + np.where(kind == BEANIE, np.float32(0.02), np.float32(0))
    side = np.maximum(s.hair_a - 0.02, s.face_a + 0.05)
    tall = np.where(kind == BEANIE, np.float32(0.56), np.where(kind == CAP, np.float32(0.50), np.float32(0.62)))
    tall = np.maximum(tall, s.hair_top + 0.25 + s.hat_y)
    power = np.where(kind >= BRIM, np.float32(3.0), np.float32(2.0))
    width = np.where(kind >= BRIM, side * 0.92, side)
    rise = np.maximum(edge - v, 0) / tall
    across = np.abs(u) / width
    dome = (
        (across**power + rise**power - 1)
        * 0.5
        * np.minimum(width, tall)
        * np.where(kind >= BRIM, np.float32(0.7), np.float32(1))
    )
    crown = np.maximum(dome, v - edge)
    light = 0.56 + 0.30 * u / width * s.light_x + 0.34 * np.sqrt(np.maximum(1 - across * across, 0.02)) + 0.12 * rise
    ribs = np.where(
        kind == BEANIE, 0.055 * np.sin(u / (0.45 + 0.55 * np.sqrt(np.maximum(1 - rise, 0.02))) * 52), np.float32(0)
    )
    seams = np.where(
        kind == CAP, -0.20 * ridge(np.abs(u) - 0.36 * np.sqrt(np.maximum(1 - rise * rise, 0.0)), 0.014), np.float32(0)
    )
    weave = np.where(kind >= BRIM, 0.03 * np.sin(u * 60) * np.sin(v * 60), np.float32(0))
    shade_below = fade(v - edge, 9) * (v > edge) * (part.labels > 0) * 0.42
    part.multiply(1 - shade_below)
    part.paint(part.cover(crown), s.hat_colour * (light + ribs + seams + weave)[:, None], LABEL["hat"])
    band_high = np.where(kind == BEANIE, np.float32(0.17), np.float32(0.11))
    band = np.maximum(crown, edge - band_high - v)
    banded = (kind != CAP).astype(np.float32)
    fold = light * 0.95 + ribs * 1.6 - 0.25 * ridge(v - edge + band_high, 0.018)
    band_colour = np.where((kind == BEANIE)[:, None], s.hat_colour * 0.86, s.hat_band)
    part.paint(part.cover(band) * banded, band_colour * fold[:, None], LABEL["hat"])
    wide = np.where(kind == WIDE, np.float32(0.96), np.float32(0.78))
    brim = ellipse(
        u,
        v - edge - 0.02 - 0.13 * u * u * np.where(kind == WIDE, np.float32(1), np.float32(0.2)),
        wide,
        np.where(kind == WIDE, np.float32(0.125), np.float32(0.095)),
    )
    tint = (0.86 + 0.25 * u * s.light_x - 0.9 * np.maximum(v - edge, 0) + weave)[:, None]
    part.paint(part.cover(brim) * (kind >= BRIM), s.hat_colour * tint, LABEL["hat"])
    visor_u = part.u - 0.30 * s.sin_yaw
    visor = np.maximum(
        ellipse(visor_u, v - edge + 0.03, np.float32(0.50), np.float32(0.165)),
        edge - 0.035 + 0.12 * visor_u * visor_u - v,
    )
    part.paint(
        part.cover(visor) * (kind == CAP),
        s.hat_band * (0.98 - 2.2 * np.maximum(v - edge, 0) + 0.25 * u * s.light_x)[:, None],
        LABEL["hat"],
    )
    canvas.put(part, rows, HAT)


def earrings(canvas: Canvas, t: Traits) -> None:
    """Hoops, drops, pearls and chandeliers below the lobes, over the hair; on a turned head only the near one shows."""
    rows = np.flatnonzero(t.earrings)
    if not len(rows):
        return
    part, s = canvas.pick(rows, JEWELS), t.pick(rows)
    side = np.where(part.u > 0, np.float32(1), np.float32(-1))
    out, ear_y = ear_place(s, side)
    size = s.earring_size
    x, y = np.abs(part.u) - out - 0.012, part.v - ear_y - s.ear_b * 0.86
    kind = s.earring_kind[:, None, None]
    hoop = ring(circle(x, y - 0.105 * size, 0.088 * size), 0.030 * size)
    drop = np.minimum(
        ellipse(x, y - 0.150 * size, 0.060 * size, 0.115 * size), np.maximum(np.abs(x) - 0.018, np.abs(y - 0.03) - 0.04)
    )
    pearl = circle(x, y - 0.035, 0.074 * size)
    fan = np.maximum(np.abs(x) - 0.026 - 0.28 * y * size, np.abs(y - 0.125 * size) - 0.120 * size)
    d = np.where(kind == 0, hoop, np.where(kind == 1, drop, np.where(kind == 2, pearl, fan))).astype(np.float32)
    seen = side * s.sin_yaw < 0.16
    part.multiply(1 - 0.40 * fade(d, 30) * seen)
    sparkle = np.where(kind == 3, 0.16 * np.sin(x * 120) * np.sin(y * 80), np.float32(0))
    light = 0.86 - 2.4 * x * side * -s.light_x + sparkle - 0.8 * np.maximum(y - 0.12, 0)
    glint = bump(
        x - 0.018 * np.sign(s.light_x) * side, y - 0.05 - 0.07 * (kind == 1), np.float32(0.022), np.float32(0.028)
    )
    colour = np.minimum(s.earring * light[:, None] + glint[:, None] * 0.55, 1)
    part.paint(part.cover(d) * seen, colour, LABEL["ear_r"])
    canvas.put(part, rows, JEWELS)
