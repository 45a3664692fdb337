"""Eyes, brows and nose. Both sides are drawn at once in q = |p|; what differs between them (gaze, labels) looks at
the sign of p.
"""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas, Window
from facecond.drawn.shapes import F, arch, bump, circle, ellipse, floats, ramp, ridge
from facecond.drawn.skin import LABEL, nose_centred, rgb
from facecond.drawn.traits import Traits

EYES = Window(-0.72, 0.72, -0.42, 0.22)
NOSE = Window(-0.50, 0.50, -0.25, 0.48)


def side_label(p: F, left: str, right: str) -> np.ndarray:
    """Labels by side; the subject's left is on the right half of the picture."""
    return LABEL[right] - (p > 0).view(np.uint8) * np.uint8(LABEL[right] - LABEL[left])


def on_face(part: Canvas, face: F) -> F:
    """Coverage of the head's outline within the window of the eyes: what sticks out of a turned head is not painted."""
    rows, columns = EYES.slices(face.shape[-1])
    return part.cover(face[:, rows, columns] + np.float32(0.01))


def eyes(canvas: Canvas, t: Traits, face: F) -> None:
    """Lids, lashes, eyeball, iris, pupil and highlight, with eye shadow above and bags below."""
    part = canvas.view(EYES)
    inside = on_face(part, face)
    p, v = part.p, part.v
    q = np.abs(p)
    r = (q - t.eye_x) / t.eye_w
    y = v - t.eye_y + r * t.eye_tilt
    profile = arch(r)
    root = np.sqrt(profile)
    upper = -t.lid_up * (0.55 * profile + 0.45 * root)
    lower = t.lid_low * (0.7 * profile + 0.3 * root)
    d = np.maximum(np.maximum(upper - y, y - lower) * 0.85, (np.abs(r) - 1) * t.eye_w)
    # Make-up on the upper lid, reaching to the brow.
    lid = np.maximum(1 - np.maximum(np.abs(r) - 0.35, 0) / 1.05, 0)
    band = ramp(y, -t.lid_up - 0.125, -t.lid_up - 0.045) * (1 - ramp(y, 0.0, 0.035)) * ramp(lid, 0, 0.35)
    part.paint(band * inside * t.makeup * 0.86, t.eye_shadow)
    # Crease over the lid, shade in the corner by the nose.
    crease = ridge(y - upper + 0.034, 0.014) * ramp(profile, 0.0, 0.3)
    part.multiply(
        1 - crease * inside * 0.30 - 0.16 * bump(q - t.eye_x + t.eye_w + 0.02, y, np.float32(0.06), np.float32(0.09))
    )
    bags(part, t, r, y, inside)
    # Eyeball, shaded under the upper lid and in the corners.
    ball = np.clip(0.97 - 0.34 * np.exp((upper - y) * 38) - 0.22 * r * r, 0, 1)
    cover = part.cover(d) * inside
    white = floats([0.97, 0.95, 0.94])[None, :, None, None] * ball[:, None]
    part.paint(cover, white, side_label(p, "l_eye", "r_eye"))
    side = np.sign(p)
    dx, dy = q - t.eye_x - side * t.gaze_x, v - t.eye_y + 0.006 - t.gaze_y
    iris = circle(dx, dy, t.iris_r)
    glow = 0.72 + 0.55 * ramp(dy, -0.03, 0.045) - 0.55 * ramp(iris, -0.018, 0.0)
    part.paint(part.cover(iris) * cover, t.iris * (glow * (0.6 + 0.4 * ball))[:, None])
    part.paint(part.cover(iris + t.iris_r - 0.026) * cover, rgb(10, 8, 10))
    spark = circle(dx * side - 0.022 * np.sign(t.light_x), dy + 0.022, np.float32(0.0165))
    part.paint(part.cover(spark) * cover * 0.95, rgb(255, 255, 255))
    # Lashes along the upper lid, thicker outwards; a thin line below.
    thick = (0.012 + 0.020 * t.lash) * (0.55 + 0.45 * np.clip(r, -1, 1))
    reach = 1.06 + 0.14 * t.makeup
    thick = thick * np.clip((reach - np.abs(r)) * 4, 0, 1)
    line = np.abs(y - upper + thick * 0.4 + np.maximum(r - 0.85, 0) * 0.10) - thick
    lash = np.maximum(line, (np.abs(r) - reach) * t.eye_w)
    part.paint(part.cover(lash) * inside * (0.62 + 0.33 * t.lash), rgb(22, 14, 14))
    under = np.maximum(np.abs(y - lower - 0.004) - 0.006 - 0.006 * t.makeup, (np.abs(r) - 0.96) * t.eye_w)
    part.paint(part.cover(under) * inside * (0.25 + 0.40 * t.makeup), rgb(60, 34, 32))


