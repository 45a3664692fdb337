"""How well do edits do what they are asked, and do they leave the rest alone? Held against the truth, which the drawer knows.

Of each trait, people are drawn with and without it, half of the pairs either way: the first picture is edited towards the second.
Attributes and map of the first picture are known. Asked for is the attribute alone (a generator of maps draws what it changes of
the map), or the attribute and the true map. What came of it is read by judges that are not told what was asked.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.photographs import EditConfig, EditMethod
from facecond.drawn.pairs import Pair, pairs
from facecond.editing.agree import LEAST, PART_OF
from facecond.experiments.edited import (
    INTERVALS,
    Column,
    Columns,
    Group,
    Made,
    cell,
    differences,
    edit_groups,
    kept,
    source_words,
)
from facecond.experiments.studies import Findings
from facecond.faces.names import ATTRIBUTES, CLASSES
from facecond.io.files import sha256_file
from facecond.io.runs import WEIGHTS
from facecond.reports.curves import Chart, Series
from facecond.reports.tables import MISSING

if TYPE_CHECKING:
    from facecond.assembly.changes import Face
    from facecond.assembly.edits import Edited
    from facecond.assembly.session import Session
    from facecond.commands.edit import Editing
    from facecond.commands.prepared import Prepared
    from facecond.experiments.studies import Rows, Work

NOTHING, TRUTH = "nothing done", "the truth"
"""Rows to compare with."""


class Way(NamedTuple):
    """One way to edit."""

    method: EditMethod
    blend: bool
    told: bool
    """The true map is asked for, beside the attribute."""
    strength: float

    @property
    def family(self) -> str:
        """What it has in common with the same of other methods and strengths."""
        return ("blended" if self.blend else "not blended") + (", true map" if self.told else "")

    def name(self, strengths: Sequence[float]) -> str:
        """What it is called where edits of these strengths are compared."""
        strength = f", strength {self.strength:g}" if len(strengths) > 1 else ""
        return f"{self.method.name}, {self.family}{strength}"


class Judged(NamedTuple):
    """What became of a pair. Errors are mean absolute differences to the truth in percent of the range."""

    trait: str
    obeyed: bool
    """The classifier sees the trait as asked."""
    shown: bool | None
    """The parser does; None for a trait that no class of a map shows."""
    inside: float
    """Where the truth differs from the picture before."""
    outside: float
    """Where it does not: what should have been left alone."""
    whole: float


def ways(work: Work) -> list[Way]:
    """All that are compared."""
    flags = (True, False)
    return [
        Way(method, blend, told, strength)
        for told in (True, False)
        for method in (EditMethod.sdedit, EditMethod.ddim, EditMethod.friendly)
        for blend in flags
        for strength in work.study.strengths
    ]


def compared(work: Work) -> list[tuple[str, str]]:
    """Names of the ways whose difference is shown: of those that are told as much, each and the usual way at the first strength."""
    usual, strengths = EditConfig(), work.study.strengths
    every = ways(work)
    with_that = [(way, Way(usual.method, usual.blend, way.told, strengths[0])) for way in every]
    return [(way.name(strengths), other.name(strengths)) for way, other in with_that if way != other]


def plan(work: Work) -> None:
    """Note the steps."""
    for way in ways(work):
        work.step(_title(work, way), dict, [])


def made(work: Work) -> Findings:
    """Do it."""
    from facecond.assembly.session import open_session

    prepared = _prepared(work)
    found = pairs(work.study.traits, work.study.count, prepared.found.run.content["resolution"])
    judge, judges = _judge(work, prepared.found.pack, found)
    session = cache(lambda: open_session(prepared.found, prepared.config, maps=prepared.found.maps))
    results = {way.name(work.study.strengths): _edited(work, prepared, session, found, way) for way in ways(work)}
    before = np.stack([pair.before_HWC for pair in found])
    judged = {
        NOTHING: judge(before),
        TRUTH: judge(np.stack([pair.truth_HWC for pair in found])),
        **{name: judge(each.pictures_NHWC) for name, each in results.items()},
    }
    leaks = sum(each.leaks(before) for each in results.values())
    notes = [
        f"{len(found)} pairs of drawn people over {len(work.study.traits)} traits, no person twice.",
        *(each.format(what="pairs") for each in INTERVALS),
        f"In {leaks} of {len(found) * len(results)} edits a byte outside of the stated region changed.",
        "obeyed: the classifier sees the trait as asked; map shows it: of traits that a class of the map shows, the parser does.",
        "Errors: mean absolute difference to the truth, percent of the range; inside = where the truth differs from the picture "
        "before, outside = where it does not.",
        f"Edited by {prepared.found.run.path.name}; {prepared.used.get('maps', 'no generator of maps')}; read by {judges}.",
    ]
    sheet = work.folder / "sheet.png"
    _draw(sheet, found, results)
    tables = {
        "All traits": overview(judged, results),
        "Differences": differences(
            {name: columns(each) for name, each in judged.items()}, compared(work), range(len(found)), "pairs"
        ),
        "Edits that the classifier sees obeyed, of each trait": of_traits(judged),
    }
    return Findings(tables=tables, notes=notes, files={"sheet": sheet}, charts=[pareto(work, judged)])


def _title(work: Work, way: Way) -> str:
    return f"edit {work.study.count} pairs: {way.name(work.study.strengths)}"


def _words(work: Work, *more: str) -> list[str]:
    study = work.study
    return [
        *source_words(work),
        "items=[0]",
        f"{CONDITIONS[Attributes.name].word}=+{study.traits[0]}",
        *study.edit,
        *more,
        *work.computing,
    ]


def _prepared(work: Work) -> Prepared[EditConfig, Editing]:
    from facecond.commands.edit import prepare

    return prepare(_words(work))


def _edited(
    work: Work,
    prepared: Prepared[EditConfig, Editing],
    session: Callable[[], Session[EditConfig]],
    found: Sequence[Pair],
    way: Way,
) -> Made:
    """Edit the first picture of every pair one way, unless that is done; only then is the model loaded."""
    key = {name: value for name, value in prepared.found.key.items() if name != "maps" or not way.told}
    words = [*_words(work), f"maps={key.get('maps')}"]
    name = way.name(work.study.strengths)
    return kept(work, _title(work, way), name, words, lambda: edit_pairs(session(), found, way))


def edit_pairs(session: Session[EditConfig], found: Sequence[Pair], way: Way) -> Made:
    """Edit the first picture of every pair towards the second."""
    from facecond.assembly.edits import edit

    def asked(k: int) -> tuple[str, int]:
        return found[k].trait, found[k].sign

    def groups() -> Iterator[Group]:
        for (trait, sign), group in itertools.groupby(sorted(range(len(found)), key=asked), asked):
            asking: dict[str, Any] = {CONDITIONS[Attributes.name].word: f"{'+' if sign > 0 else '-'}{trait}"}
            config = dataclasses.replace(
                session.config, method=way.method, blend=way.blend, strength=way.strength, **asking
            )
            own = dataclasses.replace(session, config=config, maps=None if way.told else session.maps)

            def some_edited(some: Sequence[int], own: Session[EditConfig] = own) -> list[Edited]:
                wanted = [found[k].true_labels_HW if way.told else None for k in some]
                return edit(own, [face_of(k, found[k]) for k in some], wanted)

            yield list(group), some_edited

    return edit_groups(f"{way.method.name}, {way.family}", len(found), groups())


def face_of(number: int, pair: Pair) -> Face:
    """The first picture of a pair, of which all is known."""
    from facecond.assembly.changes import Face
    from facecond.io.images import digest_of_pixels
    from facecond.photos.frame import central_frame

    picture_HWC, values = pair.before_HWC, {Attributes.name: pair.attributes_A, Mask.name: pair.labels_HW}
    frame = central_frame(*picture_HWC.shape[:2])
    return Face(f"pair {number}", digest_of_pixels(picture_HWC), picture_HWC, frame, picture_HWC, values)


def _judge(work: Work, pack: Path, found: Sequence[Pair]) -> tuple[Any, str]:
    """What reads pictures of all pairs and holds them against the truth, and what it is called: judges made for the run's pack."""
    from facecond.assembly.judges import load_classifier, load_parser
    from facecond.data.pack import Pack
    from facecond.training.device import choose_device
    from facecond.workspace.judges import choose_judge

    device, faces = choose_device(work.config.device), Pack.open(pack)
    runs = [choose_judge(work.config.workspace, kind, faces).path for kind in ("classifier", "parser")]
    classifier, parser = load_classifier(runs[0], device), load_parser(runs[1], device)

    def judge(pictures_NHWC: NDArray[np.uint8]) -> list[Judged]:
        present, labels = classifier(pictures_NHWC), parser(pictures_NHWC)
        return [judged(*each) for each in zip(found, pictures_NHWC, present, labels, strict=True)]

    return judge, " and ".join(f"{run.name} ({sha256_file(run / WEIGHTS)[:12]})" for run in runs)


