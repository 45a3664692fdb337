"""`facecond edit`: photographs, or people of a pack, changed in one respect; outside of a stated region not one byte changes."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facecond.assembly.session import Session, open_session
from facecond.commands.parse import photographs
from facecond.commands.prepared import Prepared, prepare_generation
from facecond.commands.result import Result
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.photographs import EditConfig, EditMethod
from facecond.config.diffusion import Sampler
from facecond.data.pack import read_manifest
from facecond.editing.region import WHOLE, classes_of
from facecond.errors import ConfigError, DataError
from facecond.io.files import sha256_file
from facecond.io.runs import weights_in
from facecond.workspace.find import RunInfo
from facecond.workspace.judges import photo_judge
from facecond.workspace.origin import Origin, find_maps, generation_key, weights_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.assembly.changes import Face
    from facecond.assembly.edits import Edited
    from facecond.photos.edited import EditedFolder

log = logging.getLogger("facecond")

MOST_WAITING = 1 << 28
"""Bytes of photographs that are edited together, unless one alone has more."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Editing(Origin):
    """What changes pictures, and which."""

    photos: list[Path]
    parser: Path | None = None
    """Of photographs."""
    classifier: Path | None = None
    maps: RunInfo | None = None
    key: dict[str, Any]
    """What decides the pictures, beside the photographs and what `generation_key` has (JSON values)."""


def prepare(words: Sequence[str]) -> Prepared[EditConfig, Editing]:
    """Check what is asked for; find run, photographs, judges and a generator of maps."""
    prepared = prepare_generation("edit", words, _check_alone)
    config, origin = prepared.config, prepared.found
    given = config.given()
    for name in dict.fromkeys([*given, *([Mask.name] if config.paint else [])]):
        if name not in origin.conditions:
            raise ConfigError(
                f"{prepared.name} is not conditioned on {name}, which is to change", hint="name another run: run=..."
            )
    if others := [name for name in origin.conditions if name not in (Attributes.name, Mask.name)]:
        raise ConfigError(
            f"{prepared.name} is told {', '.join(others)}, which nothing here reads off a picture",
            hint="name a run that is told attributes, maps or both: run=...",
        )
    _check_used(prepared)
    config.steps_back()  # a strength that takes none is refused
    prepared.used["sampler"] = f"DDIM's steps, {config.sampler.steps} of them"
    photos = list(dict.fromkeys(photo for name in config.photos for photo in photographs(Path(name))))
    parser = classifier = None
    if photos:
        prepared.used["photographs"] = str(len(photos))
        if origin.own_pack is not None and read_manifest(origin.own_pack)["source"].get("kind") == "drawn":
            prepared.used["photographs"] += (
                f" ({origin.run.path.name} learnt from drawn faces: what it changes will look drawn)"
            )
        parser = photo_judge(config.workspace, "parser", config.parser, origin.run.path)
        prepared.used["parser"] = str(parser)
        if Attributes.name in origin.conditions:
            classifier = photo_judge(config.workspace, "classifier", config.classifier, origin.run.path)
            prepared.used["classifier"] = str(classifier)
    maps = None
    if Attributes.name in given and Mask.name in origin.conditions and not (Mask.name in given or config.paint):
        drawn_by = find_maps(config.workspace, config.maps, origin.run, origin.own_pack)
        if drawn_by is not None:
            maps = drawn_by.run
            prepared.used["maps"] = f"{drawn_by}: what an attribute changes of a map is drawn"
    key = {
        "given": {name: CONDITIONS[name].identify(text) for name, text in given.items()},
        "paint": [[part, sha256_file(file)] for part, file in config.painted()],
        "region": sorted(config.region), "method": config.method.name, "strength": config.strength, "blend": config.blend,
        "grow": config.grow, "feather": config.feather, "align": config.align.name,
        "parser": sha256_file(weights_in(parser.path)) if parser else None,
        "classifier": sha256_file(weights_in(classifier.path)) if classifier else None,
        "maps": sha256_file(weights_file(maps)) if maps else None,
    }  # fmt: skip
    name = config.name or f"{prepared.name}-edit-{generation_key(origin, config, key)}"
    found = Editing(
        **{field.name: getattr(origin, field.name) for field in dataclasses.fields(Origin)},
        photos=photos,
        parser=parser.path if parser else None,
        classifier=classifier.path if classifier else None,
        maps=maps,
        key=key,
    )
    return Prepared(composed=prepared.composed, name=name, found=found, used=prepared.used)


