"""Faces sampled: `facecond sample` and `swap-masks`."""

from dataclasses import dataclass, field
from enum import Enum

from facecond.bounds import MOST, bounded, with_fields
from facecond.config.commands.base import GenerateConfig, by_hand, launched, said_by_hand


class Grid(Enum):
    """What the pictures of one sampling have in common."""

    conditions = "conditions"
    attributes = "attributes"
    variations = "variations"
    checkpoints = "checkpoints"


@with_fields([*by_hand(), *launched()])
@dataclass(kw_only=True, slots=True)
class SampleConfig(GenerateConfig):
    """`facecond sample`: faces that obey conditions."""

    def given(self) -> dict[str, str]:
        """What the user gave by hand: condition -> text."""
        return said_by_hand(self)

    grid: Grid = Grid.conditions
    """conditions = a row for each condition; attributes = same noise, many attribute sets; variations = several samples of one
    condition; checkpoints = same noise across the checkpoints of the run."""
    count: int = bounded(8, minimum=1, maximum=MOST)
    """Conditions taken from the validation split, or samples when the condition is given by hand."""
    samples: int = bounded(1, minimum=1, maximum=MOST)
    """Samples of each condition."""
    items: list[int] = field(default_factory=list)
    """Validation items (0, 1, ...) whose conditions to use; empty = the first `count`."""
    attribute_sets: list[str] = field(default_factory=list)
    """Attribute sets of grid=attributes, each written as `attr`; they change what the item's own attributes say."""
    adapt_masks: bool = True
    """Where a named attribute contradicts the item's map (glasses, hat, open mouth, earrings, necklace), take that part from the
    most similar training face of whom it holds; false = leave the map as it is."""
    maps: str | None = None
    """Run of `model=maps` that draws a map, each picture its own, where none is told or one given by hand has open parts (255);
    null = the latest that learnt such maps, if there is one; none = leave it open."""
    only: list[str] = field(default_factory=list)
    """Conditions to take from the items; empty = all the model has. What is left out stays unspecified, or is drawn (`maps`)."""
    compare: list[str] = field(default_factory=list)
    """Further runs of grid=checkpoints, for example the baseline beside P2."""
    name: str | None = None
    """Name of the folder in WORKSPACE/samples; none = made from the run, the sampler and the condition."""


@with_fields(launched())
@dataclass(kw_only=True, slots=True)
class SwapConfig(GenerateConfig):
    """`facecond swap-masks`: parts of the masks of two people are exchanged and both mixed masks sampled."""

    parts: list[str] = field(default_factory=lambda: ["hair"])
    """Parts to exchange: CelebAMask-HQ names, or eyes, brows, ears, lips."""
    pairs: list[str] = field(default_factory=list)
    """Pairs of validation items, for example 3:17; empty = people whose heads are turned differently."""
    count: int = bounded(3, minimum=1, maximum=MOST)
    """Pairs to choose when none are given."""
    samples: int = bounded(4, minimum=1, maximum=MOST)
    """Samples of each mixed mask."""
    name: str | None = None
    """Name of the folder in WORKSPACE/swaps; none = made from the run and the parts."""