def judged(
    pair: Pair, picture_HWC: NDArray[np.uint8], present_A: NDArray[np.bool_], labels_HW: NDArray[np.uint8]
) -> Judged:
    """Hold a picture against the truth. `present_A`, bool (40,), is the classifier's answer, `labels_HW` the parser's."""
    differs_HW = pair.differs()
    error_HW = np.abs(picture_HWC.astype(float) - pair.truth_HWC).mean(axis=-1) / 2.55
    shown = None
    if pair.trait in PART_OF:
        there = (labels_HW == CLASSES.index(PART_OF[pair.trait].shown_by)).sum() >= LEAST
        shown = bool(there) == (pair.sign > 0)
    obeyed = bool(present_A[ATTRIBUTES.index(pair.trait)]) == (pair.sign > 0)
    inside, outside = (float(error_HW[where].mean()) if where.any() else 0.0 for where in (differs_HW, ~differs_HW))
    return Judged(pair.trait, obeyed, shown, inside, outside, float(error_HW.mean()))


def columns(found: Sequence[Judged]) -> Columns:
    """What is measured of every pair."""
    return {
        "obeyed": Column("obeyed, %", [each.obeyed for each in found], share=True),
        "shown": Column("map shows it, %", [each.shown for each in found], share=True),
        "inside": Column("error inside, %", [each.inside for each in found], lower=True, digits=2),
        "outside": Column("error outside, %", [each.outside for each in found], lower=True, digits=2),
    }


