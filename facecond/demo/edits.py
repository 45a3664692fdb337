"""The demo's edited maps: one part of a label map is changed by hand, everything else, the noise included, stays."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from facecond.assembly.session import open_session
from facecond.commands.prepared import prepare_generation
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.config.commands.whole import DemoConfig
from facecond.faces.labels import CLASSES
from facecond.io.documents import NotNegative

PEOPLE = 4


class Change(TypedDict):
    """How much a picture changed where its map was edited, and elsewhere."""

    edit: str
    inside: NotNegative
    outside: NotNegative


class Edits(TypedDict):
    """What edits.json holds."""

    unit: str
    rows: list[Change]


def draw_edits(config: DemoConfig, folder: Path, words: Sequence[str]) -> dict[str, str]:
    """Sample original and edited maps from the same noise; write edits.png and how much changed where.

    Returns the paths of the figure and of edits.json.
    """
    import numpy as np

    from facecond.io.documents import write_json
    from facecond.io.images import write_png
    from facecond.reports.grids import Cell, Heads, grid
    from facecond.rng import mix
    from facecond.sampling.plans import Request

    prepared = prepare_generation("sample", [*words, f"workspace={config.workspace}", f"device={config.device.name}"])
    session = open_session(prepared.found, prepared.config)
    items = session.pack.indices("validation")
    labels = np.asarray(session.pack.labels[items])
    plan: list[Any] = []
    rows, names, changes = [], [], []
    for name, (suits, edit, words_after) in EDITS.items():
        chosen = [place for place in range(len(labels)) if suits(labels[place])][: PEOPLE // 2]
        for place in chosen:
            edited = edit(labels[place])
            names.append(name)
            rows.append((labels[place], edited))
            for which, text in ((labels[place], ""), (edited, words_after)):
                told = {**session.read({Attributes.name: text}).values, Mask.name: which}
                seed = mix(config.seed, "edit", place)
                plan.append(Request(index=len(plan), seed=seed, prompt=session.prompt(place, told)))
    made = session.generate(plan, folder / "edits", "sampling edits")
    cells = []
    for row, (own, edited) in enumerate(rows):
        before, after = made.images[2 * row], made.images[2 * row + 1]
        change = np.abs(before.astype(np.float32) - after).mean(2)
        inside = near(own != edited)
        changes.append(
            {"edit": names[row], "inside": float(change[inside].mean()), "outside": float(change[~inside].mean())}
        )
        heat = np.repeat(np.clip(change * 2, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        cells.append(
            [Cell(picture=own), Cell(picture=before), Cell(picture=edited), Cell(picture=after), Cell(picture=heat)]
        )
    heads = Heads(columns=["map", "sample", "edited map", "sample, same noise", "change"])
    picture = grid(cells, title="A map edited by hand", heads=heads, names=names, cell=128, legend=True)
    write_png(folder / "edits.png", picture)
    write_json(folder / "edits.json", {"unit": "grey levels, mean absolute change", "rows": changes})
    return {"figure": str(folder / "edits.png"), "changes": str(folder / "edits.json")}


def near(changed_HW: Any, reach: int = 3) -> Any:
    """bool (H, W): pixels within `reach` of a changed one (a latent cell is four pixels wide)."""
    import numpy as np

    padded = np.pad(changed_HW, reach)
    height, width = changed_HW.shape
    shifts = range(2 * reach + 1)
    return np.any([padded[dy : dy + height, dx : dx + width] for dy in shifts for dx in shifts], axis=0)


def _class(name: str) -> int:
    return CLASSES.index(name)


def longer_hair(labels_HW: Any) -> Any:
    """Hair falls down on both sides: background and cloth beside the face become hair, down to the lower edge."""
    import numpy as np

    edited = labels_HW.copy()
    hair = np.isin(labels_HW, [_class("hair")])
    columns = np.flatnonzero(hair.any(axis=0))
    top = np.flatnonzero(hair.any(axis=1)).min()
    beside = np.zeros_like(hair)
    beside[top + (labels_HW.shape[0] - top) // 3 :, columns.min() : columns.max() + 1] = True
    edited[beside & np.isin(labels_HW, [0, _class("cloth")])] = _class("hair")
    return edited


def closed_to_open_mouth(labels_HW: Any) -> Any:
    """The mouth opens: the lower lip moves down and the gap becomes mouth."""
    import numpy as np

    edited = labels_HW.copy()
    lower = labels_HW == _class("l_lip")
    drop = max(2, labels_HW.shape[0] // 20)
    edited[lower] = _class("mouth")
    moved = np.roll(lower, drop, axis=0)
    for step in range(1, drop):
        edited[np.roll(lower, step, axis=0) & (labels_HW == _class("skin"))] = _class("mouth")
    edited[moved & np.isin(edited, [_class("skin"), _class("mouth"), _class("neck")])] = _class("l_lip")
    return edited


def with_glasses(labels_HW: Any) -> Any:
    """Glasses are put on: a frame around each eye and a bridge between them."""
    import numpy as np

    edited = labels_HW.copy()
    size = labels_HW.shape[0]
    rows, columns = np.mgrid[:size, :size]
    middles = []
    for eye in ("l_eye", "r_eye"):
        where = np.argwhere(labels_HW == _class(eye))
        middles.append(where.mean(axis=0))
        height, width = size * 0.085, size * 0.115
        distance = np.hypot((rows - middles[-1][0]) / height, (columns - middles[-1][1]) / width)
        edited[(distance < 1.0) & (distance > 0.62)] = _class("eye_g")
    left, right = sorted(middle[1] for middle in middles)
    row = round(sum(middle[0] for middle in middles) / 2)
    edited[row - 1 : row + 1, int(left + size * 0.1) : int(right - size * 0.1) + 1] = _class("eye_g")
    return edited


def _has_bare_eyes(labels_HW: Any) -> bool:
    eyes = [(labels_HW == _class(eye)).sum() for eye in ("l_eye", "r_eye")]
    return bool(min(eyes) > 12 and not (labels_HW == _class("eye_g")).any())


def _has_hair(labels_HW: Any) -> bool:
    hair = labels_HW == _class("hair")
    return bool(
        hair.mean() > 0.08 and not hair[-labels_HW.shape[0] // 3 :].any() and not (labels_HW == _class("hat")).any()
    )


def _has_closed_mouth(labels_HW: Any) -> bool:
    return bool(not (labels_HW == _class("mouth")).any() and (labels_HW == _class("l_lip")).sum() > 12)


EDITS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any], str]] = {
    "longer hair": (_has_hair, longer_hair, ""),
    "mouth opened": (_has_closed_mouth, closed_to_open_mouth, "+Mouth_Slightly_Open"),
    "glasses on": (_has_bare_eyes, with_glasses, "+Eyeglasses"),
}
"""Edits by name: which maps they suit, what they do, and the attributes that change with them."""
