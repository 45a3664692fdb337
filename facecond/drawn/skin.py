"""Head, neck and ears: outlines, and skin lit as a relief.

The relief is an ellipsoid with soft hills and hollows on it (nose, sockets, cheekbones, lips, chin, folds). Its slope
against the direction of the lamp gives light and shade everywhere at once, so that light from a side models every
feature.
"""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas, Window
from facecond.drawn.shapes import F, bump, ellipse, fade, floats, ramp, ridge
from facecond.drawn.traits import Traits
from facecond.faces.labels import CLASSES

LABEL = {name: number for number, name in enumerate(CLASSES)}
WIDEST = np.float32(-0.10)
"""Height v at which the head is widest."""
CROWN = np.float32(0.70)
"""From there to the top of the skull."""
FACE = Window(-0.80, 0.80, -0.62, 0.98)
NECK = Window(-0.85, 0.85, 0.30, 1.0)


def rgb(red: int, green: int, blue: int) -> F:
    """A fixed colour (0..255) as float32 (1, 3, 1, 1)."""
    return (floats([red, green, blue]) / 255)[None, :, None, None]


def centred(canvas: Canvas, t: Traits) -> F:
    """u, less the way the chin goes when the head turns."""
    return canvas.u - t.sin_yaw * (np.float32(0.04) + np.float32(0.20) * ramp(canvas.v, -0.25, 0.75))


def face_outline(canvas: Canvas, t: Traits) -> F:
    """Distance to the outline of the head without hair: an ellipse above, |u/a|^2 + |v/b|^jaw = 1 below."""
    u = centred(canvas, t) / t.face_a
    height = canvas.v - WIDEST
    above = np.minimum(height, 0) * np.float32(-1 / CROWN)
    below = np.maximum(height, np.float32(1e-3)) * (1 / (t.chin - WIDEST))
    rise = np.power(below, t.jaw - 1)
    value = u * u - 1
    below *= rise
    value += below
    steep = rise * (0.5 * t.jaw / (t.chin - WIDEST))
    steep += above * np.float32(1 / CROWN)
    steep *= steep
    above *= above
    value += above
    u *= 1 / t.face_a
    u *= u
    u += steep
    slope = np.sqrt(u, out=u)
    slope *= 2
    slope += np.float32(0.05)
    value /= slope
    return value


def relief(canvas: Canvas, t: Traits) -> F:
    """Height of hills and hollows on the face, in units of x, float32 (B, h, w)."""
    p, v = canvas.p, canvas.v
    q = np.abs(p)
    nose = nose_centred(canvas, t)
    tip = t.nose_y - 0.045
    back = ridge(nose, t.bridge_w * 1.15)
    height = (
        back
        * (ramp(v, -0.16, 0.20) * (1 - ramp(v, tip, t.nose_y + 0.05)))
        * (0.066 + 0.03 * t.pointy + 0.012 * t.big_nose)
    )
    height += bump(nose, v - tip, t.nose_w * (0.58 - 0.12 * t.pointy), 0.062 + 0.012 * t.big_nose) * (
        0.075 + 0.035 * t.pointy + 0.02 * t.big_nose
    )
    height += bump(np.abs(nose) - t.nose_w * 0.72, v - tip - 0.012, t.nose_w * 0.34, np.float32(0.05)) * 0.05
    height -= bump(q - t.eye_x + 0.02, v - t.eye_y + 0.01, np.float32(0.17), np.float32(0.10)) * 0.060
    height += bump(q - 0.20, v - t.brow_y - 0.01, np.float32(0.22), np.float32(0.07)) * (0.010 + 0.016 * t.male)
    height += bump(q - 0.33, v - 0.14, np.float32(0.15), np.float32(0.11)) * (
        0.022 + 0.050 * t.bones + 0.014 * t.smile + 0.015 * t.jowl
    )
    height -= bump(q - 0.36, v - 0.37, np.float32(0.11), np.float32(0.15)) * (0.012 + 0.052 * t.bones - 0.030 * t.jowl)
    height += bump(p, v - t.mouth_y, np.float32(0.20), np.float32(0.10)) * 0.030
    height += bump(p, v - t.chin + 0.105, np.float32(0.14), np.float32(0.075)) * (0.034 + 0.02 * t.double_chin)
    height -= bump(p, v - t.mouth_y - t.lip_low - t.gap - 0.055, np.float32(0.15), np.float32(0.035)) * 0.026
    fold = q - (t.nose_w + 0.035 + (v - t.nose_y + 0.04) * 0.52)
    within = ramp(v, t.nose_y - 0.06, t.nose_y + 0.04) * (1 - ramp(v, t.mouth_y - 0.05, t.mouth_y + 0.06))
    height -= ridge(fold, 0.040) * within * (0.003 + 0.008 * t.smile + 0.010 * t.wrinkles)
    return height


