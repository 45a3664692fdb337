"""Hair: one outline around head and shoulders, less an opening for the face.

What lies behind the neck is painted first, what frames the face last. Strands, waves, curls, shine and the light on
the whole mass are one tone map that both use.
"""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas, Window
from facecond.drawn.shapes import F, bump, circle, coverage, ellipse, fade, ramp, ridge
from facecond.drawn.skin import LABEL
from facecond.drawn.traits import Traits

MIDDLE = np.float32(-0.20)
"""Height v of the middle of the upper outline."""
SHADED = Window(-0.8, 0.8, -0.85, 0.9)
"""Where hair throws a shadow on skin."""
EAR_LEVEL = np.float32(0.22)


def behind(canvas: Canvas, t: Traits) -> F:
    """u about the middle of the skull, which swings away from where the face turns."""
    return canvas.u + t.swing


def only(t: Traits, switch: F) -> tuple[np.ndarray, Traits]:
    """The faces whose switch (B, 1, 1) is on, and their traits: what few have is computed for few."""
    rows = np.flatnonzero(switch[:, 0, 0] > 0)
    return rows, t.pick(rows)


def outline(canvas: Canvas, t: Traits, u: F) -> F:
    """Distance to the outer edge of all hair."""
    v = canvas.v
    half = t.hair_a + (t.hair_b - t.hair_a) * ramp(v, MIDDLE, np.minimum(t.hair_end, 0.95))
    top = t.hair_top + t.quiff * ridge(u - t.quiff_x, 0.30)
    rise = np.minimum(v - MIDDLE, 0) / top
    across = u / half
    value = across * across + rise * rise - 1
    slope = np.sqrt((across / half) ** 2 + (rise / top) ** 2)
    d = value / (2 * slope + np.float32(0.05))
    rows, s = only(t, t.curly)
    d[rows] += 0.040 * np.sin(u[rows] * 21 + s.phase) * np.sin(v[rows] * 21 + s.phase2)
    rows, s = only(t, t.wavy)
    down = ramp(v[rows], -0.55, 0.1)
    d[rows] += 0.034 * np.sin(v[rows] * s.wave_f + s.phase) * down + 0.020 * np.sin(u[rows] * 19 + s.phase2) * (
        1 - down
    )
    d += (1 - t.sleek) * 0.007 * np.sin(u * 43 + v * 31 + t.phase)
    end = v - t.hair_end - (1 - 0.8 * t.sleek) * 0.045 * np.sin(u * 12 + t.phase) - 0.02 * np.sin(u * 41)
    return np.maximum(d, end)


def opening(canvas: Canvas, t: Traits) -> F:
    """Distance to the opening that shows the face, fixed to the face (p, v) so that it turns with it; inside is no hair."""
    p, v = canvas.p, canvas.v
    q = np.abs(p)
    height = EAR_LEVEL - t.hairline + t.slope * (p - t.part_x)
    height = height + t.recede * ridge(q - 0.29, 0.13)
    height += 0.05 * (1 - t.fringe) * ridge(p - t.part_x, 0.06)
    height += (t.fringe * 0.034 + t.curly * 0.02) * np.sin(p * 33 + t.phase)
    width = t.temple + t.tucked * 0.22 * ramp(v, -0.14, 0.02) + (1 - t.tucked) * 0.07 * ramp(v, 0.15, 0.9)
    rows, s = only(t, t.wavy)
    width[rows] += 0.022 * np.sin(v[rows] * s.wave_f + s.phase2) * ramp(v[rows], -0.1, 0.2)
    across, rise = q / width, np.maximum(EAR_LEVEL - v, 0) / height
    power = t.squareness - 1
    xs, ys = np.power(across + np.float32(1e-3), power), np.power(rise + np.float32(1e-3), power)
    slope = t.squareness * np.sqrt((xs / width) ** 2 + (ys / height) ** 2)
    return (xs * across + ys * rise - 1) / (slope + np.float32(0.05))


