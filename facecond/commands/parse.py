"""`facecond parse`: photographs become aligned faces with label maps, and attributes, in a folder that can be packed."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from math import radians
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from facecond.commands.data_inspect import SHOWN
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.conditions.mask import Mask
from facecond.config.commands.photographs import ParseConfig
from facecond.config.compose import compose
from facecond.errors import CheckpointError, ConfigError, DataError
from facecond.io.files import sha256_file
from facecond.workspace.judges import photo_judge, size_learnt_at

if TYPE_CHECKING:
    from facecond.photos.folder import ParsedFolder, PhotoRecord
    from facecond.photos.reading import ParsedFace

log = logging.getLogger("facecond")

NO_CLASSIFIER = "none"
"""`classifier=none`: no attributes."""


class Looked(NamedTuple):
    """What came of a photograph."""

    photo: Path
    digest: str = ""
    """SHA-256 of its file."""
    size: tuple[int, int] = (0, 0)
    """(width, height)."""
    face: "tuple[ParsedFace, list[str] | None] | None" = None
    """None: finished before, or it cannot be used."""
    reason: str = ""
    """Why it cannot be used."""


class Parsing(NamedTuple):
    """What is parsed, and by whom."""

    photos: list[Path]
    parser: Path
    """Run or weights file."""
    classifier: Path | None
    resolution: int


def prepare(words: Sequence[str]) -> Prepared[ParseConfig, Parsing]:
    """Check the configuration; list the photographs, find the judges, settle resolution and name."""
    composed = compose("parse", words)
    config: ParseConfig = composed.config
    if not config.photos:
        raise ConfigError("no photograph is named", hint="for example: facecond parse photo.jpg folder")
    photos = list(dict.fromkeys(photo for name in config.photos for photo in photographs(Path(name))))
    parser = photo_judge(config.workspace, "parser", config.parser)
    classifier = None
    if config.classifier != NO_CLASSIFIER:
        try:
            classifier = photo_judge(config.workspace, "classifier", config.classifier)
        except CheckpointError:
            if config.classifier is not None:
                raise
    resolution = config.resolution or size_learnt_at(parser.path)
    used = {"photographs": str(len(photos)), "parser": str(parser)}
    used["classifier"] = (
        str(classifier) if classifier else f"none ({'named' if config.classifier else 'there is no run of one'})"
    )
    used["resolution"] = f"{resolution} ({'named' if config.resolution else 'what the parser learnt at'})"
    return Prepared(
        composed=composed,
        name=config.name or f"{_plain(Path(config.photos[0]))}-{resolution}",
        used=used,
        found=Parsing(photos, parser.path, classifier.path if classifier else None, resolution),
    )


def photographs(place: Path) -> list[Path]:
    """Return a picture, or those of a folder by name. Raises DataError when there is none."""
    from facecond.data.labelmaps import PICTURE_SUFFIXES

    if place.is_dir():
        found = sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
        found = [path for path in found if not path.name.startswith(".")]
        if not found:
            raise DataError(
                f"{place} holds no file ending in {', '.join(PICTURE_SUFFIXES)}", hint="name a folder of photographs"
            )
        return found
    if not place.is_file():
        raise DataError(f"{place}: no such file or folder", hint="name photographs, or folders of them")
    return [place]


def _plain(place: Path) -> str:
    """Part of a folder's name, after a photograph or a folder of them."""
    name = place.resolve().name if place.is_dir() else place.stem
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "photos"


