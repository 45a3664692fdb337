"""Labelled faces in quantity: `facecond synthesize`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from facecond.bounds import MOST, bounded, with_fields
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.base import GenerateConfig, by_hand, launched


class AttributesFrom(Enum):
    """Where the attributes of synthesized faces come from."""

    data = "data"
    """People of the pack, each as often as any other."""
    balanced = "balanced"
    """People of the pack, chosen so that as many have each attribute as lack it, as far as there are such people."""
    given = "given"
    """What `attr` and `pairs` say, and no more."""


class MapsFrom(Enum):
    """Where the label maps of synthesized faces come from."""

    data = "data"
    """The person the attributes come from."""
    drawn = "drawn"
    """A generator of maps draws one for each face, under its attributes."""
    exchanged = "exchanged"
    """The person's map with `parts` of another one's."""


class LabelsFrom(Enum):
    """What counts as the labels of a synthesized face."""

    told = "told"
    """What the model was told."""
    read = "read"
    """What the judges read."""


FORMS = ("pack", "imagefolder", "coco", "croissant")
"""Forms in which synthesized faces are written."""


def _changing() -> list[tuple[str, Any, Any, str]]:
    """The key of what a person can say by hand of everybody: the conditions of which a part can be said."""
    return [
        field
        for field in by_hand()
        if any(each.word == field[0] and each.changes_items for each in CONDITIONS.values())
    ]


@with_fields([*_changing(), *launched()])
@dataclass(kw_only=True, slots=True)
class SynthesizeConfig(GenerateConfig):
    """`facecond synthesize`: labelled faces in quantity, each read by judges, those that do not show what was told put aside.

    What is said by hand holds for every face.
    """

    count: int = bounded(64, minimum=1, maximum=MOST)
    """Faces asked for. A larger count continues a smaller one."""
    batch_size: int = bounded(16, minimum=1, maximum=65_536)
    """Faces made at once. The last ones are filled up to as many, so that no face depends on how many there are; with another
    number they differ by rounding."""
    attributes: AttributesFrom = AttributesFrom.data
    """Where attributes come from: data = people of the pack; balanced = the same, chosen so that as many have each attribute as
    lack it, as far as there are such people; given = attr= and pairs= alone, everything else is left open."""
    pairs: list[str] = field(default_factory=list)
    """Rare combinations of attributes to be shown in turn, for example [Eyeglasses+Wearing_Hat,Bald-Male]."""
    pairs_share: float = bounded(0.5, above=0.0, maximum=1.0)
    """Share of the faces that show one of the pairs."""
    maps_from: MapsFrom | None = None
    """Where label maps come from: data = the person the attributes come from; drawn = a generator of maps; exchanged = the person's
    map with parts of another one's. null = data, or drawn where attr=, pairs= or attributes=given say who is shown and a
    generator of maps fits."""
    maps: str | None = None
    """Run of `model=maps` for maps_from=drawn; null = the latest that fits."""
    parts: list[str] = field(default_factory=lambda: ["hair"])
    """Parts that are exchanged, with the attributes that are words for them: CelebAMask-HQ names, or eyes, brows, ears, lips."""
    split: str | None = None
    """Split of the pack whose people are taken; null = train, or validation where that is the larger one."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch, that reads the faces; null = the one made for the pack;
    none = no parser."""
    classifier: str | None = None
    """Run of `model=classifier` that reads the faces; null = the one made for the pack; none = no classifier."""
    least_miou: float = bounded(0.6, minimum=0.0, maximum=1.0)
    """Mean IoU of the map read with the map told, over the classes told, below which a face is rejected."""
    least_attributes: float = bounded(0.9, minimum=0.0, maximum=1.0)
    """Share of the attributes told that must be read so; a face with less is rejected."""
    named: bool = True
    """Reject a face that does not show an attribute that was asked for by name (attr=, pairs=)."""
    tries: int = bounded(3, minimum=1, maximum=1000)
    """Times a face is made, each from noise of its own, before it is given up."""
    labels: LabelsFrom | None = None
    """What the pack and COCO files have as labels: told = what the model was told, read = what the judges read; the image folder
    has both. null = told, or read where the model is told no maps."""
    validation: float = bounded(0.1, minimum=0.0, maximum=0.9)
    """Share of the people (of the faces, with attributes=given) whose faces form the validation split."""
    forms: list[str] = field(default_factory=lambda: list(FORMS))
    """Forms in which accepted faces are written: pack, imagefolder, coco, croissant (the last two describe the image folder)."""
    sheet: int = bounded(48, minimum=0, maximum=400)
    """Faces on the contact sheet; 0 = no sheet."""
    name: str | None = None
    """Name of the folder in WORKSPACE/synthesized, and of the pack, with the count behind it, and "read" where that is what its
    labels are; none = made from the run and what is asked for."""
