"""One function for each kind of folder: what is said of it. What keeps a folder from being read becomes the remark of its entry.

Manifests are read, and of records and curves a line or two; pictures, arrays and weights are only counted.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypeVar

from typing_extensions import TypedDict

from facecond.data import latents as latents_of
from facecond.data.arrays import FINISHED_FILE, SIDE_FILE
from facecond.data.pack import read_manifest as read_pack
from facecond.errors import FacecondError
from facecond.io.documents import (
    Count,
    Finite,
    Pixels,
    Positive,
    Record,
    check,
    finished_at,
    read_json,
    scan_records,
)
from facecond.io.exported import EXPORT_FILE, incomplete, read_exported
from facecond.io.files import inside
from facecond.io.reproduced import REPRODUCED_FILE, read_reproduced
from facecond.io.results import Figure
from facecond.io.runs import METRICS, WEIGHTS, of_class, read_done, read_last, read_run_file
from facecond.photos.edited import FORMAT as EDITS_FORMAT
from facecond.photos.edited import VERSION as EDITS_VERSION
from facecond.photos.edited import EditsHead
from facecond.photos.folder import FORMAT as PARSED_FORMAT
from facecond.photos.folder import VERSION as PARSED_VERSION
from facecond.photos.folder import Parsed as ParsedFile
from facecond.sampling.folder import PictureRecord
from facecond.sampling.folder import read_manifest as read_generation
from facecond.synthesized import folder as synthesized
from facecond.workspace import find
from facecond.workspace.belonging import folders_in, generations_below, made_of
from facecond.workspace.inventory.entries import (
    EditsEntry,
    Entry,
    ExportEntry,
    Latents,
    PackEntry,
    ParsedEntry,
    ReproducedEntry,
    ResultsEntry,
    RunEntry,
    SamplesEntry,
    SynthesizedEntry,
)
from facecond.workspace.inventory.known import Known, finite, in_use, size_of, value_of


class _Trainer(TypedDict):
    images: Positive


class _Chosen(TypedDict):
    trainer: _Trainer
    model: NotRequired[Record]


class _Sampler(TypedDict):
    name: str
    steps: Count
    eta: Finite


class _MadeWith(TypedDict):
    weights: str
    sampler: _Sampler
    guidance: NotRequired[dict[str, Finite]]


class _Edited(_MadeWith):
    method: str
    strength: Finite


class _Maps(TypedDict):
    run: str


class _Exported(_MadeWith):
    target: str
    maps: _Maps | None
    people: Count


class _AboutResults(TypedDict):
    command: NotRequired[str]
    compared: NotRequired[list[str]]


class _Member(TypedDict):
    evaluations: list[Record]


class _Set(TypedDict):
    models: dict[str, _Member]
    figures: list[Record]


class _Judged(TypedDict):
    resolution: Pixels


E = TypeVar("E", bound=Entry)


def _entry(path: Path, came_along: bool, dated_by: Iterable[Path]) -> Entry:
    """What can be said of any folder; the newest of the files `dated_by` says when it was written to."""
    times = [file.stat().st_mtime for file in dated_by if file.is_file()]
    when = max(times) if times else path.stat().st_mtime
    return Entry(
        name=path.name, path=str(path), bytes=size_of(path), when=_iso(datetime.fromtimestamp(when, UTC)),
        came_along=came_along, remark="", next=[],
    )  # fmt: skip


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")  # two small runs may end within a second


def _filled(entry: E, read: Callable[[], None]) -> E:
    """Let `read` fill an entry; what keeps it from that becomes the remark."""
    path = entry["path"]
    try:
        read()
    except FacecondError as reason:
        entry["remark"] = " ".join(reason.message.removeprefix(f"{path}/").removeprefix(f"{path}: ").split())
    except OSError as reason:
        entry["remark"] = f"{reason.filename or path}: {reason.strerror or reason}"
    return entry


def pack_entry(known: Known, path: Path, came_along: bool) -> PackEntry:
    """A pack, with its latents."""
    dated = _entry(path, came_along, (path / "manifest.json", path / SIDE_FILE))
    entry: PackEntry = {**dated, "unfinished": False}

    def read() -> None:
        if not (path / "manifest.json").is_file():
            entry["unfinished"] = (path / SIDE_FILE).is_file()
            entry["remark"] = in_use(path) or (
                "not finished: the command that makes it continues it"
                if entry["unfinished"]
                else "not a pack: it has no manifest.json"
            )
            return
        manifest = read_pack(path)
        kind = manifest["source"].get("kind")
        entry["source"] = kind if isinstance(kind, str) else "unknown"
        entry["items"], entry["resolution"] = len(manifest["ids"]), manifest["resolution"]
        entry["splits"] = {
            name: sum(last - first for first, last in ranges) for name, ranges in manifest["splits"].items()
        }
        entry["when"] = _iso(finished_at(path / FINISHED_FILE, path / "manifest.json"))
        entry["latents"] = []
        left: list[str] = []
        for folder in folders_in(path / "latents"):
            if not (folder / "manifest.json").is_file():
                left.append(in_use(folder) or f"latents {folder.name} are not finished: facecond encode continues them")
                continue
            digest = latents_of.read_manifest(folder)["first_stage"]
            entry["latents"].append(Latents(first_stage=digest, name=known.runs.get(digest)))
        entry["remark"] = "; ".join(left)

    return _filled(entry, read)


def run_entry(known: Known, path: Path, came_along: bool) -> RunEntry:
    """A run, with what was measured of its weights."""
    entry: RunEntry = {**_entry(path, came_along, (path / "run.json", path / METRICS))}

    def read() -> None:
        if not (path / "run.json").is_file():
            entry["remark"] = in_use(path) or "not a run: it has no run.json"
            return
        content: Mapping[str, Any] = read_run_file(path)
        recorded = check(_Chosen, content["config"], f"{path / 'run.json'}: config")
        choices = content["choices"]
        entry["kind"] = content["kind"]
        entry["model"] = " ".join(choices[group] for group in ("model", "size") if group in choices) or content["kind"]
        told = recorded.get("model", {}).get("conditions", [])
        entry["told"] = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
        pack = known.packs.get(content["sha256 of the pack"])
        entry["pack"], entry["pack_here"] = pack or content["pack_path"], pack is not None
        entry["resolution"], entry["images"] = content["resolution"], recorded["trainer"]["images"]
        words = content.get("overrides", [])
        entry["overrides"] = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
        done = read_done(path) if (path / "done.json").is_file() else None
        entry["finished"] = done is not None
        if done is not None:
            entry["weights"], entry["images_seen"] = done["weights_sha256"], done["images_seen"]
            entry["when"] = _iso(finished_at(path / "done.json", path / "done.json"))
            if entry["weights"] in known.figures:
                entry["figures"] = list(known.figures[entry["weights"]].values())
        if came_along:
            _fill_along(entry)
            return
        last, evaluation = read_last(path)
        if evaluation is not None:
            entry["evaluation"] = _evaluation(evaluation)
        if done is None:
            entry["images_seen"] = last["images_seen"] if last else 0
            entry["remark"] = in_use(path)
            return
        if not (path / WEIGHTS).is_file():
            entry["remark"] = "weights.safetensors is missing; facecond verify says what helps"

    return _filled(entry, read)


def _fill_along(entry: RunEntry) -> None:
    """Put in what the file beside the runs that came with the program says of one: they have no curves and no results."""
    name, _, member = entry["name"].rpartition("-")
    note = Path(entry["path"]).with_name(f"{name}.json")
    if not note.is_file():
        return
    said = read_json(note, _Set)
    if member in said["models"] and (lines := said["models"][member]["evaluations"]):
        entry["evaluation"] = _evaluation(lines[-1])
    if member == find.MEMBERS["diffusion"]:
        entry["figures"] = [value_of(Figure(**each), note.name) for each in said["figures"]]


def _evaluation(line: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures of a line of metrics.jsonl, but those of single classes."""
    return {
        key: finite(value)
        for key, value in line.items()
        if key != "images_seen" and isinstance(value, int | float | None) and not of_class(key)
    }


