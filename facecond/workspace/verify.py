"""Reads every file of a workspace again and compares it with what vouches for it; mends what can be made from what is whole.

Each kind of folder is known by the file that marks it. Its checker yields one `Finding` per file that is damaged, altered or
missing; files that nothing vouches for (written by older versions) are read as far as they can be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from facecond.errors import CheckpointError, DataError, FacecondError
from facecond.io.arrays import GAUSSIAN, Vouched, open_array, require_unaltered
from facecond.io.documents import read_json
from facecond.io.files import apart, inside, require_sha256, sha256_file
from facecond.io.runs import WEIGHTS
from facecond.progress import bar
from facecond.workspace.kinds import KINDS
from facecond.workspace.lost import lost_markers


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is the matter with one file."""

    path: Path
    what: str
    """What was found and what was expected."""
    todo: str
    """What helps."""
    mend: Callable[[], None] | None = None
    """Makes the file again from others that are whole; None where that is not possible."""
    folder: Path
    """What the file belongs to; held while it is mended."""


@dataclass(slots=True)
class Report:
    """What was read, and what was found."""

    files: set[Path] = field(default_factory=set)
    """Those that were compared."""
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Path] = field(default_factory=list)
    """Files that nothing vouches for: written by a version that noted no hash."""
    _said: set[tuple[Path, str]] = field(default_factory=set)

    def read(self, path: Path) -> None:
        """Note a file that is compared."""
        if path not in self.files:
            self.files.add(path)
            self.bytes += path.stat().st_size if path.is_file() else 0

    def add(
        self, path: Path, reason: FacecondError, mend: Callable[[], None] | None = None, folder: Path | None = None
    ) -> None:
        """Note what a reader said of a file, which belongs to `folder` (else the one it lies in)."""
        what = reason.message.removeprefix(f"{path}: ").removeprefix(f"{path} ")
        todo = reason.hint or "bring the file back"
        if (path, what) in self._said:  # of places one within the other
            return
        self._said.add((path, what))
        self.findings.append(Finding(path=path, what=what, todo=todo, mend=mend, folder=folder or path.parent))

    def check(
        self, path: Path, read: Callable[..., object], *of: object, mend: Callable[[], None] | None = None
    ) -> bool:
        """Let `read(*of)` look at a file; whether it raised nothing."""
        try:
            self.read(path)
            read(*of)
        except FacecondError as reason:
            self.add(path, reason, mend)
            return False
        except OSError as reason:
            self.add_unreadable(path, reason)
            return False
        return True

    def add_unreadable(self, path: Path, reason: OSError) -> None:
        """Note what the operating system said of a file or folder."""
        self.add(path, DataError(_message(reason), hint=_UNREADABLE))


def _message(reason: DataError | OSError) -> str:
    """What a reader, or the operating system, said of a file."""
    if isinstance(reason, DataError):
        return reason.message
    where = "" if reason.filename is None else f"{os.fsdecode(reason.filename)}: "
    return f"{where}cannot be read: {reason.strerror or reason}"


_UNREADABLE = "look at its permissions and at the disk; else delete it, and give the command that made it again"


Checker = Callable[[Path, Report], None]
"""Adds what is the matter with a folder to a report."""


def verify(places: Iterable[Path]) -> Report:
    """Check the folders `places` with all that lies below them, and single files of weights.

    Raises DataError for a place that does not exist.
    """
    report, work = Report(), list[tuple[Path, list[Checker]]]()
    for place in places:
        if not place.exists():
            raise DataError(f"{place}: no such file or folder", hint="name a workspace, or something in it")
        if place.is_file() and place.suffix != ".safetensors":
            raise DataError(
                f"{place} is checked with its folder", hint="name the run, pack or other folder it belongs to"
            )
        work += _below(place, report) if place.is_dir() else [(place, [_weights])]
        for file in lost_markers(place, report.add_unreadable):
            report.add(file, DataError("is missing", hint=_UNMARKED))
    with bar("checking", len(work), unit="folder") as progress:
        for place, checkers in work:
            progress.note(place.name)
            for check in checkers:
                try:
                    check(place, report)
                except OSError as reason:
                    report.add_unreadable(place, reason)
                except FacecondError as reason:
                    report.add(place, reason)
            progress.update(1)
    return report


