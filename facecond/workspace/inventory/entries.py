"""What is said of everything a workspace holds: the types that `facecond runs --json` prints (docs/formats.md, "inventory")."""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from facecond.io.documents import Count, Digest, Finite, Pixels, Record
from facecond.workspace.kinds import KINDS

FORMAT, VERSION = "facecond-inventory", 1

Kind = Literal["diffusion", "maps", "vq", "parser", "classifier"]


class Entry(TypedDict):
    """What is said of everything."""

    name: str
    path: str
    bytes: Count
    """Of all files in it."""
    when: str
    """UTC, ISO 8601: when it was finished, as it notes itself; else when it was last written to."""
    came_along: bool
    """Whether it came with the program."""
    remark: str
    """What is the matter with it, or left to do; "" = nothing."""
    next: list[str]
    """Commands that make sense with it."""


class Latents(TypedDict):
    """Latents of a pack."""

    first_stage: str
    """SHA-256 of its weights, or the first digits of it."""
    name: str | None
    """The run of that first stage, if it is here."""


class PackEntry(Entry):
    """A pack; what cannot be read is missing."""

    source: NotRequired[str]
    items: NotRequired[Count]
    splits: NotRequired[dict[str, Count]]
    resolution: NotRequired[Pixels]
    latents: NotRequired[list[Latents]]
    unfinished: bool


class Value(TypedDict):
    """A figure without its circumstances, which stand in the results it is from."""

    name: str
    title: str
    value: float | None
    spread: float | None
    """Half of the 95 % interval."""
    unit: str
    better: Literal["higher", "lower"]
    count: Count
    results: str
    """Name of the results."""


class RunEntry(Entry):
    """A run; what cannot be read is missing."""

    kind: NotRequired[Kind]
    model: NotRequired[str]
    """Options of the groups model and size."""
    told: NotRequired[list[str]]
    """Conditions."""
    pack: NotRequired[str]
    """Name of its pack where it is here, else the folder it lay in."""
    pack_here: NotRequired[bool]
    resolution: NotRequired[Pixels]
    images: NotRequired[Count]
    """Images it is to learn from."""
    images_seen: NotRequired[Count]
    finished: NotRequired[bool]
    weights: NotRequired[Digest]
    overrides: NotRequired[list[str]]
    """Words of its training command."""
    evaluation: NotRequired[dict[str, float | None]]
    """Figures of its last evaluation while training, without those per class."""
    figures: NotRequired[list[Value]]
    """The newest figure of each name that was measured of its weights."""


class SamplesEntry(Entry):
    """A folder of samples or swaps; what cannot be read is missing."""

    run: NotRequired[str | None]
    """Run whose weights made it; None where none here has these weights."""
    weights: NotRequired[str]
    images: NotRequired[Count]
    """Pictures that are there."""
    asked: NotRequired[Count]
    told: NotRequired[list[str]]
    """Conditions that were told."""
    words: NotRequired[str]
    """What they were, where it was given by hand."""
    made_with: NotRequired[Record]
    """As in generation.json."""


class ResultsEntry(Entry):
    """Results; what cannot be read is missing."""

    command: NotRequired[str]
    runs: NotRequired[list[str]]
    """The run measured, or the two compared: names, or the first digits of their weights' SHA-256."""
    figures: NotRequired[list[Value]]


class ParsedEntry(Entry):
    """Parsed photographs; what cannot be read is missing."""

    pictures: NotRequired[Count]
    resolution: NotRequired[Pixels]
    judges: NotRequired[Record]
    has_attributes: NotRequired[bool]


class EditsEntry(Entry):
    """Edited pictures; what cannot be read is missing."""

    run: NotRequired[str | None]
    """Run whose weights made them; None where none here has these weights."""
    weights: NotRequired[str]
    pictures: NotRequired[Count]
    method: NotRequired[str]
    strength: NotRequired[Finite]
    made_with: NotRequired[Record]
    """As in edit.json."""


class SynthesizedEntry(Entry):
    """A synthesized set; what cannot be read is missing."""

    run: NotRequired[str | None]
    """Run whose weights made it; None where none here has these weights."""
    asked: NotRequired[Count]
    """Faces asked for."""
    faces: NotRequired[Count]
    """Faces accepted."""
    made: NotRequired[Count]
    """Faces made, accepted or not."""
    resolution: NotRequired[Pixels]
    forms: NotRequired[list[str]]


class ExportEntry(Entry):
    """An exported folder; what cannot be read is missing."""

    target: NotRequired[str]
    """What it is for: web."""
    run: NotRequired[str | None]
    """Run whose weights it holds; None where none here has these weights."""
    weights: NotRequired[str]
    maps: NotRequired[str | None]
    """Run that draws what is left open of label maps, as it was called; None where none does."""
    people: NotRequired[Count]
    """People in its gallery."""
    files: NotRequired[Count]
    made_with: NotRequired[Record]
    """As in export.json."""


class ReproducedEntry(Entry):
    """A table or figure of the paper, or a study; what cannot be read is missing."""

    title: NotRequired[str]
    words: NotRequired[list[str]]
    """Of its command, behind `facecond reproduce`."""
    finished: NotRequired[bool]
    files: NotRequired[list[str]]
    """What it made, by places in the folder."""


class Other(TypedDict):
    """A folder or file of the workspace that is none of these."""

    name: str
    bytes: Count


class Inventory(TypedDict):
    """A workspace: a list of each kind (facecond/workspace/kinds.py), the newest first and what came with the program last."""

    format: str
    version: int
    workspace: str
    packs: list[PackEntry]
    runs: list[RunEntry]
    samples: list[SamplesEntry]
    results: list[ResultsEntry]
    parsed: list[ParsedEntry]
    edits: list[EditsEntry]
    synthesized: list[SynthesizedEntry]
    exports: list[ExportEntry]
    reproduced: list[ReproducedEntry]
    others: list[Other]
    bytes: Count
    """Of all that is listed and did not come with the program."""


def entries_of(inventory: Inventory) -> list[Entry]:
    """All that is listed of any kind, in the order of the kinds."""
    lists: Mapping[str, Any] = inventory
    return [entry for kind in KINDS for entry in lists[kind]]