def _check_used(prepared: Prepared[EditConfig, Origin]) -> None:
    """Refuse what is typed and would have no effect, and items that are not there."""
    config, composed = prepared.config, prepared.composed
    typed = {word.partition("=")[0] for word in composed.overrides}
    if config.sampler.name is not Sampler.ddim and typed & {"sampler", "sampler.name"}:
        raise ConfigError(f"sampler={config.sampler.name.name}: pictures are edited with DDIM's steps")
    by_map = Mask.name in config.given() or bool(config.paint) or Attributes.name not in config.given()
    idle = {
        "sampler.eta": "fresh noise follows from method=", "capture": "for edits",
        **({"parser": "for items, which are known", "classifier": "for items, which are known"} if config.items else {}),
        **({"maps": "where no attribute changes a map"} if by_map else {}),
    }  # fmt: skip
    for key, why in idle.items():
        if key in typed:
            raise ConfigError(f"{key} has no effect: {why}", hint="leave it out")
    if not config.items:
        return
    count = sum(last - first for first, last in read_manifest(prepared.found.pack)["splits"].get("validation", []))
    for place in config.items:
        if not 0 <= place < count:
            raise DataError(
                f"validation item {place} does not exist", hint=f"{prepared.found.pack} has 0 to {count - 1}"
            )


def _check_alone(config: EditConfig) -> None:
    """Check what needs neither run nor pack."""
    if not config.photos and not config.items:
        raise ConfigError("no picture is named", hint="for example: facecond edit photo.jpg --attr +Smiling")
    if config.photos and config.items:
        raise ConfigError("photographs and items are both given", hint="change one kind at a time")
    given = config.given()
    if Mask.name in given and config.paint:
        raise ConfigError("a map and parts of others are both given", hint="paint the parts into the map")
    if not (given or config.paint or config.region):
        raise ConfigError("nothing is asked for", hint="for example: --attr +Smiling, --mask map.png, or --region hair")
    for name, text in given.items():
        if name not in (Attributes.name, Mask.name):
            raise ConfigError(f"{CONDITIONS[name].word}= cannot be read off a picture", hint="give attributes or a map")
        CONDITIONS[name].check(text)
    for part, file in config.painted():
        classes_of([part])
        CONDITIONS[Mask.name].check(str(file))
    classes_of([part for part in config.region if part.lower() != WHOLE])


def run(prepared: Prepared[EditConfig, Editing]) -> Result:
    """Edit what is missing; finished pictures are left as they are."""
    from facecond import progress
    from facecond.assembly.changes import Face
    from facecond.assembly.edits import edit_each
    from facecond.assembly.maps import load_map_generator
    from facecond.io.lock import WAIT, hold
    from facecond.photos.edited import EditedFolder

    prepared.announce()
    config, found = prepared.config, prepared.found
    if not (config.given() or config.paint) and config.method is not EditMethod.sdedit:
        log.warning(
            "region alone: method=%s leads back to the picture itself; method=sdedit draws the region anew",
            config.method.name,
        )
    session: Session[Any] = open_session(found, config)
    maps = load_map_generator(found.maps, session.generator.device) if found.maps else None
    session = dataclasses.replace(session, maps=maps)
    place = Path(config.workspace) / "edits" / prepared.name
    edited, outside, skipped = 0, 0, dict[str, str]()
    count = len(found.photos) or len(config.items)
    with hold(place, wait=WAIT):
        folder = EditedFolder(place, made_with={**found.key, **session.made_with, "seed": config.seed})
        shown: list[Shown] = []
        told = session.generator.conditioner.names

        def work(faces: list[Face]) -> int:
            """Edit some and write them; return the number of pixels that changed outside of their regions."""
            outside = 0
            for each in edit_each(session, faces):
                face, change = each.change.face, each.change
                record = folder.write(
                    each.picture_HWC, face.picture_HWC, source=face.source, digest=face.digest, frame=face.frame,
                    region=float(change.region_HW.mean()), region_HW=each.region_HW, seed=change.seed, told=each.words(told),
                )  # fmt: skip
                outside += record["outside"]
                shown.extend([_shown(each)] if len(shown) < config.sheet else [])
            return outside

        with progress.bar("edit", count) as bar:
            waiting: list[Face] = []
            for face in _faces(session, found, folder, skipped):
                if face is None:
                    bar.update()  # it is finished, or cannot be used
                    continue
                waiting.append(face)
                if len(waiting) == config.batch_size or sum(each.picture_HWC.nbytes for each in waiting) > MOST_WAITING:
                    outside, edited = outside + work(waiting), edited + len(waiting)
                    bar.update(len(waiting))
                    waiting = []
            if waiting:
                outside, edited = outside + work(waiting), edited + len(waiting)
                bar.update(len(waiting))
        folder.finish()
        if count and len(skipped) == count:
            source, why = next(iter(skipped.items()))
            raise DataError(
                f"none of the {count} pictures can be edited, for example {source}: {why}",
                hint="align=never takes the middle of a picture as it is",
            )
        made = {"pictures": place / "images", "regions": place / "regions", "records": place / "records.jsonl"}
        if config.sheet and shown:
            made["sheet"] = place / "sheet.png"
            _draw_sheet(made["sheet"], shown, prepared)
    return Result(
        command="edit",
        used=prepared.used,
        facts={
            "pictures": count,
            "edited now": edited,
            "finished before": count - edited - len(skipped),
            "skipped": len(skipped),
            "pixels changed outside of their region": outside,
        },
        made=made,
    )