def _below(folder: Path, report: Report) -> Iterator[tuple[Path, list[Checker]]]:
    """The folders that are known by a file or their name, and how they are checked; links are not followed."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
            folders = [each for each in found if each.is_dir(follow_symlinks=False) and not each.name.startswith(".")]
    except OSError as reason:
        report.add_unreadable(folder, reason)
        return
    names = {each.name for each in found}
    checkers = [check for marker, check in MARKED.items() if marker in names]
    checkers += [check for name, check in NAMED.items() if folder.name == name]
    if checkers:
        yield folder, checkers
    own = SUBFOLDERS if checkers else ()
    for each in folders:
        if each.name not in own:
            yield from _below(Path(each.path), report)


_UNMARKED = "bring it back: without it nothing of the folder is used; or delete the folder, and give its command again"

SUBFOLDERS = {folder for kind in KINDS.values() for folder in kind.own}
"""Folders that are checked with the one they belong to."""


def _arrays(folder: Path, hashes: dict[str, str], report: Report, todo: str) -> None:
    compare = partial(require_unaltered, folder, again=True, hint=todo)
    for name, digest in hashes.items():
        report.check(folder / name, compare, {name: digest})


def _pack(folder: Path, report: Report) -> None:
    from facecond.data.pack import Pack, read_manifest

    file = folder / "manifest.json"
    if report.check(file, read_manifest, folder):
        before = len(report.findings)
        _arrays(folder, read_manifest(folder)["sha256"], report, "pack or draw the faces again, under another name")
        if len(report.findings) == before:
            report.check(file, Pack.open, folder)


def _latents(folder: Path, report: Report) -> None:
    from facecond.data.latents import HASH_DIGITS, LatentStore, Manifest

    file = folder / "manifest.json"
    todo = "delete the folder, and encode again"
    try:
        hashes = read_json(file, Manifest, hint=todo)["sha256"]
    except FacecondError as reason:
        report.add(file, reason)
        return
    _arrays(folder, hashes, report, todo)
    if len(folder.name) >= HASH_DIGITS:
        report.check(file, LatentStore.open, folder.parent.parent, folder.name)


def _run(folder: Path, report: Report) -> None:
    from facecond.io.checkpoint import find_states, load_state
    from facecond.io.images import read_image
    from facecond.io.runs import METRICS, read_done, read_lines
    from facecond.workspace.find import read_run

    report.check(folder / "run.json", read_run, folder)
    if (folder / METRICS).exists() or (folder / "done.json").exists():
        report.check(folder / METRICS, read_lines, folder)
    for grid in sorted((folder / "grids").glob("*.png")):
        report.check(grid, read_image, grid)
    for file in sorted((folder / "snapshots").glob("*.safetensors")):
        _weights(file, report)
    for state in find_states(folder / "checkpoints"):
        report.check(state / "manifest.json", load_state, state)
    weights, done = folder / WEIGHTS, folder / "done.json"
    if done.is_file() and report.check(done, read_done, folder):
        report.check(weights, _same_weights, weights, read_done(folder)["weights_sha256"], _AGAIN)
    elif weights.is_file():
        _weights(weights, report)


_AGAIN = "delete it and done.json, give the training command again: the last checkpoint is taken up, and both are written anew"


def _same_weights(file: Path, expected: str, hint: str) -> None:
    """Raise CheckpointError when a file of weights is missing, or not the one with this SHA-256."""
    if not file.is_file():
        raise CheckpointError("is missing", hint=hint)
    if (found := sha256_file(file)) != expected:
        seen, said = apart(found, expected)
        raise CheckpointError(f"its SHA-256 is {seen}, when it was written it was {said}", hint=hint)


def _weights(file: Path, report: Report) -> None:
    from facecond.io.checkpoint import load_weights

    report.check(file, load_weights, file)


def _first_stages(folder: Path, report: Report) -> None:
    """The folder of the first stages a workspace keeps."""
    from facecond.workspace.find import KeptNote

    for note in sorted(folder.glob("*.json")):
        file = note.with_suffix(".safetensors")
        if not report.check(note, read_json, note, KeptNote):
            continue
        hint = "delete it, then name its origin again: facecond encode first_stage=FILE"
        report.check(file, _same_weights, file, read_json(note, KeptNote)["sha256"], hint)


def _generation(folder: Path, report: Report) -> None:
    from facecond.io.images import digest_of_pixels, read_image
    from facecond.sampling.folder import GenerationFolder, RecordIndex, read_manifest, read_values

    if not report.check(folder / "generation.json", read_manifest, folder):
        return
    if not report.check(folder / "records.jsonl", RecordIndex, folder):
        return
    manifest, known = read_manifest(folder), RecordIndex(folder)
    array = folder / "images.npy"
    rows = None
    if array.is_file() and manifest["image_shape"]:
        shape = (None, *manifest["image_shape"])
        if report.check(array, partial(open_array, hint=_FROM_PNGS), array, np.uint8, shape, mend=array.unlink):
            rows = open_array(array, np.uint8, shape)
    wrong: list[int] = []
    told: set[str] = set()
    for index in known:
        record, png = known[index], folder / "images" / f"{index:06d}.png"
        report.read(png)
        for each in record["told"].values():
            file = folder / each["value"]
            if each["value"].startswith("conditions/") and each["value"] not in told:
                told.add(each["value"])
                report.check(file, read_values, folder, record)
        expected = record.get("pixels")
        if expected is None:
            report.unchecked.append(png)
        row = rows is not None and index < len(rows) and digest_of_pixels(rows[index]) == expected
        try:
            seen = digest_of_pixels(read_image(png))
            if expected is not None and seen != expected:
                raise DataError("its pixels are not those its record vouches for", hint=_SAMPLE_AGAIN)
        except (DataError, OSError) as reason:
            picture = np.array(rows[index]) if row and rows is not None else None
            can = picture is not None or png.is_file()
            report.add(
                png, DataError(_message(reason), hint=_SAMPLE_AGAIN), folder=folder,
                mend=partial(_again, png, picture) if can else None,
            )  # fmt: skip
        else:
            if rows is not None and expected is not None and not row:
                wrong.append(index)
    if wrong:

        def mend() -> None:
            store = GenerationFolder(
                folder, made_with=manifest["made_with"], about=manifest["about"], count=manifest["count"]
            )
            store.prepare_array(tuple(manifest["image_shape"] or ()))
            store.mend_array(again=True)

        what = f"rows {', '.join(map(str, wrong[:5]))}{', ...' if len(wrong) > 5 else ''} are not those of their PNGs"
        report.add(array, DataError(what, hint=_FROM_PNGS), mend=mend)


_FROM_PNGS = "delete it: it is made again from the PNGs"
_SAMPLE_AGAIN = "delete it: the command that sampled it makes it again"


def _again(png: Path, picture: np.ndarray | None) -> None:
    """Write a picture from its row of images.npy; without one delete it, so that sampling makes it again."""
    from facecond.io.images import write_png

    if picture is None:
        png.unlink(missing_ok=True)
    else:
        write_png(png, picture)


def _compare(
    read: Callable[[Path], np.ndarray], folder: Path, kind: str, name: str, expected: str | None, hint: str
) -> None:
    """Raise DataError when the pixels of picture `name` of a record are not the `expected` ones, or it is out of the folder."""
    from facecond.io.images import digest_of_pixels

    path = inside(folder / kind, f"{name}.png", of=f"a record of {folder}, name")
    if digest_of_pixels(read(path)) != expected and expected is not None:
        raise DataError("its pixels are not those its record vouches for", hint=hint)


def _parsed(folder: Path, report: Report) -> None:
    from facecond.io.documents import read_records
    from facecond.io.images import read_image, read_label_map
    from facecond.photos.folder import FORMAT, VERSION, Parsed, PhotoRecord

    file, records = folder / "parsed.json", folder / "records.jsonl"
    report.check(file, partial(read_json, format=(FORMAT, VERSION)), file, Parsed)
    if not report.check(records, read_records, records, PhotoRecord):
        return
    for record in read_records(records, PhotoRecord):
        for kind, key, read in (("images", "pixels", read_image), ("labels", "label_pixels", read_label_map)):
            path, expected = folder / kind / f"{record['name']}.png", record.get(key)
            if expected is None:
                report.unchecked.append(path)
            report.check(path, _compare, read, folder, kind, record["name"], expected, _PARSE_AGAIN)


_PARSE_AGAIN = "delete it: facecond parse makes it again"


def _edits(folder: Path, report: Report) -> None:
    from facecond.io.documents import read_records
    from facecond.io.images import read_image
    from facecond.photos.edited import FORMAT, VERSION, EditRecord, EditsHead, read_region

    file, records = folder / "edit.json", folder / "records.jsonl"
    report.check(file, partial(read_json, format=(FORMAT, VERSION)), file, EditsHead)
    if not report.check(records, read_records, records, EditRecord):
        return
    for record in read_records(records, EditRecord):
        for kind, digest, read in (
            ("images", record["pixels"], read_image), ("regions", record.get("region_pixels"), read_region),
        ):  # fmt: skip
            path = folder / kind / f"{record['name']}.png"
            if digest is not None:  # there was a time without regions
                report.check(path, _compare, read, folder, kind, record["name"], digest, _EDIT_AGAIN)


_EDIT_AGAIN = "delete it: facecond edit makes it again"


def _synthesis(folder: Path, report: Report) -> None:
    from facecond.io.documents import read_records
    from facecond.synthesized.folder import AGAIN, FaceRecord, files_of, read_exports, read_face, read_head

    records = folder / "records.jsonl"
    report.check(folder / "synthesis.json", read_head, folder)
    if not report.check(records, read_records, records, FaceRecord):
        return
    for record in read_records(records, FaceRecord):
        files = files_of(folder, record)
        for file in files[1:]:
            report.read(file)
        report.read(files[0])
        try:
            read_face(folder, record)
        except (DataError, OSError) as reason:
            said = _message(reason)
            report.add(next((each for each in files if str(each) in said), files[0]), DataError(said, hint=AGAIN))
    exports = folder / "exports.json"
    if exports.is_file() and report.check(exports, read_exports, folder):
        for place, digest in read_exports(folder)["sha256"].items():
            report.check(folder / place, _same, folder, place, f"{exports}, sha256", digest)


def _same(folder: Path, place: str, of: str, digest: str) -> None:
    """Raise DataError when a file is missing, not the one that was written, or out of the folder."""
    hint = "delete it and exports.json: facecond synthesize writes both again"
    require_sha256(inside(folder, place, of=of), digest, hint=hint)


def _export(folder: Path, report: Report) -> None:
    from facecond.io.exported import EXPORT_FILE, compare, read_exported

    if not report.check(folder / EXPORT_FILE, read_exported, folder):
        return
    recorded = read_exported(folder)["files"]
    for name, each in recorded.items():
        report.check(folder / name, compare, folder, name, each)
    known = {folder / name for name in (*recorded, EXPORT_FILE)}
    report.unchecked += [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in known]


def _reproduced(folder: Path, report: Report) -> None:
    from facecond.io.reproduced import REPRODUCED_FILE, compare, read_reproduced

    if report.check(folder / REPRODUCED_FILE, read_reproduced, folder):
        for name, digest in read_reproduced(folder)["files"].items():
            report.check(folder / name, compare, folder, name, digest)


def _results(folder: Path, report: Report) -> None:
    from facecond.io.results import read_results

    report.check(folder / "results.json", read_results, folder / "results.json")


def _features(folder: Path, report: Report) -> None:
    """The folder of what detectors said."""

    def compare(file: Path, note: Path) -> None:
        open_array(file, np.float64 if file.stem.endswith(GAUSSIAN) else np.float32)
        if note.is_file():
            require_unaltered(folder, {file.name: read_json(note, Vouched)["sha256"]}, again=True)
        else:
            report.unchecked.append(file)

    for file in sorted(folder.glob("[!.]*.npy")):
        report.check(file, compare, file, file.with_suffix(".json"), mend=file.unlink)


def _finished(folder: Path, report: Report) -> None:
    """A folder of arrays with a manifest: latents where they lie, else a pack."""
    if (folder / "state.json").is_file():
        from facecond.io.checkpoint import load_state

        report.check(folder / "manifest.json", load_state, folder)
    else:
        (_latents if folder.parent.name == "latents" else _pack)(folder, report)


CHECKERS: dict[str, Checker] = {
    "packs": _finished,
    "runs": _run,
    "samples": _generation,
    "results": _results,
    "parsed": _parsed,
    "edits": _edits,
    "synthesized": _synthesis,
    "exports": _export,
    "reproduced": _reproduced,
}
"""Kind of folder -> its checker."""

MARKED = {kind.marker: CHECKERS[name] for name, kind in KINDS.items()}
"""File that marks a folder -> its checker."""

NAMED: dict[str, Checker] = {"first_stages": _first_stages, "features": _features}
"""Name of a folder of a workspace that no file marks -> its checker."""