def overview(judged: dict[str, list[Judged]], results: dict[str, Made]) -> Rows:
    """Head row, then a row for each way and for what it is compared with."""
    head = [column.heading for column in columns(judged[TRUTH]).values()]
    rows = [["way", *head, "region, %", "seconds an edit"]]
    for name, found in judged.items():
        cells = [cell(column, range(len(found))) for column in columns(found).values()]
        of = results.get(name)
        cells += [MISSING, MISSING] if of is None else [f"{100 * of.region_NHW.mean():.1f}", f"{of.seconds:.2f}"]
        rows.append([name, *cells])
    return rows


def of_traits(judged: dict[str, list[Judged]]) -> Rows:
    """Head row, then for each way how many edits of each trait it got right; the head says how many there are."""
    counts = Counter(each.trait for each in judged[TRUTH])
    rows = [["way", *(f"{trait} ({count})" for trait, count in counts.items())]]
    for name, found in judged.items():
        right = Counter(each.trait for each in found if each.obeyed)
        rows.append([name, *(str(right[trait]) for trait in counts)])
    return rows


def pareto(work: Work, judged: dict[str, list[Judged]]) -> Chart:
    """What is obeyed over how far from the truth the whole picture is: up and to the left is better."""
    strengths, points = work.study.strengths, {NOTHING: [(NOTHING, NOTHING)], TRUTH: [(TRUTH, TRUTH)]}
    for way in ways(work):
        label = way.method.name + (f" {way.strength:g}" if len(strengths) > 1 else "")
        points.setdefault(way.family, []).append((way.name(strengths), label))
    series = [
        Series(
            name=family, x=[mean(each.whole for each in judged[name]) for name, _ in of],
            y=[100 * mean(each.obeyed for each in judged[name]) for name, _ in of],
            labels=[label if label != family else "" for _, label in of],
        )
        for family, of in points.items()
    ]  # fmt: skip
    return Chart(
        title="Edits: obeyed, and how far from the truth", x_label="error of the whole picture, % of the range",
        y_label="obeyed, %", series=series,
    )  # fmt: skip


def _draw(path: Path, found: Sequence[Pair], results: dict[str, Made]) -> None:
    """The first pairs of each trait, added and taken away: before, the truth, and what each way made of it."""
    from facecond.io.images import write_png
    from facecond.reports.grids import Heads, grid

    first: dict[tuple[str, int], int] = {}
    for k, pair in enumerate(found):
        first.setdefault((pair.trait, pair.sign), k)
    rows = [
        [found[k].before_HWC, found[k].truth_HWC, *(each.pictures_NHWC[k] for each in results.values())]
        for k in first.values()
    ]
    names = [f"{'+' if sign > 0 else '-'}{trait}" for trait, sign in first]
    heads = Heads(columns=["before", TRUTH, *results])
    write_png(path, grid(rows, title="Edits of drawn people, and the truth", heads=heads, names=names, cell=96))
