"""What a workspace holds, from what its folders say of themselves: packs, runs, generations, results, parsed photographs,
edited pictures, synthesized sets, exports.

Manifests are read, and of records and curves a line or two; pictures, arrays and weights are only counted. What is damaged, of
another version or not of this program's making is an entry with a remark. Nothing is written.

The types below are what `facecond runs --json` prints (docs/formats.md, "inventory").
"""

import math
import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NotRequired, TypeVar

from typing_extensions import TypedDict

from facecond.data import latents as latents_of
from facecond.data.arrays import FINISHED_FILE, SIDE_FILE
from facecond.data.pack import read_manifest as read_pack
from facecond.errors import DataError, FacecondError
from facecond.io.documents import (
    Count,
    Digest,
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
from facecond.io.files import sha256_file
from facecond.io.lock import owner
from facecond.io.results import Figure, Results, read_results
from facecond.io.runs import METRICS, of_class, read_done, read_last, read_run_file
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
from facecond.workspace.belonging import SAMPLED, folders_in, generations_below, made_of

FORMAT, VERSION = "facecond-inventory", 1

Kind = Literal["diffusion", "maps", "vq", "parser", "classifier"]

PARTS = ("packs", "runs", "samples", "results", "parsed", "edits", "synthesized", "exports")
"""What there is, by the folder of a workspace it lies in (`samples` stands for swaps too)."""


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


class Other(TypedDict):
    """A folder or file of the workspace that is none of these."""

    name: str
    bytes: Count


class Inventory(TypedDict):
    """A workspace, each list with the newest first and what came with the program last."""

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
    others: list[Other]
    bytes: Count
    """Of all that is listed and did not come with the program."""


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


def take(
    workspace: str, *, parts: Collection[str] = PARTS, kind: str | None = None, words: Sequence[str] = ()
) -> Inventory:
    """List what is in `parts` of a workspace and has all of `words` in its name, in any case; of runs those of one `kind`, or all.

    Without any of these, what else lies in the workspace is listed too. Raises DataError when `workspace` is a file.
    """
    here = Path(workspace)
    if here.exists() and not here.is_dir():
        raise DataError(f"{workspace} is a file", hint="a workspace is a folder: workspace=DIR")
    known = _Known(workspace)

    def listed(part: str, places: Iterable[Path], along: Iterable[Path], of: Callable[[Path, bool], E]) -> list[E]:
        if part not in parts:
            return []
        own = list(places)
        named = {path.name for path in own}
        both = [(path, False) for path in own] + [(path, True) for path in along if path.name not in named]
        found = [of(*each) for each in both if all(word.lower() in each[0].name.lower() for word in words)]
        return sorted(found, key=lambda entry: (not entry["came_along"], entry["when"], entry["name"]), reverse=True)

    sampled = [top for each in SAMPLED for top in folders_in(here / each)]
    runs = listed("runs", folders_in(here / "runs"), known.runs_along, partial(_run, known))
    inventory = Inventory(
        format=FORMAT, version=VERSION, workspace=workspace,
        packs=listed("packs", folders_in(here / "packs"), known.packs_along, partial(_pack, known)),
        runs=[run for run in runs if kind is None or run.get("kind") == kind],
        samples=listed("samples", sampled, (), partial(_generation, known)),
        results=listed("results", folders_in(here / "results"), (), partial(_measured, known)),
        parsed=listed("parsed", folders_in(here / "parsed"), (), _photographs),
        edits=listed("edits", folders_in(here / "edits"), (), partial(_edited, known)),
        synthesized=listed("synthesized", folders_in(here / "synthesized"), (), partial(_synthesized, known)),
        exports=listed("exports", folders_in(here / "exports"), (), partial(_exported, known)),
        others=[], bytes=0,
    )  # fmt: skip
    if set(parts) == set(PARTS) and not words:
        inventory["others"] = [
            Other(name=path.name, bytes=size_of(path))
            for path in sorted(here.glob("[!.]*"))
            if path.name not in (*PARTS, *SAMPLED)
        ]
    entries: list[Entry] = [*inventory["packs"], *inventory["runs"], *inventory["samples"], *inventory["results"]]
    entries += [*inventory["parsed"], *inventory["edits"], *inventory["synthesized"], *inventory["exports"]]
    own = [entry for entry in entries if not entry["came_along"] and not Path(entry["path"]).is_symlink()]
    inventory["bytes"] = sum(entry["bytes"] for entry in own) + sum(each["bytes"] for each in inventory["others"])
    return inventory


def size_of(place: Path) -> int:
    """Bytes of a file, or of all files below a folder; links in it are not followed, what may not be looked at counts nothing."""
    if place.is_file():
        return place.stat().st_size
    total, left = 0, [str(place)]
    while left:
        with suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    with suppress(OSError):  # deleted while we look
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def in_use(folder: Path) -> str:
    """Who writes into a folder now; "" for nobody. Of another machine's process it is not known whether it is still there."""
    by = owner(folder)
    if by is None or (by.host == socket.gethostname() and not _is_alive(by.pid)):
        return ""
    return f"{IN_USE} {by}"


IN_USE = "in use by"
"""How the remark on a folder begins that another process writes into."""


def _is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; where that cannot be asked, it may."""
    if os.name == "posix":
        with suppress(PermissionError, OverflowError):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
    return True


class _Known:
    """What names mean: packs by the SHA-256 of their manifests, runs by that of their weights; and what was measured of runs."""

    def __init__(self, workspace: str) -> None:
        here = Path(workspace)
        self.packs_along = [place for name in find.SETS if (place := find.bundled_pack(name))]
        self.runs_along = [run for kind in find.MEMBERS for run in find.bundled_runs(kind)]
        self.packs: dict[str, str] = {}
        for path in [*folders_in(here / "packs"), *self.packs_along]:
            with suppress(DataError, OSError):  # said of the entry itself
                self.packs.setdefault(sha256_file(path / "manifest.json"), path.name)
        self.runs: dict[str, str] = {}
        for path in [*folders_in(here / "runs"), *self.runs_along]:
            if digest := _weights_of(path):
                self.runs.setdefault(digest, path.name)
        self._results: dict[Path, Results | DataError] = {}
        self.figures: dict[str, dict[str, Value]] = {}
        """Weights -> name of a figure -> the newest."""
        files = [file for path in folders_in(here / "results") if (file := path / "results.json").is_file()]
        for file in sorted(files, key=lambda file: file.stat().st_mtime_ns):
            with suppress(DataError):
                found = self.results(file)
                if isinstance(digest := made_of(found.about), str):
                    values = {figure.name: _value(figure, file.parent.name) for figure in found.figures}
                    self.figures.setdefault(digest, {}).update(values)

    def results(self, file: Path) -> Results:
        """What results.json holds, read once. Raises DataError when it cannot be read."""
        if file not in self._results:
            try:
                self._results[file] = read_results(file)
            except DataError as reason:
                self._results[file] = reason
        found = self._results[file]
        if isinstance(found, DataError):
            raise found
        return found

    def run(self, weights: str) -> str:
        """The run that has these weights, or the first digits of their SHA-256."""
        return self.runs.get(weights, weights[: latents_of.HASH_DIGITS])


def _weights_of(run: Path) -> str | None:
    try:
        return read_done(run)["weights_sha256"] if (run / "done.json").is_file() else None
    except FacecondError:
        return None


def _value(figure: Figure, named: str) -> Value:
    return Value(
        name=figure.name, title=figure.heading, value=_finite(figure.value), spread=_finite(figure.spread), unit=figure.unit,
        better=figure.better, count=figure.count, results=named,
    )  # fmt: skip


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


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


def _pack(known: _Known, path: Path, came_along: bool) -> PackEntry:
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


def _run(known: _Known, path: Path, came_along: bool) -> RunEntry:
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
        if not (path / "weights.safetensors").is_file():
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
        entry["figures"] = [_value(Figure(**each), note.name) for each in said["figures"]]


def _evaluation(line: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures of a line of metrics.jsonl, but those of single classes."""
    return {
        key: _finite(value)
        for key, value in line.items()
        if key != "images_seen" and isinstance(value, int | float | None) and not of_class(key)
    }


def _generation(known: _Known, top: Path, came_along: bool) -> SamplesEntry:
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


def _measured(known: _Known, path: Path, came_along: bool) -> ResultsEntry:
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
        entry["figures"] = [_value(figure, path.name) for figure in found.figures]

    return _filled(entry, read)


def _photographs(path: Path, came_along: bool) -> ParsedEntry:
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


def _edited(known: _Known, path: Path, came_along: bool) -> EditsEntry:
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


def _synthesized(known: _Known, path: Path, came_along: bool) -> SynthesizedEntry:
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


def _exported(known: _Known, path: Path, came_along: bool) -> ExportEntry:
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
