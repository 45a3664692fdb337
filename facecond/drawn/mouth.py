"""Mouth, lips and teeth; stubble, moustache, goatee, sideburns and beard around them."""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas, Window
from facecond.drawn.shapes import arch, bump, coverage, ellipse, floats, ramp, ridge
from facecond.drawn.skin import FACE, LABEL, centred, rgb
from facecond.drawn.traits import Traits

MOUTH = Window(-0.52, 0.52, 0.22, 0.80)


def mouth(canvas: Canvas, t: Traits) -> None:
    """Lips between curves over a mouth that is closed, smiling, or open with teeth."""
    part = canvas.view(MOUTH)
    p, v = part.p, part.v
    r = p / t.mouth_w
    profile = arch(r)
    root = np.sqrt(profile)
    y = v - t.mouth_y - t.curve * (0.45 - np.minimum(r * r, 1.3))
    opening = t.gap * (0.35 * root + 0.65 * profile)
    bow = 1 - 0.26 * ridge(p, 0.036) + 0.10 * ridge(np.abs(p) - 0.062, 0.035)
    top = -0.55 * opening - t.lip_up * (0.5 * root + 0.5 * profile) * bow
    bottom = opening + t.lip_low * (0.65 * root + 0.35 * profile)
    ends = (np.abs(r) - 1) * t.mouth_w
    upper = np.maximum(np.maximum(top - y, y + 0.55 * opening) * 0.92, ends)
    lower = np.maximum(np.maximum(opening - y, y - bottom) * 0.92, ends)
    inner = np.maximum(np.maximum(-0.55 * opening - y, y - opening), ends)
    # A soft shadow of the lower lip on the chin.
    part.multiply(1 - 0.24 * bump(p, y - bottom - 0.03, t.mouth_w * 0.7, np.float32(0.030)))
    # Inside: dark, teeth above, tongue below.
    wide = t.gap[:, 0, 0] > 0
    if wide.any():
        cover = part.cover(inner) * (t.gap > 0)
        part.paint(cover, rgb(74, 20, 24), LABEL["mouth"])
        ahead = opening * (0.45 + 0.40 * t.smile)
        tooth = np.maximum(y - ahead, (np.abs(r) - 0.93) * t.mouth_w)
        lines = 1 - 0.12 * ramp(np.cos(p * np.float32(2 * np.pi / 0.062)), 0.84, 1.0) * (1 if part.pixel < 0.012 else 0)
        ivory = (
            floats([1.0, 0.985, 0.95])[None, :, None, None]
            * (t.teeth * lines * (1 - 0.30 * r * r) - 0.25 * np.exp((-0.55 * opening - y) * 60) * 0.5)[:, None]
        )
        part.paint(cover * part.cover(tooth), ivory)
        tongue = bump(p, y - opening, t.mouth_w * 0.5, np.float32(0.022))
        part.paint(cover * tongue * (1 - part.cover(tooth)) * 0.8, rgb(190, 80, 84))
    sheen = np.float32(0.5) + 0.5 * t.lipstick
    light_up = 0.80 + 0.16 * p * t.light_x + 0.10 * (top - y) / (t.lip_up + 0.01)
    part.paint(part.cover(upper), t.lip * light_up[:, None], LABEL["u_lip"])
    middle = (y - 0.5 * (opening + bottom)) / (t.lip_low + 0.01)
    light_low = 1.04 - 0.36 * ramp(middle, 0.0, 0.6) + 0.16 * p * t.light_x
    part.paint(part.cover(lower), t.lip * light_low[:, None], LABEL["l_lip"])
    gloss = bump(p - 0.035 * np.sign(t.light_x), middle + 0.08, np.float32(0.075), np.float32(0.22)) * part.cover(lower)
    part.paint(gloss * 0.36 * sheen, np.minimum(t.lip * 1.5 + 0.22, 1))
    # The line between closed lips, deeper in the corners.
    line = np.maximum(np.abs(y - 0.22 * opening) - 0.008, ends - 0.012)
    part.paint(part.cover(line, 0.02) * 0.75 * (t.gap == 0), t.lip * rgb(96, 62, 66))
    corner = bump(np.abs(r) - 1, y, np.float32(0.07), np.float32(0.022))
    part.paint(corner * 0.5, t.skin_shadow * rgb(190, 150, 150))


def beard(canvas: Canvas, t: Traits) -> None:
    """Hair on the face, painted on skin (its label stays skin, as the data set has it); lips are painted later, over it."""
    rows = np.flatnonzero((t.goatee + t.moustache + t.stubble + t.sideburns)[:, 0, 0] > 0)
    if not len(rows):
        return
    part, s = canvas.pick(rows, FACE), t.pick(rows)
    p, v = part.p, part.v
    q = np.abs(p)
    u = np.abs(centred(part, s))
    on_skin = (part.labels == LABEL["skin"]) | (part.labels == LABEL["nose"])
    hairs = (
        0.88
        + 0.07 * np.sin(p * 121 + 3 * np.sin(v * 43 + s.mottle)) * np.sin(v * 62 + s.mottle)
        + 0.06 * np.sin(p * 197 + 4 * np.sin(v * 31))
    )
    # Jaw: below a line from the ears to the corners of the mouth, not on the upper cheeks.
    cheek_line = (
        0.30 + s.beard_reach + 0.10 * (1 - ramp(q, 0.10, 0.34)) - 0.42 * ramp(u, s.face_a * 0.66, s.face_a * 0.98)
    )
    jaw = ramp(v - cheek_line, -0.025, 0.045)
    below = ramp(v, s.mouth_y - 0.01, s.mouth_y + 0.05)
    bare_lip = bump(p, v - s.mouth_y - s.lip_low - s.gap - 0.018, np.float32(0.10), np.float32(0.014))
    philtrum = s.mouth_y - s.lip_up - s.curve * 0.30
    lip_line = philtrum - 0.055 + 0.55 * q * q + s.curve * 0.2
    whisker = np.maximum(
        np.abs(v - lip_line - 0.012) - 0.046 * (1 - 0.50 * ramp(q, 0.10, 0.25)), q - 0.225 - s.smile * 0.03
    )
    moustache = coverage(whisker, 0.035) * ramp(v, s.nose_y + 0.015, s.nose_y + 0.045)
    shadow = np.maximum(jaw, moustache * 0.8)
    part.paint(shadow * s.stubble * on_skin * 0.46 * hairs, s.skin_shadow * rgb(150, 165, 190) * 0.9)
    middle = 0.5 * (s.mouth_y + s.chin) + 0.035
    chin = coverage(ellipse(p, v - middle, s.mouth_w + 0.015, s.chin - middle + 0.03), 0.045) * below
    goatee = chin * (1 - 0.85 * bare_lip)
    full = np.maximum(jaw, goatee) * (1 - 0.8 * bare_lip)
    strip = ramp(u, s.face_a * 0.70, s.face_a * 0.80) * ramp(v, -0.30, -0.20) * (1 - ramp(v, 0.34, 0.44))
    alpha = np.maximum(goatee * s.goatee, moustache * s.moustache)
    alpha = np.maximum(alpha, full * s.full_beard)
    alpha = np.maximum(alpha, strip * s.sideburns)
    light = (0.75 + 0.30 * hairs + 0.25 * p * s.light_x)[:, None]
    part.paint(alpha * on_skin * (0.80 + 0.16 * hairs), s.beard * light)
    canvas.put(part, rows, FACE)