def samples_entry(known: Known, top: Path, came_along: bool) -> SamplesEntry:
    """One folder of samples or swaps, with a generation or, of several checkpoints, several."""
    made = list(generations_below(top))
    files = [folder / name for folder in made for name in ("generation.json", "records.jsonl")]
    entry: SamplesEntry = {**_entry(top, came_along, files)}

    def read() -> None:
        if not made:
            entry["remark"] = in_use(top) or "no samples: it has no generation.json"
            return
        manifests = [read_generation(folder) for folder in made]
        with_ = [
            check(_MadeWith, manifest["made_with"], f"{folder / 'generation.json'}: made_with")
            for folder, manifest in zip(made, manifests, strict=True)
        ]
        entry["made_with"], entry["weights"] = manifests[-1]["made_with"], with_[-1]["weights"]
        entry["run"] = next((known.runs[each["weights"]] for each in with_ if each["weights"] in known.runs), None)
        entry["asked"] = sum(manifest["count"] for manifest in manifests)
        entry["images"] = sum(map(_pictures, made))
        records = [file for folder in made for file in sorted(folder.glob("records*.jsonl"))]
        record = next((record for file in records for _, record in scan_records(file, PictureRecord)), None)
        if record is not None:
            entry["told"] = list(record["told"])
            if record["source"] is None:
                entry["words"] = "; ".join(str(words) for words in record["description"].values() if words)
        lacking = entry["asked"] - entry["images"]
        entry["remark"] = in_use(top) or (
            f"lacks {lacking} of {entry['asked']} pictures: the command that made it continues it"
            if lacking > 0
            else ""
        )

    return _filled(entry, read)


