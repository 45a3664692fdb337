"""What a page is told before it shows anything (studio.json): classes, attributes, runs, limits, people, what its engine can."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from facecond.assembly.session import Session
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.sketch import Sketch
from facecond.config.diffusion import Sampler
from facecond.faces.attributes import ATTRIBUTES, attribute_index
from facecond.faces.labels import CLASSES, FLIP_PAIRS, PALETTE, PART_GROUPS, UNSPECIFIED
from facecond.io.images import png_of
from facecond.studio.requests import MOST_COUNT, MOST_GUIDANCE, MOST_SEED, MOST_STEPS, runs_of

FORMAT = ("facecond-studio-about", 1)

WORDS = {
    "eye_g": "glasses", "l_eye": "left eye", "r_eye": "right eye", "l_brow": "left brow", "r_brow": "right brow",
    "l_ear": "left ear", "r_ear": "right ear", "mouth": "open mouth", "u_lip": "upper lip", "l_lip": "lower lip",
    "ear_r": "earring", "neck_l": "necklace", "cloth": "clothes",
}  # fmt: skip
"""Classes in words, where their names are abbreviations; left and right are the person's own."""

EXCHANGED = (
    "hair",
    "eyes",
    "brows",
    "nose",
    "whole_mouth",
    "ears",
    "glasses",
    "hat",
    "earrings",
    "necklace",
    "clothes",
)
"""Parts that are exchanged between people: names of classes or of `PART_GROUPS`."""

GROUPS: dict[str, tuple[str, ...]] = {
    "Person": ("Male", "Young", "Attractive", "Chubby", "Double_Chin", "Pale_Skin", "Rosy_Cheeks", "Oval_Face",
               "High_Cheekbones", "Blurry"),
    "Hair": ("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Receding_Hairline", "Straight_Hair",
             "Wavy_Hair"),
    "Beard": ("No_Beard", "5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns"),
    "Eyes and nose": ("Arched_Eyebrows", "Bushy_Eyebrows", "Bags_Under_Eyes", "Narrow_Eyes", "Big_Nose", "Pointy_Nose"),
    "Mouth": ("Smiling", "Mouth_Slightly_Open", "Big_Lips"),
    "Worn": ("Eyeglasses", "Wearing_Hat", "Wearing_Earrings", "Wearing_Necklace", "Wearing_Necktie", "Heavy_Makeup",
             "Wearing_Lipstick"),
}  # fmt: skip
"""The 40 attributes as the page groups them."""


def about(
    sessions: Sequence[Session[Any]],
    *,
    engine: str,
    steps: int,
    people: int,
    parse: bool,
    cannot_parse: str = "",
    sketches: bool = True,
) -> dict[str, Any]:
    """Return the JSON values of studio.json for `sessions`, one or two that are compared.

    `engine` names the module of the page that samples (engine-NAME.js), `steps` are those the page begins with, `people` how many
    of the first session's pack stand in the gallery; `parse` says whether photographs can be parsed, `cannot_parse` else why not;
    `sketches` whether the engine takes sketches for the runs that are told them.
    """
    first = sessions[0]
    return {
        "format": FORMAT[0],
        "version": FORMAT[1],
        "engine": engine,
        "size": first.generator.resolution,
        "unspecified": UNSPECIFIED,
        "classes": [
            {"name": name, "words": WORDS.get(name, name.replace("_", " ")), "colour": _hex(colour)}
            for name, colour in zip(CLASSES, PALETTE, strict=True)
        ],
        "flip_pairs": [list(pair) for pair in FLIP_PAIRS],
        "parts": [
            {
                "words": name.replace("_", " ").replace("whole ", ""),
                "classes": [CLASSES.index(each) for each in members],
            }
            for name in EXCHANGED
            for members in [PART_GROUPS.get(name, (name,))]
        ],
        Attributes.name: [{"name": name, "words": name.replace("_", " ")} for name in ATTRIBUTES],
        "groups": [
            {"words": title, "members": [attribute_index(name) for name in names]} for title, names in GROUPS.items()
        ],
        "samplers": [each.name for each in Sampler],
        "runs": [
            {
                "name": session.run.path.name,
                "map": Mask.name in session.names,
                Sketch.name: sketches and Sketch.name in session.names,
                "signs": Attributes.name in session.names,
                "guidance": {
                    name: session.config.guidance.weight(name)
                    for name in session.names
                    if sketches or name != Sketch.name
                },
                "draw": session.maps is not None,
            }
            for session in sessions
        ],
        "begin": {
            "steps": steps,
            "eta": first.config.sampler.eta,
            "sampler": first.config.sampler.name.name,
            "seed": 0,
            "count": 1,
        },
        "most": {"steps": MOST_STEPS, "count": MOST_COUNT, "seed": MOST_SEED, "guidance": MOST_GUIDANCE},
        "can": {"parse": parse, "cannot_parse": cannot_parse},
        "people": _people(first, people, sketches and any(Sketch.name in session.names for session in sessions)),
    }


def _people(session: Session[Any], count: int, sketches: bool) -> list[dict[str, Any]]:
    """People of the session's pack, validation split first; with their sketches where those are asked for and the pack has them."""
    pack = session.own_pack
    if pack is None:
        return []
    lines = pack.arrays.get(Sketch.column.name) if sketches else None
    places = [*pack.indices("validation"), *pack.indices("train")][:count]
    return [
        {
            "name": str(pack.ids[place]),
            "map": runs_of(np.asarray(pack.labels[place])),
            **({} if lines is None else {Sketch.name: runs_of(np.asarray(lines[place]))}),
            "signs": [int(sign) for sign in pack.attributes[place]],
            "picture": "data:image/png;base64,"
            + base64.b64encode(png_of(np.asarray(pack.images[place]))).decode("ascii"),
        }
        for place in places
    ]


def _hex(colour: Any) -> str:
    return "#" + "".join(f"{int(value):02x}" for value in colour)