def bags(part: Canvas, t: Traits, r: F, y: F, inside: F) -> None:
    """A swelling under the eye with a dark, bluish fold below it."""
    low = y - t.lid_low - 0.052 + r * r * 0.035
    within = (1 - ramp(np.abs(r), 0.70, 1.10)) * inside
    fold = ridge(low, 0.030) * within
    part.paint(fold * t.bags * 0.92, t.skin_shadow * rgb(215, 190, 245))
    swelling = ridge(low + 0.038, 0.015) * within
    part.multiply(1 + swelling * t.bags * 0.22)


def brows(canvas: Canvas, t: Traits, face: F) -> None:
    """Two brows between curves: an arch, a thickness that tapers outwards, hairs."""
    part = canvas.view(EYES)
    inside = on_face(part, face)
    p = part.p
    r = (np.abs(p) - t.eye_x - 0.005) / t.brow_w
    peak = r - 0.30
    rise = t.brow_arch * (0.55 - 0.36 * peak * peak - 1.1 * np.maximum(peak, 0) ** 2)
    y = part.v - t.brow_y + rise + t.brow_slope * r
    taper = np.clip(1.05 - 0.50 * np.maximum(r + 0.25, 0), 0.3, 1) * ramp(r, -1.20, -0.50)
    d = np.maximum(np.abs(y) - t.brow_t * taper, (np.abs(r) - 1) * t.brow_w)
    hairs = 0.94 + 0.05 * np.sin(r * 46 + part.v * 60) + 0.03 * np.sin(r * 29 + part.v * 110)
    colour = t.brow * hairs[:, None]
    part.paint(part.cover(d, 0.022) * inside * 0.94, colour, side_label(p, "l_brow", "r_brow"))


def nose(canvas: Canvas, t: Traits) -> None:
    """The nose's region, nostrils, and what light does not do alone: the wings' edges, the shadow under the tip, a highlight."""
    part = canvas.view(NOSE)
    x, v = nose_centred(part, t), part.v
    q = np.abs(x)
    down = ramp(v, -0.06, t.nose_y - 0.03)
    half = t.bridge_w + (t.nose_w - t.bridge_w) * down * down * down
    bottom = t.nose_y + 0.022 + 0.030 * t.pointy - (0.25 + 0.3 * t.pointy) * q * q / t.nose_w
    d = np.maximum(np.maximum(q - half, v - bottom), -0.055 - v)
    wing = ellipse(q - t.nose_w * 0.70, v - t.nose_y + 0.035, t.nose_w * 0.36, np.float32(0.060))
    d = np.minimum(d, wing)
    part.mark(part.cover(d), LABEL["nose"])
    edge = ridge(wing, 0.018) * ramp(q, t.nose_w * 0.74, t.nose_w * 0.98)
    part.paint(edge * (0.50 + 0.12 * t.big_nose), t.skin_shadow)
    sides = bump(q - t.bridge_w * 1.35, v - 0.06, t.bridge_w * 0.5, np.float32(0.13))
    dark = 0.095 - 0.055 * np.sign(x * t.light_x)
    part.multiply(1 - sides * dark)
    under = bump(x, v - t.nose_y - 0.030 - 0.015 * t.pointy, t.nose_w * 0.85, np.float32(0.030))
    part.paint(under * (0.50 + 0.18 * t.pointy), t.skin_shadow)
    nostril = ellipse(
        q - t.nose_w * 0.44,
        v - t.nose_y - 0.004 + 0.25 * (q - t.nose_w * 0.44),
        t.nose_w * 0.235,
        0.019 + 0.007 * t.big_nose,
    )
    part.paint(part.cover(nostril, 0.02) * 0.86, t.skin_shadow * rgb(110, 70, 70))
    shine = bump(
        x - 0.012 * np.sign(t.light_x),
        v - t.nose_y + 0.055,
        0.032 + 0.022 * t.big_nose - 0.010 * t.pointy,
        np.float32(0.030),
    )
    shine += (
        0.6 * bump(x - 0.008 * np.sign(t.light_x), v - 0.02, t.bridge_w * 0.32, np.float32(0.13)) * (0.6 + t.pointy)
    )
    part.paint(shine * (0.18 + t.gloss * 0.7 + 0.22 * t.pointy), np.minimum(t.skin * 1.16 + 0.05, 1))
