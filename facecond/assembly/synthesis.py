"""Faces made of what they are asked to show, and read by judges: which show what they were told, and why the others do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond import rng
from facecond.assembly.judges import Judge
from facecond.assembly.session import Session
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.synthesize import MapsFrom, SynthesizeConfig
from facecond.data.learnt import are_learnt
from facecond.data.pack import EXCLUDED, Pack
from facecond.editing.agree import agreed, contradicted, following_map, most_similar, take_classes
from facecond.editing.asked import Asked, words_for
from facecond.editing.region import classes_of
from facecond.faces.attributes import format_attributes
from facecond.faces.names import ATTRIBUTES, NUM_ATTRIBUTES
from facecond.metrics.faithfulness import Confusion
from facecond.sampling.generation import batches
from facecond.sampling.plans import Prompt, Request
from facecond.synthesized.folder import FaceRecord, Maps, signs_of


class Verdict(NamedTuple):
    """What judges say of a face."""

    miou: float | None
    """Mean IoU of the map read with the map told, over the classes told; None where there are not both."""
    right: float | None
    """Share of the attributes told that were read so; None where there are not both."""
    reasons: list[str]
    """Why it is rejected; none for a face that is accepted."""


class Face(NamedTuple):
    """A face that was made, and its record (without the hashes)."""

    record: FaceRecord
    image_HWC: NDArray[np.uint8]
    maps: Maps


@dataclass(frozen=True, kw_only=True, slots=True)
class Synthesis:
    """Everything that makes and judges faces."""

    session: Session[SynthesizeConfig]
    items: NDArray[np.int64]
    """Items of the pack that may be taken; `Asked.person` is a place among them."""
    asked: Sequence[Asked]
    pairs: Sequence[NDArray[np.int8]]
    by_hand: NDArray[np.int8]
    """Attributes that hold for everybody, int8 (40,)."""
    maps_from: MapsFrom
    parser: Judge | None
    classifier: Judge | None
    splits: Sequence[str]
    """Of each face."""
    held_out_N: NDArray[np.bool_]
    """Which of `items` are people of the validation split."""

    def make(self, faces: Sequence[tuple[int, int]]) -> list[Face]:
        """Make faces (number, attempt), at most a batch, and judge them.

        As many are made at once whatever their number, so that each depends, to the last bit, on its own number and attempt alone.
        """
        session, config, generator = self.session, self.session.config, self.session.generator
        requests = [self.request(index, attempt) for index, attempt in faces]
        requests += requests[-1:] * (config.batch_size - len(requests))
        render = generator.renderer(config.sampler, config.guidance, config.precision, config.capture)
        found: list[Face] = []
        for batch, images_BHWC in batches(
            requests, render, generator.latent_shape, config.batch_size, generator.device, session.complete
        ):
            read_BHW = self.parser(images_BHWC) if self.parser else [None] * len(batch)
            found_BA = self.classifier(images_BHWC) if self.classifier else [None] * len(batch)
            found += [self._judged(*each) for each in zip(batch, images_BHWC, read_BHW, found_BA, strict=True)]
        return found[: len(faces)]

    def request(self, index: int, attempt: int) -> Request:
        """What face `index` is asked to show; each attempt has noise, and drawn maps, of its own."""
        seed = rng.mix(rng.mix(self.session.config.seed, "face", index), "attempt", attempt)
        return Request(index=index, seed=seed, prompt=self.prompt(index), place={"attempt": attempt})

    def named(self, index: int) -> NDArray[np.int8]:
        """Attributes that are asked for by name, int8 (40,); a pair counts more than what holds for everybody."""
        pair = self.asked[index].pair
        if pair is None:
            return self.by_hand
        return np.where(self.pairs[pair] != 0, self.pairs[pair], self.by_hand).astype(np.int8)

    def prompt(self, index: int) -> Prompt:
        """The values of face `index`, as far as the model is told them; a map that is to be drawn is left out."""
        session, asked, named_A = self.session, self.asked[index], self.named(index)
        if asked.person is None:
            return self._prompt(named_A, None, "", None)
        pack, item = session.pack, self.items[asked.person]
        own_A, source = np.asarray(pack.attributes[item]), pack.ids[item]
        attributes_A = np.where(named_A != 0, named_A, own_A).astype(np.int8)
        if self.maps_from is MapsFrom.drawn or Mask.name not in session.names:
            return self._prompt(attributes_A, None, "", source)
        labels_HW, words = np.array(pack.labels[item]), f"as in {source}"
        if asked.others:
            others, parts = self.items[list(asked.others)], session.config.parts
            other = others[most_similar(labels_HW, np.asarray(pack.labels[others]))]
            labels_HW = take_classes(labels_HW, np.asarray(pack.labels[other]), classes_of(parts))
            words += f", {', '.join(parts)} as in {pack.ids[other]}"
            goes_A = np.isin(ATTRIBUTES, words_for(parts)) & (named_A == 0)
            attributes_A = np.where(goes_A, np.asarray(pack.attributes[other]), attributes_A).astype(np.int8)
            followed_A = following_map(labels_HW, attributes_A)
            attributes_A = np.where(named_A != 0, named_A, followed_A).astype(np.int8)
        if named_A.any():
            labels_HW, donors, _ = agreed(labels_HW, named_A, pack, self._donors(asked.person))
            words += "".join(f", {name} as in {pack.ids[donor]}" for name, donor in donors.items())
        return self._prompt(attributes_A, labels_HW, words, source)

    def _donors(self, person: int) -> NDArray[np.int64]:
        """People whose parts may be taken: those whose faces are in the same split as the person's."""
        return self.items[self.held_out_N == self.held_out_N[person]]

    def _prompt(
        self, attributes_A: NDArray[np.int8], labels_HW: NDArray[np.uint8] | None, words: str, source: str | None
    ) -> Prompt:
        values: dict[str, NDArray[Any]] = {}
        if Attributes.name in self.session.names:
            values[Attributes.name] = attributes_A
        if labels_HW is not None:
            values[Mask.name] = labels_HW
        description = {name: CONDITIONS[name].describe(value, words) for name, value in values.items()}
        return Prompt(values=values, description=description, source=source)

    def _judged(
        self,
        request: Request,
        image_HWC: NDArray[np.uint8],
        read_HW: NDArray[np.uint8] | None,
        found_A: NDArray[np.bool_] | None,
    ) -> Face:
        values, named_A = request.prompt.values, self.named(request.index)
        told_HW, told_A = values.get(Mask.name), values.get(Attributes.name)
        verdict = judged(told_HW, read_HW, told_A, found_A, named_A, self.session.config)
        read_A = None if found_A is None else np.where(found_A, 1, -1)
        record = FaceRecord(
            index=request.index, attempt=request.place["attempt"], seed=request.seed,
            split="validation" if self.splits[request.index] == "validation" else "train", source=request.prompt.source,
            asked=format_attributes(named_A), description={name: str(w) for name, w in request.prompt.description.items()},
            attributes_told=None if told_A is None else signs_of(told_A),
            attributes_read=None if read_A is None else signs_of(read_A),
            miou=verdict.miou, attributes_right=verdict.right, accepted=not verdict.reasons, reasons=verdict.reasons,
            pixels="0" * 64, labels=None, read=None,
        )  # fmt: skip
        return Face(record, image_HWC, Maps(told_HW, read_HW))


