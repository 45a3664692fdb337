"""What is in a pack: counts, how often classes and attributes occur, what looked suspicious. Returns values, prints
nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.data.pack import EXCLUDED, SPLITS, Finding, Pack
from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import CLASSES
from facecond.rng import numpy_generator


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassFrequency:
    """How much of a split one class takes."""

    name: str
    pixels: float
    """Share of all pixels that say something, 0..1."""
    presence: float
    """Share of the items in which the class occurs, 0..1."""
    items: int
    """Number of those items."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeFrequency:
    """How often one attribute is present in a split."""

    name: str
    present: int
    absent: int
    unknown: int

    @property
    def frequency(self) -> float:
        """Share of the items with the attribute among those where it is known; nan when it is known nowhere."""
        known = self.present + self.absent
        return self.present / known if known else float("nan")

    @property
    def majority(self) -> float:
        """Accuracy of always answering what is more frequent in this split; nan when the attribute is known nowhere."""
        return max(self.frequency, 1 - self.frequency)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitSummary:
    """One split of a pack."""

    name: str
    items: int
    classes: list[ClassFrequency]
    attributes: list[AttributeFrequency]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackSummary:
    """A pack at a glance."""

    path: str
    source: dict[str, object]
    resolution: int
    items: int
    excluded: int
    """Items that could not be read and belong to no split."""
    excluded_items: dict[str, list[Finding]]
    """Their ids, each with what was found."""
    splits: list[SplitSummary]
    notes: list[str]
    problems: dict[str, list[Finding]]
    """What looked suspicious, by problem, the most frequent first."""
    majority_floor: float
    """Accuracy on the validation split of always answering what is more frequent in the training split: the line every
    attribute accuracy is read against; nan when either split is empty or knows no attribute."""
    latents: list[str]
    """First stages (12 hexadecimal digits) whose latents are complete."""


def inspect_pack(pack: Pack) -> PackSummary:
    """Summarise a pack from its manifest; no array is read."""
    counts = {name: pack.splits.count(name) for name in dict.fromkeys([*SPLITS, *pack.splits])}
    problems: dict[str, list[Finding]] = {}
    by_item: dict[str, list[Finding]] = {}
    for finding in pack.findings:
        problems.setdefault(finding.problem, []).append(finding)
        by_item.setdefault(finding.id, []).append(finding)
    splits = [_summarise(pack, name, count) for name, count in counts.items() if name != EXCLUDED]
    return PackSummary(
        path=str(pack.path),
        source=dict(pack.manifest["source"]),
        resolution=pack.resolution,
        items=len(pack),
        excluded=counts.get(EXCLUDED, 0),
        excluded_items={
            item: by_item.get(item, []) for item, split in zip(pack.ids, pack.splits, strict=True) if split == EXCLUDED
        },
        splits=splits,
        notes=list(pack.manifest.get("notes", [])),
        problems=dict(sorted(problems.items(), key=lambda entry: -len(entry[1]))),
        majority_floor=_majority_floor(splits[0], splits[1]),
        latents=[folder.parent.name for folder in sorted(pack.path.glob("latents/*/manifest.json"))],
    )


def sample_indices(pack: Pack, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Return up to `count` usable items of any split, drawn without repetition, for a sheet of pictures."""
    usable = np.flatnonzero(np.array(pack.splits) != EXCLUDED)
    chosen = numpy_generator(seed, "sheet").permutation(usable)[:count]
    return np.asarray(chosen, dtype=np.int64)


def _summarise(pack: Pack, name: str, items: int) -> SplitSummary:
    classes, attributes = pack.manifest["classes"][name], pack.manifest["attributes"][name]
    pixels = max(sum(classes["pixels"]), 1)
    return SplitSummary(
        name=name,
        items=items,
        classes=[
            ClassFrequency(name=label, pixels=area / pixels, presence=number / max(items, 1), items=number)
            for label, area, number in zip(CLASSES, classes["pixels"], classes["items"], strict=True)
        ],
        attributes=[
            AttributeFrequency(name=attribute, present=present, absent=absent, unknown=items - present - absent)
            for attribute, present, absent in zip(ATTRIBUTES, attributes["present"], attributes["absent"], strict=True)
        ],
    )


def _majority_floor(train: SplitSummary, validation: SplitSummary) -> float:
    scores = [
        held.frequency if learnt.present > learnt.absent else 1 - held.frequency
        for learnt, held in zip(train.attributes, validation.attributes, strict=True)
        if learnt.present + learnt.absent and held.present + held.absent
    ]
    return float(np.mean(scores)) if scores else float("nan")