def tone(canvas: Canvas, t: Traits, u: F) -> F:
    """Hair as lit strands, (B, 3, H, W)."""
    v = canvas.v
    down = np.maximum(v + 0.95, 0)
    flow = u / (0.34 + 0.52 * np.minimum(down, 1.6))
    flow += t.part_x * 0.6 * (1 - np.clip(down, 0, 1))
    rows, s = only(t, t.wavy)
    waves = np.sin(v[rows] * s.wave_f + s.phase + 2.5 * u[rows])
    flow[rows] += 0.055 * waves
    strands = 0.55 * np.sin(flow * 25 + 4.0 * np.sin(flow * 6 + t.phase)) + 0.45 * np.sin(
        flow * 63 + 3 * np.sin(flow * 11 + t.phase2)
    )
    tight, c = only(t, t.curly)
    u_, v_ = u[tight], v[tight]
    curls = np.sin(u_ * 24 + 2.4 * np.sin(v_ * 11 + c.phase)) * np.sin(v_ * 24 + 2.4 * np.sin(u_ * 13 + c.phase2))
    strands[tight] = 0.3 * strands[tight] + 1.25 * curls
    ex, ey = u * (0.86 / t.hair_a), (v + 0.10) * 0.95
    ez = np.sqrt(np.maximum(1 - ex * ex - np.minimum(ey, 0) ** 2, np.float32(0.05)))
    light = 0.34 + 0.66 * np.maximum(ex * t.light_x + np.minimum(ey, 0.25) * t.light_y + ez * t.light_z, 0)
    light += strands * 0.10
    light[rows] += 0.13 * waves * ramp(v[rows], -0.65, -0.3)
    light *= 1 - 0.25 * np.clip(v, 0, 1)
    halo = bump(v + 0.58 - 0.45 * u * u - 0.04 * strands, u - 0.22 * t.light_x, np.float32(0.085), np.float32(0.40))
    rows, s = only(t, t.sleek)
    halo[rows] += 0.5 * bump(np.abs(u[rows]) - s.hair_a * 0.80, v[rows] - 0.25, np.float32(0.05), np.float32(0.30))
    strands *= np.float32(0.35)
    strands += np.float32(0.75)
    halo *= strands
    halo *= t.shine
    light *= np.float32(0.86)
    light += np.float32(0.26)
    colour = t.hair * light[:, None]
    colour += halo[:, None] * (0.35 + 0.65 * t.hair)
    return colour


class Hair:
    """The hair of a batch: distances and tone, computed once, painted in two layers."""

    def __init__(self, canvas: Canvas, t: Traits) -> None:
        u = behind(canvas, t)
        self.outer = outline(canvas, t, u)
        self.tone = tone(canvas, t, u)
        bald = t.bald[:, None, None]
        if bald.any():
            crown = 0.30 - canvas.v - 0.95 * np.abs(canvas.p)
            np.copyto(self.outer, np.maximum(self.outer, crown), where=bald)

    def paint_back(self, canvas: Canvas, t: Traits) -> None:
        """What falls behind the neck, in shade, with ponytails."""
        outer = self.outer
        rows = np.flatnonzero(t.ponytail)
        if len(rows):
            outer = outer.copy()
            s = t.pick(rows)
            side = np.where(s.part_x + s.sin_yaw < 0, np.float32(1), np.float32(-1))
            u, v = canvas.u[rows] * side - 0.56, canvas.v[rows] - 0.34
            tail = ellipse(
                u - 0.10 * np.sin(v * 3.2) + 0.02 * np.sin(v * 17 + s.phase), v, np.float32(0.155), np.float32(0.56)
            )
            outer[rows] = np.minimum(outer[rows], tail)
        depth = 1 - 0.50 * np.exp(np.minimum(outer, 0) * 1.0) * ramp(
            -np.abs(canvas.u), -t.face_a - 0.16, -t.face_a + 0.12
        ) * ramp(canvas.v, 0.0, 0.4)
        canvas.paint(canvas.cover(outer), self.tone * depth[:, None], LABEL["hair"])
        rows = np.flatnonzero(t.bun)
        if len(rows):
            window = Window(-0.6, 0.6, -1, -0.45)
            part, s = canvas.pick(rows, window), t.pick(rows)
            x, y = part.u - s.bun_x + 0.1 * s.sin_yaw, part.v + 0.80
            d = circle(x, y, s.bun_r)
            swirl = np.sin(d * 55 + 6 * x - 5 * y + s.phase)
            light = (
                0.62
                + 0.30 * (x * s.light_x + y * s.light_y) / s.bun_r
                + 0.10 * swirl
                + 0.3 * bump(x - 0.05 * s.light_x, y + 0.07, np.float32(0.07), np.float32(0.05))
            )
            part.paint(part.cover(d), s.hair * light[:, None], LABEL["hair"])
            canvas.put(part, rows, window)

    def paint_front(self, canvas: Canvas, t: Traits) -> None:
        """What frames the face, with the shadow it throws on skin."""
        inner = opening(canvas, t)
        d = np.maximum(self.outer, -inner)
        np.maximum(d, canvas.v - t.front_end, out=d)
        part = canvas.view(SHADED)
        rows, columns = SHADED.slices(canvas.labels.shape[-1])
        skin = (part.labels > 0) & (part.labels < LABEL["hair"])
        shadow = fade(d[:, rows, columns], 17)
        shadow *= np.float32(-0.34)
        shadow *= skin
        shadow += 1
        part.multiply(shadow)
        edge = fade(inner, 16)
        edge *= np.float32(-0.30)
        edge += 1
        soft = np.where(t.bald, np.float32(0.05), np.float32(max(canvas.pixel, 0.016)))[:, None, None]
        canvas.paint(coverage(d, soft), self.tone * edge[:, None], LABEL["hair"])