def run(prepared: Prepared[ParseConfig, Parsing]) -> Result:
    """Parse what is missing; finished photographs are left as they are."""
    from facecond import progress
    from facecond.assembly.photographs import PhotoClassifier, PhotoParser, read_photograph
    from facecond.data.attribute_files import write_csv
    from facecond.io.images import read_image
    from facecond.io.lock import WAIT, hold
    from facecond.photos.folder import ParsedFolder
    from facecond.training.device import choose_device

    prepared.announce()
    config, found = prepared.config, prepared.found
    processes = prepared.processes
    device = choose_device(config.device, processes)
    parser = PhotoParser(found.parser, device)
    classifier = PhotoClassifier(found.classifier, device) if found.classifier else None
    judge = classifier.sha256 if classifier else None
    place = Path(config.workspace) / "parsed" / prepared.name
    parsed, skipped = 0, dict[Path, str]()
    with processes.first_enters(lambda: hold(place, wait=WAIT)):
        folder = ParsedFolder(
            place,
            made_with={"parser": parser.sha256, "resolution": found.resolution, "align": config.align.name},
            judges={"parser": parser.name, "classifier": classifier.name if classifier else None},
        )

        def look(photo: Path) -> Looked:
            """Parse a photograph unless that was done."""
            try:
                digest = sha256_file(photo)
                if folder.holds(digest, judge):
                    return Looked(photo, digest)
                image = read_image(photo)
                face = read_photograph(image, parser, classifier, found.resolution, config.align)
                if face is None:
                    raise DataError(f"{photo}: no face found")
                return Looked(photo, digest, (image.shape[1], image.shape[0]), face)
            except DataError as reason:
                return Looked(photo, reason=reason.message.removeprefix(f"{photo}: "))

        def take(looked: Looked) -> None:
            nonlocal parsed
            if looked.reason:
                skipped[looked.photo] = looked.reason
                log.warning("%s: %s; skipped", looked.photo, looked.reason)
            elif looked.face and not folder.holds(looked.digest, judge):  # there are two of it
                folder.write(looked.photo, looked.digest, looked.size, *looked.face, judge)
                parsed += 1
            bar.update()

        with progress.bar("parse", len(found.photos), shown=processes.first) as bar:
            processes.share_out(found.photos, look, take)
        if not processes.first:  # it helped
            return Result(command="parse", used=prepared.used)
        if len(skipped) == len(found.photos):
            photo, why = next(iter(skipped.items()))
            raise DataError(
                f"none of the {len(skipped)} photographs can be used, for example {photo}: {why}",
                hint="align=never takes the middle of a picture as it is",
            )
        made = {
            "pictures": folder.path / "images",
            "label maps": folder.path / "labels",
            "records": folder.path / "records.jsonl",
        }
        if table := folder.finish():
            made["table of attributes"] = folder.path / "attributes.csv"
            write_csv(made["table of attributes"], table)
        if config.sheet:
            made["contact sheet"] = folder.path / "sheet.png"
            _draw_sheet(folder, config.sheet, parser.name)
    records = folder.records
    return Result(
        command="parse",
        used=prepared.used,
        facts={
            "photographs": len(found.photos),
            "parsed now": parsed,
            "finished before": len(found.photos) - parsed - len(skipped),
            "skipped": len(skipped),
            "confidence": sum(record["confidence"] for record in records) / len(records),
        },
        tables=_tables(records, skipped),
        made=made,
        next=[
            prepared.suggest(
                "data pack",
                data="label_maps",
                **{"data.root": str(folder.path)},
                **({"data.attributes": str(made["table of attributes"])} if table else {}),
                resolution=str(2 ** (found.resolution.bit_length() - 1)),
            ),
            prepared.suggest("sample", **{Mask.word: str(folder.file("labels", records[0]))}),
        ],
    )


def _tables(records: "Sequence[PhotoRecord]", skipped: dict[Path, str]) -> dict[str, list[list[str]]]:
    """How faces were framed, what looks suspicious, and which photographs were skipped; as far as there is anything to say."""
    framed = Counter(record["framed_by"] for record in records)
    tables = {"framed by": [["what", "faces"], *([what, str(count)] for what, count in framed.most_common())]}
    seen: dict[str, list[str]] = {}
    for record in records:
        for finding in record["findings"]:
            seen.setdefault(finding["problem"], []).append(f"{record['name']} {finding['detail']}")
    if seen:
        rows = [[problem, str(len(found)), "; ".join(found[:3])] for problem, found in seen.items()]
        tables["suspicious"] = [["problem", "faces", "for example"], *rows]
    if skipped:
        shown = [[str(photo), why] for photo, why in list(skipped.items())[:SHOWN]]
        more = len(skipped) - len(shown)
        tables["skipped"] = [
            ["photograph", "why"],
            *shown,
            *([[f"and {more} more", "see the warnings"]] if more else []),
        ]
    return tables


def _draw_sheet(folder: "ParsedFolder", most: int, parser: str) -> None:
    """The first photographs with their frames, aligned pictures and maps; a photograph that has gone is left out."""
    from facecond.io.images import read_image, read_label_map, write_png
    from facecond.photos.frame import Frame
    from facecond.reports.layouts import Photograph, first_of, photographs_figure

    shown = []
    for record in folder.records[:most]:
        frame = record["frame"]
        try:
            photo = read_image(record["source"])
        except DataError:
            photo = None
        shown.append(
            Photograph(
                name=record["name"],
                photo=photo,
                corners=Frame(frame["x"], frame["y"], frame["side"], radians(frame["roll"])).corners(),
                image=read_image(folder.file("images", record)),
                labels=read_label_map(folder.file("labels", record)),
                remark=", ".join(finding["problem"].replace("_", " ") for finding in record["findings"]),
            )
        )
    title = "Photographs" + first_of(len(shown), len(folder.records))
    write_png(folder.path / "sheet.png", photographs_figure(shown, title=title, text=f"Label maps by {parser}."))