def judged(
    told_HW: NDArray[np.uint8] | None,
    read_HW: NDArray[np.uint8] | None,
    told_A: NDArray[np.int8] | None,
    found_A: NDArray[np.bool_] | None,
    named_A: NDArray[np.int8],
    config: SynthesizeConfig,
) -> Verdict:
    """Compare what a face was told with what judges read: its map, uint8 (H, W), attributes int8 (40,) told and bool (40,) found.

    What is None is not compared. Attributes that are 0 say nothing; those in `named_A` must be there.
    """
    reasons = []
    miou = right = None
    if told_HW is not None and read_HW is not None:
        miou = float(Confusion.of(told_HW[None], read_HW[None]).mean_iou)
        if miou < config.least_miou:
            reasons.append(f"map: mean IoU {miou:.3f} < {config.least_miou:g}")
    if told_A is not None and found_A is not None and told_A.any():
        said_A, as_told_A = told_A != 0, found_A == (told_A > 0)
        right = float(as_told_A[said_A].mean())
        if right < config.least_attributes:
            reasons.append(f"attributes: {right:.3f} as told < {config.least_attributes:g}")
        denied = contradicted(told_HW, named_A) if told_HW is not None else []
        for place in np.flatnonzero((named_A != 0) & ~as_told_A) if config.named else ():
            name = ATTRIBUTES[place]
            seen = f"{name} is {'not seen' if named_A[place] > 0 else 'seen'}"
            reasons.append(f"{seen}, as in its map" if name in denied else seen)
    return Verdict(miou, right, reasons)


def never_learnt(pack: Pack, learnt: Sequence[Sequence[Mapping[str, Any]]], most: int) -> tuple[str, NDArray[np.int64]]:
    """Return a split, and at most `most` items of it, evenly strewn, that no judge has learnt from.

    `learnt`: of each judge what it learnt from (`data.learnt`). The validation split comes first, then the others by name; "" and
    no items where the judges learnt from all faces of the pack.
    """
    for split in sorted({*pack.splits} - {EXCLUDED}, key=lambda name: (name != "validation", name)):
        items = pack.indices(split)
        items = items[~are_learnt([entry for each in learnt for entry in each], pack, items)]
        if len(items):
            return split, items[:: -(-len(items) // most)]
    return "", np.zeros(0, dtype=np.int64)


def of_real(
    session: Session[SynthesizeConfig], parser: Judge | None, classifier: Judge | None, items: NDArray[np.int64]
) -> float:
    """Share of real pictures, those at `items` of the pack, with labels of their own, that the judges would accept."""
    pack, config = session.pack, dataclasses.replace(session.config, named=False)
    images = np.asarray(pack.images[items])
    read = parser(images) if parser else [None] * len(items)
    found = classifier(images) if classifier else [None] * len(items)
    told_mask, told_attributes = Mask.name in session.names, Attributes.name in session.names
    nothing = np.zeros(NUM_ATTRIBUTES, dtype=np.int8)
    passed = [
        not judged(
            np.asarray(pack.labels[item]) if told_mask else None, read[place],
            np.asarray(pack.attributes[item]) if told_attributes else None, found[place], nothing, config,
        ).reasons
        for place, item in enumerate(items)
    ]  # fmt: skip
    return float(np.mean(passed))