def nose_centred(canvas: Canvas, t: Traits) -> F:
    """p about the nose, which stands out of the face and so moves further when the head turns."""
    return canvas.p - t.sin_yaw * np.float32(0.10) * ramp(canvas.v, -0.12, 0.20)


def lit(canvas: Canvas, t: Traits, u: F) -> F:
    """How much light the plain head catches, about 0..1 (B, h, w), before the relief."""
    ex = u * (np.float32(0.97) / t.face_a)
    ey = (canvas.v - np.float32(0.02)) * np.float32(1.02)
    ez = np.sqrt(np.maximum(1 - ex * ex - ey * ey * np.float32(0.75), np.float32(0.03)))
    return ex * t.light_x + ey * t.light_y * np.float32(0.8) + ez * t.light_z


def skin_colour(t: Traits, light: F) -> F:
    """Skin (B, 3, h, w) for light (B, h, w): from the shadow's colour to full light, and a shine above."""
    colour = (t.skin - t.skin_shadow) * np.clip(light, 0, 1.08)[:, None]
    colour += t.skin_shadow
    shine = np.maximum(light - np.float32(0.86), 0) * (t.gloss * np.float32(1.6))
    colour += shine[:, None]
    return colour


def neck(canvas: Canvas, t: Traits, face: F) -> None:
    """The neck and the top of the chest, with the chin's shadow on it; `face` is the distance to the head's outline."""
    part = canvas.view(NECK)
    rows, columns = NECK.slices(canvas.labels.shape[-1])
    x = part.x - t.head_x
    half = t.neck_w * (1 + 0.9 * ramp(part.y, 0.72, 1.25)) - 0.02 * ramp(part.y, 0.3, 0.7)
    across = x / half
    light = 0.55 + 0.42 * np.sqrt(np.maximum(1 - across * across, 0.02)) * t.light_z + 0.30 * across * t.light_x
    away = np.maximum(face[:, rows, columns], 0)
    light = light * (1 - np.float32(0.62) * np.exp(away * np.float32(-7.5)))
    light = light - 0.10 * ridge(np.abs(x) - 0.10 - 0.3 * (part.y - 0.7), 0.05)
    part.paint(part.cover(np.abs(x) - half), skin_colour(t, light), LABEL["neck"])
    # A second chin is a soft roll between jaw and neck, with a dark fold under it.
    rows_double = np.flatnonzero(t.double_chin[:, 0, 0] > 0)
    if len(rows_double):
        window = NECK
        roll, s = canvas.pick(rows_double, window), t.pick(rows_double)
        u = centred(roll, s)
        d = ellipse(u, roll.v - s.chin + 0.06, s.face_a * 0.74, np.float32(0.185))
        shade = fade(d, 14) * np.float32(0.45)
        roll.multiply(1 - shade)
        body = 0.80 - 0.9 * np.maximum((roll.v - s.chin) / 0.13, 0) ** 2 * 0.45 + 0.22 * u * s.light_x
        roll.paint(roll.cover(d), skin_colour(s, body), LABEL["neck"])
        canvas.put(roll, rows_double, window)


EARS = Window(-0.95, 0.90 + 0.05, -0.30, 0.38)


def ears(canvas: Canvas, t: Traits) -> None:
    """Both ears, behind the face's outline: the far one hides when the head turns."""
    part = canvas.view(EARS)
    side = np.sign(part.u)
    out, y = ear_place(t, side)
    x = np.abs(part.u) - out
    d = ellipse(x - 0.18 * (part.v - y) * -0.5, part.v - y, t.ear_a, t.ear_b)
    light = 0.70 + 0.22 * side * t.light_x + 0.3 * ramp(d, -0.07, 0.0)
    inner = bump(x - 0.006, part.v - y + 0.015, t.ear_a * 0.42, t.ear_b * 0.52)
    light -= 0.55 * inner
    light += 0.12 * bump(x, part.v - y - t.ear_b * 0.72, t.ear_a * 0.5, t.ear_b * 0.25)
    tone = skin_colour(t, light)
    tone[:, 0] += 0.03
    label = LABEL["r_ear"] - (side > 0).view(np.uint8)
    part.paint(part.cover(d), tone, label)


def ear_place(t: Traits, side: F) -> tuple[F, F]:
    """How far out (|u|) and how low (v) the middle of an ear is; side is +1 on the right of the picture, -1 on the left."""
    away = side * t.sin_yaw
    out = t.face_a + 0.028 - np.maximum(away, 0) * 0.22 + np.minimum(away, 0) * 0.06
    return out, t.ear_y


