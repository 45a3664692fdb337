"""From a source of faces to a pack: read in parallel, written as it comes, continued after an interruption.

Worker processes read and resize; this process alone writes. The pack does not depend on the number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from facecond.data.arrays import SIDE_FILE
from facecond.data.pack import Finding, Pack, PackWriter, derive, read_manifest
from facecond.data.source import Items, Source
from facecond.errors import DataError
from facecond.faces.checks import PROBLEMS
from facecond.progress import bar
from facecond.stopping import STOPPING

Piece = tuple[Items, dict[str, NDArray[Any]]]
"""Items, and what conditions derive from them."""

LEAST_PIECES = 4
"""Pieces for each process beside this one: starting one takes as long as reading about so many."""

HOPELESS = 256
"""When none of this many items can be used, the source is not what it was declared to be."""


def pack_source(source: Source, path: str | Path, resolution: int, workers: int = 0, *, chunk: int = 32) -> Pack:
    """Write every item of `source` into the pack `path` at `resolution` pixels, and return it.

    A finished pack of the same source is returned as it is; a begun one is continued. `workers` processes, or fewer where
    there is little to read, read `chunk` items at a time (0: one per core, 1: none beside this one). Items with problems are
    listed in the manifest; those that cannot be used belong to no split. Raises DataError when the folder belongs to other work or
    when no item can be used.
    """
    folder = Path(path)
    if (folder / "manifest.json").exists():
        return _finished(source, folder, resolution)
    writer = PackWriter(folder, count=len(source), resolution=resolution, source=source.describe())
    pieces = writer.missing(chunk)
    unusable: Counter[str] = Counter()
    seen = failed = 0
    with bar(f"packing {folder.name}", len(source), initial=writer.done) as progress:
        for rows, (items, derived) in _read(source, pieces, resolution, workers or cores()):
            excluded = [
                rows.start + place
                for place, problems in enumerate(items.problems)
                if any(problem.unusable for problem in problems)
            ]
            findings = [
                Finding(source.ids[rows.start + place], problem.name, problem.detail)
                for place, problems in enumerate(items.problems)
                for problem in problems
            ]
            unusable.update(problem.name for problems in items.problems for problem in problems if problem.unusable)
            seen, failed = seen + rows.stop - rows.start, failed + len(excluded)
            if failed == seen and seen >= min(HOPELESS, len(source)):
                name, _ = unusable.most_common(1)[0]
                example = next(finding for finding in findings if finding.problem == name)
                raise DataError(
                    f"none of the first {seen} items can be used: {PROBLEMS.get(name, name)}; "
                    f"for example {example.id}: {example.detail}",
                    hint="see that the data, and its class order, are what the configuration says",
                )
            writer.write(rows, *items[:3], derived, findings=findings, excluded=excluded)
            progress.update(rows.stop - rows.start)
    return writer.finish(source.ids, source.splits, source.findings, notes=_notes(writer.findings, len(source)))


def _notes(findings: Sequence[Finding], count: int) -> list[str]:
    """Return sentences about what concerns the pack as a whole."""
    odd = {
        name: {f.id for f in findings if f.problem == name}
        for name in ("swapped_sides", "misplaced_parts", "missing_part")
    }
    number = len(set().union(*odd.values()))
    if number <= count // 2:
        return []
    most = max(odd, key=lambda name: len(odd[name]))
    return [
        f"{number} of {count} label maps do not look like faces, mostly: {PROBLEMS[most]}; "
        "is the class order what it was declared to be, and are the pictures not mirrored?"
    ]


def _finished(source: Source, folder: Path, resolution: int) -> Pack:
    """Return the pack that is there already. Raises DataError when it was made from something else."""
    pack = Pack.open(folder)
    expected, found = {**source.describe(), "resolution": resolution}, _made_from(pack.manifest)
    _compare(folder, [*expected, *found], expected, found)
    (folder / SIDE_FILE).unlink(missing_ok=True)
    return pack


def check_place(path: str | Path, resolution: int, known: Mapping[str, Any]) -> None:
    """Raise DataError when the folder `path` is a finished pack of another resolution, or of a source that differs in what is
    `known` of it (keys of `Source.describe`) before there is one.
    """
    if (Path(path) / "manifest.json").exists():
        expected = {**known, "resolution": resolution}
        _compare(Path(path), [*expected], expected, _made_from(read_manifest(Path(path))))


def _made_from(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {**manifest["source"], "resolution": manifest["resolution"]}


def _compare(folder: Path, keys: Sequence[str], expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    for key in keys:
        if expected.get(key) != found.get(key):
            raise DataError(
                f"{folder} is a finished pack with {key}={found.get(key)!r}, not {expected.get(key)!r}",
                hint="choose another name, or delete the folder",
            )


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(source: Source, pieces: Sequence[slice], resolution: int, workers: int) -> Iterator[tuple[slice, Piece]]:
    """Yield every piece with its items, in the order in which they get ready."""
    workers = min(workers, len(pieces) // LEAST_PIECES)
    if workers <= 1:
        for rows in pieces:
            yield rows, _derived(source.read_many(range(rows.start, rows.stop), resolution))
        return
    # A fresh interpreter per worker: forking a process that has threads (torch's, a progress bar's) can hang.
    executor = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(source, resolution)
    )
    waiting: dict[Future[Piece], slice] = {}
    queue = iter(pieces)
    try:
        for rows in queue:
            waiting[executor.submit(_read_piece, rows.start, rows.stop)] = rows
            if len(waiting) >= 2 * workers:
                break
        while waiting:
            ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                done = waiting.pop(future)
                for rows in queue:
                    waiting[executor.submit(_read_piece, rows.start, rows.stop)] = rows
                    break
                yield done, future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


_work: list[tuple[Source, int]] = []
"""What this worker process reads from; set once when it starts."""


def _start_worker(source: Source, resolution: int) -> None:
    for number in STOPPING:  # the parent answers for all
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    _work[:] = [(source, resolution)]


def _leave_with(parent: BaseProcess) -> None:
    """End this worker when the parent is gone, even if it was killed."""
    parent.join()
    os._exit(1)


def _read_piece(start: int, stop: int) -> Piece:
    source, resolution = _work[0]
    return _derived(source.read_many(range(start, stop), resolution))


def _derived(items: Items) -> Piece:
    return items, derive(items.images_NHWC, items.labels_NHW)