def _pictures(folder: Path) -> int:
    """How many pictures a generation, or a folder of parsed or edited ones, holds."""
    try:
        with os.scandir(folder / "images") as entries:
            return sum(entry.name.endswith(".png") and not entry.name.startswith(".") for entry in entries)
    except OSError:
        return 0


def results_entry(known: Known, path: Path, came_along: bool) -> ResultsEntry:
    """What a measuring or a comparing command wrote."""
    entry: ResultsEntry = {**_entry(path, came_along, [path / "results.json"])}

    def read() -> None:
        if not (path / "results.json").is_file():
            entry["remark"] = "no results: it has no results.json"
            return
        found = known.results(path / "results.json")
        about = check(_AboutResults, found.about, f"{path / 'results.json'}: about")
        entry["command"] = about.get("command", "eval")
        of = about.get("compared", [digest] if isinstance(digest := made_of(found.about), str) else [])
        entry["runs"] = [known.run(digest) for digest in of]
        entry["figures"] = [value_of(figure, path.name) for figure in found.figures]

    return _filled(entry, read)


def parsed_entry(known: Known, path: Path, came_along: bool) -> ParsedEntry:
    """Photographs that were parsed."""
    entry: ParsedEntry = {**_entry(path, came_along, (path / "parsed.json", path / "records.jsonl"))}

    def read() -> None:
        if not (path / "parsed.json").is_file():
            entry["remark"] = in_use(path) or "no parsed photographs: it has no parsed.json"
            return
        content = read_json(path / "parsed.json", ParsedFile, format=(PARSED_FORMAT, PARSED_VERSION))
        made = check(_Judged, content["made_with"], f"{path / 'parsed.json'}: made_with")
        entry["resolution"], entry["judges"] = made["resolution"], content["judges"]
        entry["pictures"] = _pictures(path)
        entry["has_attributes"] = (path / "attributes.csv").is_file()
        entry["remark"] = in_use(path)

    return _filled(entry, read)


