"""How well do faces take a part as another person has it, where no truth is known: photographs that the model never saw?

Each validation face of a pack is asked for parts of the most similar other faces that have them. What came of it is read by a
parser that is not told what was asked, and by face recognition where it is installed: is the person still the same?
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.mask import Mask
from facecond.config.commands.photographs import EditConfig, EditMethod
from facecond.editing.agree import DONORS, LEAST, most_similar, take_classes
from facecond.editing.region import fading, region_of
from facecond.errors import ConfigError, DataError
from facecond.experiments.edited import (
    INTERVALS,
    TOGETHER,
    Column,
    Columns,
    Made,
    cell,
    differences,
    edit_groups,
    kept,
    source_words,
)
from facecond.experiments.studies import Findings
from facecond.faces.labels import part_indices
from facecond.io.files import sha256_file
from facecond.io.runs import WEIGHTS
from facecond.reports.tables import MISSING
from facecond.workspace.find import read_run

if TYPE_CHECKING:
    from facecond.assembly.changes import Face
    from facecond.assembly.edits import Edited
    from facecond.assembly.judges import Judge
    from facecond.assembly.session import Session
    from facecond.commands.edit import Editing
    from facecond.commands.prepared import Prepared
    from facecond.config.commands.whole import ReproduceConfig
    from facecond.data.pack import Pack
    from facecond.experiments.studies import Rows, Work
    from facecond.pretrained.recognition import Recogniser

ITSELF, NOTHING, FIRST_STAGE, OTHER = "by its own map", "nothing done", "first stage alone", "the other person"
"""Rows to compare with: the picture before, twice; encoded and decoded where it may change; whose part was asked for."""

ALONE = "encode and decode faces"
"""Title of the step that makes the row of the first stage."""

SHOWN = 4
"""Faces of each part on the sheet."""


class Exchange(NamedTuple):
    """A face that is asked for a part of another."""

    place: int
    """Validation item."""
    other: int
    """Item of the pack whose part it is."""
    part: str
    labels_HW: NDArray[np.uint8]
    """Its own label map, with that part."""


class Way(NamedTuple):
    """One way to edit."""

    method: EditMethod
    blend: bool
    strength: float

    def name(self, strengths: Sequence[float]) -> str:
        """What it is called where edits of these strengths are compared."""
        strength = f", strength {self.strength:g}" if len(strengths) > 1 else ""
        return f"{self.method.name}, {'blended' if self.blend else 'not blended'}{strength}"


class Judged(NamedTuple):
    """What a picture shows."""

    part: str
    overlap: float
    """Intersection over union of the part: where the parser sees it, and where it was asked for."""
    agrees: float
    """Share of the pixels that were allowed to change at which the parser sees what was asked for."""
    apart: float | None
    """Distance of the person to the one before, by face recognition; None where that is not installed."""


def check(config: ReproduceConfig, run: Path) -> None:
    """Raise ConfigError for a run that cannot be asked for parts."""
    if Mask.name not in read_run(run).config["model"]["conditions"]:
        raise ConfigError(f"{run.name} is not told maps, which parts are asked for by", hint="study.run=RUN")


def ways(work: Work) -> list[Way]:
    """All that are compared."""
    methods = (EditMethod.sdedit, EditMethod.ddim, EditMethod.friendly)
    return [
        Way(method, blend, strength)
        for method in methods
        for blend in (True, False)
        for strength in work.study.strengths
    ]


def pairs(work: Work) -> list[tuple[str, str]]:
    """Names of the ways whose difference is shown: each, and the usual way at the first strength."""
    usual, strengths = EditConfig(), work.study.strengths
    other = Way(usual.method, usual.blend, strengths[0])
    return [(way.name(strengths), other.name(strengths)) for way in ways(work) if way != other]


def plan(work: Work) -> None:
    """Note the steps."""
    for way in ways(work):
        work.step(_title(work, way), dict, [])
    work.step(ALONE, dict, [])


def made(work: Work) -> Findings:
    """Do it."""
    from facecond.assembly.judges import load_parser
    from facecond.assembly.session import open_session
    from facecond.data.pack import Pack
    from facecond.pretrained.recognition import SAME, Recogniser, is_installed
    from facecond.training.device import choose_device
    from facecond.workspace.judges import choose_judge

    prepared = _prepared(work)
    pack = Pack.open(prepared.found.pack)
    asked = exchanges(pack, work.study.parts, work.study.count)
    parser_run = choose_judge(work.config.workspace, "parser", pack).path
    reading = Reading(
        load_parser(parser_run, choose_device(work.config.device)), Recogniser() if is_installed() else None
    )
    session = cache(lambda: _without_region(open_session(prepared.found, prepared.config)))
    results = {way.name(work.study.strengths): _edited(work, prepared, session, asked, way) for way in ways(work)}

    items = pack.indices("validation")[[each.place for each in asked]]
    before, others = np.asarray(pack.images[items]), np.stack([pack.images[each.other] for each in asked])
    real, wanted = np.asarray(pack.labels[items]), np.stack([each.labels_HW for each in asked])
    grow = prepared.config.grow
    regions = np.stack([region_of(own_HW, new_HW, grow=grow) for own_HW, new_HW in zip(real, wanted, strict=True)])
    through = _alone(work, prepared, session, asked, regions).pictures_NHWC
    sets = {ITSELF: (before, real), NOTHING: (before, wanted), FIRST_STAGE: (through, real), OTHER: (others, wanted)}
    sets |= {name: (each.pictures_NHWC, wanted) for name, each in results.items()}
    own = reading.who(before)
    compared = {name: reading.judge(asked, pictures, labels, regions, own) for name, (pictures, labels) in sets.items()}
    leaks = sum(each.leaks(before) for each in results.values())
    notes = [
        f"{len({each.place for each in asked})} validation faces of {pack.path.name}, {len(asked)} parts asked for.",
        *(each.format(what="faces") for each in INTERVALS),
        "Edits of one face count as one draw: they are means over edits, and the intervals hold for other faces. Shares, whose "
        "edits of one face are taken to be all alike, have intervals that are rather too wide.",
        f"In {leaks} of {len(asked) * len(results)} edits a byte outside of the stated region changed.",
        "part: intersection over union of the part where the parser sees it and where it was asked for; region: pixels that were "
        "allowed to change at which it sees what was asked for.",
        f"'{ITSELF}' and '{FIRST_STAGE}' (encoded and decoded where it may change) are held against their own map: the ceilings. "
        f"'{NOTHING}', held against the map asked for, is the floor.",
        f"distance: between before and after, by {Recogniser.name}; below {SAME:g} it takes both for one person."
        if is_installed()
        else "Whether the person is still the same was not measured: pip install 'facecond[identity]'.",
        f"Edited by {prepared.found.run.path.name}; read by {parser_run.name} "
        f"({sha256_file(parser_run / WEIGHTS)[:12]}).",
    ]
    sheet = work.folder / "sheet.png"
    _draw(sheet, asked, before, others, results)
    faces = [each.place for each in asked]
    measured = {name: columns(found, SAME) for name, found in compared.items()}
    tables = {
        "All parts": overview(measured, results, faces),
        "Differences": differences(measured, pairs(work), faces, "faces"),
        "Part as asked, of each": of_parts(compared),
    }
    return Findings(tables=tables, notes=notes, files={"sheet": sheet})


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """Who reads pictures."""

    parser: Judge
    recogniser: Recogniser | None
    """None where face recognition is not installed."""

    def who(self, pictures_NHWC: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """What stands for the people on pictures."""
        return self.recogniser(pictures_NHWC) if self.recogniser is not None else None

    def judge(
        self,
        asked: Sequence[Exchange],
        pictures_NHWC: NDArray[np.uint8],
        labels_NHW: NDArray[np.uint8],
        regions_NHW: NDArray[np.bool_],
        own: NDArray[np.float64] | None,
    ) -> list[Judged]:
        """Hold pictures against label maps, and the people on them against `own`."""
        who, seen_NHW = self.who(pictures_NHWC), self.parser(pictures_NHWC)
        apart: list[float | None] = [None] * len(asked)
        if who is not None and own is not None:
            apart = [float(distance) for distance in np.linalg.norm(who - own, axis=1)]
        each = zip(asked, labels_NHW, seen_NHW, regions_NHW, apart, strict=True)
        return [judged(one.part, *of_one) for one, *of_one in each]


def exchanges(pack: Pack, parts: Sequence[str], count: int) -> list[Exchange]:
    """Ask each of the first `count` validation faces for every part, of the most similar other face that has it.

    What would change nothing is not asked for. Raises DataError when nothing is left.
    """
    validation = pack.indices("validation")
    donors = np.concatenate([validation, pack.indices("train")[:DONORS]])
    maps_NHW = np.asarray(pack.labels[donors])
    found = []
    for part in parts:
        classes = part_indices([part])
        having = np.flatnonzero(np.isin(maps_NHW, classes).sum(axis=(1, 2)) >= LEAST)
        for place, item in enumerate(validation[:count]):
            own_HW, others = np.array(pack.labels[item]), having[having != place]
            if not len(others):
                continue
            other = others[most_similar(own_HW, maps_NHW[others])]
            labels_HW = take_classes(own_HW, maps_NHW[other], classes)
            if (labels_HW != own_HW).sum() >= LEAST:
                found.append(Exchange(place, int(donors[other]), part, labels_HW))
    if not found:
        raise DataError(
            f"{pack.path}: no face lacks a part of another", hint=f"name other parts than {', '.join(parts)}"
        )
    return found


def judged(
    part: str,
    labels_HW: NDArray[np.uint8],
    found_HW: NDArray[np.uint8],
    region_HW: NDArray[np.bool_],
    apart: float | None,
) -> Judged:
    """Hold what the parser sees, `found_HW`, against the label map that was asked for."""
    classes = part_indices([part])
    asked_HW, seen_HW = np.isin(labels_HW, classes), np.isin(found_HW, classes)
    either = int((asked_HW | seen_HW).sum())
    overlap = float((asked_HW & seen_HW).sum() / either) if either else 1.0
    agrees = float((labels_HW == found_HW)[region_HW].mean()) if region_HW.any() else 1.0
    return Judged(part, overlap, agrees, apart)


def columns(found: Sequence[Judged], same: float) -> Columns:
    """What is measured of every edit; below the distance `same` two pictures count as one person."""
    apart = [each.apart for each in found]
    alike = [None if each is None else each < same for each in apart]
    return {
        "part": Column("part, %", [100 * each.overlap for each in found]),
        "region": Column("region, %", [100 * each.agrees for each in found]),
        "distance": Column("distance", apart, lower=True, digits=2),
        "same": Column("same person, %", alike, share=True),
    }


def overview(measured: dict[str, Columns], results: dict[str, Made], faces: Sequence[int]) -> Rows:
    """Head row, then a row for each way and for what it is compared with. `faces` says which face each edit is of."""
    head = [column.heading for column in next(iter(measured.values())).values()]
    rows = [["way", *head, "may change, %", "seconds an edit"]]
    for name, found in measured.items():
        cells = [cell(column, faces) for column in found.values()]
        of = results.get(name)
        cells += [MISSING] * 2 if of is None else [f"{100 * of.region_NHW.mean():.1f}", f"{of.seconds:.2f}"]
        rows.append([name, *cells])
    return rows


def of_parts(compared: dict[str, list[Judged]]) -> Rows:
    """Head row, then for each way how much each part overlaps with what was asked for; the head says how many there are.

    No face is asked for a part twice.
    """
    first = next(iter(compared.values()))
    parts = list(dict.fromkeys(each.part for each in first))
    rows = [["way", *(f"{part} ({sum(each.part == part for each in first)})" for part in parts)]]
    for name, found in compared.items():
        of_each = [[100 * each.overlap for each in found if each.part == part] for part in parts]
        rows.append([name, *(cell(Column("part", values), range(len(values))) for values in of_each)])
    return rows


def _title(work: Work, way: Way) -> str:
    return f"edit faces: {way.name(work.study.strengths)}"


def _words(work: Work) -> list[str]:
    return [*source_words(work), "items=[0]", "region=[hair]", *work.study.edit, *work.computing]


def _prepared(work: Work) -> Prepared[EditConfig, Editing]:
    from facecond.commands.edit import prepare

    return prepare(_words(work))


def _without_region(session: Session[EditConfig]) -> Session[EditConfig]:
    """The same where nothing is asked for but the map that comes with each face."""
    return dataclasses.replace(session, config=dataclasses.replace(session.config, region=[]))


def _edited(
    work: Work,
    prepared: Prepared[EditConfig, Editing],
    session: Callable[[], Session[EditConfig]],
    asked: Sequence[Exchange],
    way: Way,
) -> Made:
    """Edit every face one way, unless that is done; only then is the model loaded."""
    words, name = _deciding(work, prepared), way.name(work.study.strengths)
    return kept(work, _title(work, way), name, words, lambda: edit_all(session(), asked, way))


def _alone(
    work: Work,
    prepared: Prepared[EditConfig, Editing],
    session: Callable[[], Session[EditConfig]],
    asked: Sequence[Exchange],
    regions_NHW: NDArray[np.bool_],
) -> Made:
    """Encode and decode every face where it may change, unless that is done."""
    from facecond.assembly.changes import of_item

    def make() -> Made:
        began, loaded = time.perf_counter(), session()
        pictures_NHWC = _through(loaded, [of_item(loaded, each.place) for each in asked], regions_NHW)
        return Made(pictures_NHWC, regions_NHW, (time.perf_counter() - began) / len(asked))

    return kept(work, ALONE, FIRST_STAGE, _deciding(work, prepared), make)


def _deciding(work: Work, prepared: Prepared[EditConfig, Editing]) -> list[str]:
    """What decides the edits, beside the way."""
    return [*_words(work), f"pack={sha256_file(prepared.found.pack / 'manifest.json')}"]


def edit_all(session: Session[EditConfig], asked: Sequence[Exchange], way: Way) -> Made:
    """Give every face the part it is asked for."""
    from facecond.assembly.changes import of_item
    from facecond.assembly.edits import edit

    config = dataclasses.replace(session.config, method=way.method, blend=way.blend, strength=way.strength)
    own = dataclasses.replace(session, config=config)

    def some_edited(some: Sequence[int]) -> list[Edited]:
        return edit(own, [of_item(own, asked[k].place) for k in some], [asked[k].labels_HW for k in some])

    parts = dict.fromkeys(each.part for each in asked)  # no face comes twice in a group
    groups = [([k for k, each in enumerate(asked) if each.part == part], some_edited) for part in parts]
    return edit_groups(way.name([]), len(asked), groups)


def _through(session: Session[EditConfig], faces: Sequence[Face], regions_NHW: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pictures encoded and decoded, pasted where they may change."""
    from facecond.assembly.edits import encoded
    from facecond.photos.paste import paste

    generator, found = session.generator, []
    feather = session.config.feather * generator.resolution
    for start in range(0, len(faces), TOGETHER):
        some = faces[start : start + TOGETHER]
        decoded = generator.first_stage.decode(encoded(generator, np.stack([face.image_HWC for face in some])))
        for face, new_HWC, region_HW in zip(some, decoded, regions_NHW[start:], strict=False):
            found.append(paste(face.picture_HWC, new_HWC, fading(region_HW, feather), face.frame))
    return np.stack(found)


def _draw(
    path: Path,
    asked: Sequence[Exchange],
    before_NHWC: NDArray[np.uint8],
    others_NHWC: NDArray[np.uint8],
    results: dict[str, Made],
) -> None:
    """The first faces of each part: before, whose part was asked for, the map, and what each way made of it."""
    from facecond.io.images import write_png
    from facecond.reports.grids import Heads, grid

    first = [
        k for part in dict.fromkeys(each.part for each in asked) for k in _first([each.part == part for each in asked])
    ]
    rows = [
        [before_NHWC[k], others_NHWC[k], asked[k].labels_HW, *(each.pictures_NHWC[k] for each in results.values())]
        for k in first
    ]
    heads = Heads(columns=["before", OTHER, "map asked for", *results])
    names = [asked[k].part for k in first]
    write_png(path, grid(rows, title="Parts as others have them", heads=heads, names=names, cell=96, legend=True))


def _first(flags: Sequence[bool]) -> list[int]:
    return [k for k, flag in enumerate(flags) if flag][:SHOWN]