def head(canvas: Canvas, t: Traits, face: F) -> None:
    """The face itself: skin, lit as a relief, with blush, freckles and lines."""
    whole = canvas
    u = centred(whole, t)
    light = lit(whole, t, u)
    part = canvas.view(FACE)
    rows, columns = FACE.slices(canvas.labels.shape[-1])
    height = relief(part, t)
    slope = np.zeros_like(height)
    step = np.float32(2 * canvas.pixel)
    slope[:, :, 1:-1] = (height[:, :, 2:] - height[:, :, :-2]) * t.light_x
    slope[:, 1:-1, :] += (height[:, 2:, :] - height[:, :-2, :]) * (t.light_y * np.float32(1.1))
    light[:, rows, columns] -= slope * (np.float32(0.85) / step)
    # Skin darkens towards the outline; under hair and brow it is in shade.
    light *= np.float32(0.92) - np.float32(0.20) * fade(-face, 14)
    light += np.float32(0.20)
    canvas.paint(canvas.cover(face), skin_colour(t, light), LABEL["skin"])
    complexion(part, t, face[:, rows, columns])


def complexion(part: Canvas, t: Traits, face: F) -> None:
    """Cheek colour, warmth on nose and chin, freckles and mottling, lines of age. Only on the face's own pixels."""
    p, v = part.p, part.v
    q = np.abs(p)
    inside = part.cover(face)
    blush = bump(q - 0.33, v - 0.21, np.float32(0.15), np.float32(0.115)) * t.blush
    blush += 0.16 * bump(p, v - t.nose_y + 0.05, np.float32(0.12), np.float32(0.08))
    part.paint(blush * inside * 0.72, t.skin * rgb(255, 128, 124) + rgb(52, 6, 8) * t.dark_skin[:, None])
    # Cheekbones: a bright ridge over a hollow.
    bone = ridge(v - 0.115 + 0.35 * (q - 0.36), 0.050) * ramp(q, 0.22, 0.33) * (1 - ramp(q, 0.44, 0.54))
    part.paint(bone * inside * t.bones * 0.60, np.minimum(t.skin * 1.18 + 0.06, 1))
    hollow = ridge(v - 0.335 + 0.75 * (q - 0.36), 0.058) * ramp(q, 0.24, 0.36)
    part.paint(hollow * inside * t.bones * 0.42, t.skin_shadow)
    mottle = np.sin(p * 41 + v * 17 + t.mottle) * np.sin(v * 37 - p * 19 + t.mottle * 1.7)
    part.multiply(1 + mottle * inside * (0.008 + 0.012 * t.wrinkles))
    rows = np.flatnonzero(t.freckles[:, 0, 0] > 0)
    if len(rows):
        p_, v_, s = p[rows], v[rows], t.pick(rows)
        spots = np.sin(p_ * 83 + s.mottle) * np.sin(v_ * 91 + s.mottle * 2 + 3 * np.sin(p_ * 37))
        where = bump(p_, v_ - 0.13, np.float32(0.38), np.float32(0.13)) * ramp(spots, 0.35, 0.8) * inside[rows] * 0.5
        part.rgb[rows] += (s.skin * rgb(190, 130, 100) - part.rgb[rows]) * where[:, None]
    rows = np.flatnonzero(t.wrinkles[:, 0, 0] > 0)
    if len(rows):
        part.rgb[rows] *= 1 - (wrinkles(part.p[rows], part.v[rows], t.pick(rows)) * inside[rows])[:, None]


def wrinkles(p: F, v: F, t: Traits) -> F:
    """How much the lines of age darken the skin: forehead, crow's feet, from nose to mouth."""
    q = np.abs(p)
    wave = v + 0.025 * np.cos(p * 9 + t.mottle)
    lines = ridge(wave + 0.30, 0.012) + ridge(wave + 0.365, 0.012)
    dark = lines * (1 - ramp(q, 0.16, 0.34)) * 0.26
    fold = q - (t.nose_w + 0.045 + (v - t.nose_y + 0.04) * 0.50)
    within = ramp(v, t.nose_y - 0.05, t.nose_y + 0.05) * (1 - ramp(v, t.mouth_y - 0.08, t.mouth_y + 0.10))
    dark += ridge(fold, 0.026) * within * 0.24
    out = q - t.eye_x - t.eye_w - 0.035
    feet = ridge(out, 0.035) * ramp(np.sin((v - t.eye_y) * 95 + out * 30), 0.2, 0.9)
    dark += feet * (1 - ramp(np.abs(v - t.eye_y), 0.05, 0.085)) * 0.30
    return dark * t.wrinkles