def edits_entry(known: Known, path: Path, came_along: bool) -> EditsEntry:
    """Pictures that were edited."""
    entry: EditsEntry = {**_entry(path, came_along, (path / "edit.json", path / "records.jsonl"))}

    def read() -> None:
        if not (path / "edit.json").is_file():
            entry["remark"] = in_use(path) or "no edited pictures: it has no edit.json"
            return
        content = read_json(path / "edit.json", EditsHead, format=(EDITS_FORMAT, EDITS_VERSION))
        made = check(_Edited, content["made_with"], f"{path / 'edit.json'}: made_with")
        entry["weights"], entry["run"] = made["weights"], known.runs.get(made["weights"])
        entry["method"], entry["strength"] = made["method"], made["strength"]
        entry["made_with"], entry["pictures"] = content["made_with"], _pictures(path)
        entry["remark"] = in_use(path)

    return _filled(entry, read)


def synthesized_entry(known: Known, path: Path, came_along: bool) -> SynthesizedEntry:
    """A synthesized set."""
    entry: SynthesizedEntry = {**_entry(path, came_along, (path / "synthesis.json", path / "records.jsonl"))}

    def read() -> None:
        if not (path / "synthesis.json").is_file():
            entry["remark"] = in_use(path) or "no synthesized faces: it has no synthesis.json"
            return
        head = synthesized.read_head(path)
        weights = check(_MadeWith, head["made_with"], f"{path / 'synthesis.json'}: made_with")["weights"]
        entry["run"], entry["asked"], entry["resolution"] = known.runs.get(weights), head["count"], head["resolution"]
        accepted = [record["accepted"] for _, record in scan_records(path / "records.jsonl", synthesized.FaceRecord)]
        entry["faces"], entry["made"] = sum(accepted), len(accepted)
        whole = (path / "exports.json").is_file()
        entry["forms"] = synthesized.read_exports(path)["forms"] if whole else []
        entry["remark"] = in_use(path) or ("" if whole else "not finished: the command that made it continues it")

    return _filled(entry, read)


def exports_entry(known: Known, path: Path, came_along: bool) -> ExportEntry:
    """An exported folder."""
    entry: ExportEntry = {**_entry(path, came_along, [path / EXPORT_FILE])}

    def read() -> None:
        if not (path / EXPORT_FILE).is_file():
            entry["remark"] = in_use(path) or f"no export: it has no {EXPORT_FILE}"
            return
        content = read_exported(path)
        made = check(_Exported, content["made_with"], f"{path / EXPORT_FILE}: made_with")
        entry["target"], entry["weights"], entry["people"] = made["target"], made["weights"], made["people"]
        entry["run"] = known.runs.get(made["weights"])
        entry["maps"] = made["maps"]["run"] if made["maps"] else None
        entry["made_with"], entry["files"] = content["made_with"], len(content["files"])
        lacking = len(incomplete(path, content))
        entry["remark"] = in_use(path) or (
            f"{lacking} of {entry['files']} files are missing or of another size: facecond verify names them"
            if lacking
            else ""
        )

    return _filled(entry, read)


def reproduced_entry(known: Known, path: Path, came_along: bool) -> ReproducedEntry:
    """A table or figure of the paper, or a study."""
    entry: ReproducedEntry = {**_entry(path, came_along, [path / REPRODUCED_FILE])}

    def read() -> None:
        if not (path / REPRODUCED_FILE).is_file():
            entry["remark"] = f"made by an older version, or not at all: it has no {REPRODUCED_FILE}"
            return
        content = read_reproduced(path)
        entry["title"], entry["words"], entry["finished"] = content["title"], content["words"], content["finished"]
        entry["files"] = [*content["files"]]
        lacking = [name for name in entry["files"] if not inside(path, name, of=REPRODUCED_FILE).is_file()]
        entry["remark"] = (
            "not finished: its command continues it" if not entry["finished"]
            else f"{' and '.join(lacking)} missing: its command writes it again" if lacking
            else ""
        )  # fmt: skip

    return _filled(entry, read)


ENTRIES: dict[str, Callable[[Known, Path, bool], Any]] = {
    "packs": pack_entry,
    "runs": run_entry,
    "samples": samples_entry,
    "results": results_entry,
    "parsed": parsed_entry,
    "edits": edits_entry,
    "synthesized": synthesized_entry,
    "exports": exports_entry,
    "reproduced": reproduced_entry,
}
"""Kind of folder -> what makes the entry of one: of what is known, the folder, and whether it came with the program."""