def _faces(
    session: Session[EditConfig], found: Editing, folder: "EditedFolder", skipped: dict[str, str]
) -> "Iterator[Face | None]":
    """Each picture that is to be edited, in order; None for one that is finished or cannot be used."""
    from facecond.assembly.changes import of_item, of_photograph
    from facecond.assembly.photographs import PhotoClassifier, PhotoParser

    seen: set[str] = set()

    def known(digest: str) -> bool:
        """Whether it is finished, or among those before."""
        before = digest in seen or folder.get(digest) is not None
        seen.add(digest)
        return before

    if not found.photos:
        for place in session.config.items:
            face = of_item(session, place)
            yield None if known(face.digest) else face
        return
    assert found.parser is not None  # what reads photographs
    device = session.generator.device
    parser = PhotoParser(found.parser, device)
    classifier = PhotoClassifier(found.classifier, device) if found.classifier else None
    for photo in found.photos:
        try:
            digest = sha256_file(photo)
            yield None if known(digest) else of_photograph(session, photo, digest, parser, classifier)
        except DataError as reason:
            skipped[str(photo)] = reason.message.removeprefix(f"{photo}: ")
            log.warning("%s: %s; skipped", photo, skipped[str(photo)])
            yield None


class Shown(NamedTuple):
    """A row of the sheet: the face before, its map, the map asked for, the face after, and where the two differ."""

    name: str
    cells: "list[NDArray[np.uint8]]"
    """Each of the model's size, so that photographs need not be kept."""


def _shown(each: "Edited") -> Shown:
    import numpy as np

    from facecond.photos.frame import cut

    face, change = each.change.face, each.change
    own = face.picture_HWC is face.image_HWC  # the picture is the face
    after = each.picture_HWC if own else cut(each.picture_HWC, face.frame, len(face.image_HWC))
    difference = np.abs(after.astype(int) - face.image_HWC).max(axis=-1, keepdims=True)
    maps = [values[Mask.name] for values in (face.values, change.after)]
    cells = [face.image_HWC, *maps, after, np.repeat((255 - difference).astype(np.uint8), 3, axis=-1)]
    return Shown(Path(face.source).name, cells)


def _draw_sheet(path: Path, shown: Sequence[Shown], prepared: Prepared[EditConfig, Editing]) -> None:
    """Before, its map, the map asked for, after, and where they differ."""
    from facecond.io.images import write_png
    from facecond.reports.grids import Heads, grid

    config = prepared.config
    asked = ", ".join([*config.given().values(), *config.paint, *config.region])
    write_png(path, grid(
        [row.cells for row in shown], title=f"Before and after: {asked}",
        text=f"{prepared.found.run.path.name}: {config.method.name}, strength {config.strength:g}",
        heads=Heads(columns=["before", "its map", "map asked for", "after", "difference"]),
        names=[row.name for row in shown], cell=128, legend=True,
    ))  # fmt: skip
