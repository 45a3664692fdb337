"""What the files of a run folder hold: run.json, done.json and the lines of metrics.jsonl (docs/formats.md, "runs")."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from facecond.errors import CheckpointError, DataError
from facecond.faces.names import ATTRIBUTES, CLASSES
from facecond.io.documents import Count, Digest, Pixels, Seconds, last_lines, read_json, read_record, read_records

FORMAT, VERSION = "facecond-run", 1

WEIGHTS = "weights.safetensors"
"""File with the weights of a finished run."""

METRICS = "metrics.jsonl"
"""File with a line for every time figures were logged."""

EVALUATION = "evaluation"
"""Kind of the lines that tell of validation items."""

RunFile = TypedDict(
    "RunFile",
    {
        "kind": Literal["diffusion", "maps", "vq", "parser", "classifier"],
        "choices": dict[str, str],
        "config": dict[str, Any],
        "weights_config": dict[str, Any],
        "sha256 of the pack": Digest,
        "sha256 of the first stage": str | None,
        "sha256 of the initial weights": NotRequired[str | None],
        "pack_path": str,
        "resolution": Pixels,
        "code": NotRequired[dict[str, Any]],
        "versions": NotRequired[dict[str, Any]],
    },
)
"""What a run was started with; `config` is checked further against the schema of its kind (facecond.workspace.find)."""


class Done(TypedDict):
    """What a finished training came to."""

    images_seen: Count
    weights_sha256: Digest
    seconds: NotRequired[Seconds]
    finished: NotRequired[str]
    metrics_lines: NotRequired[Count]
    """Lines of metrics.jsonl at the end."""


class Line(TypedDict):
    """What every line of metrics.jsonl holds beside its figures."""

    images_seen: Count
    kind: str


def of_class(key: str) -> bool:
    """Whether a figure of metrics.jsonl is of one part of the face or one attribute alone."""
    return key.endswith(_CLASSES)


_CLASSES = tuple(f"_{name}" for name in (*CLASSES, *ATTRIBUTES))


def read_run_file(run: Path) -> RunFile:
    """What run.json of a run folder holds. Raises CheckpointError when it is missing, damaged or of another version."""
    hint = "the file is damaged or was edited: bring it back, or train again"
    return read_json(run / "run.json", RunFile, format=(FORMAT, VERSION), error=CheckpointError, hint=hint)


def read_lines(run: Path) -> list[Line]:
    """The lines of metrics.jsonl of a run. Raises DataError when one is damaged, and when a finished run had more."""
    file, done = run / METRICS, run / "done.json"
    lines = read_records(file, Line)
    written = read_done(run).get("metrics_lines", 0) if done.is_file() else 0
    if len(lines) < written:
        raise DataError(
            f"{file} has {len(lines)} lines, {written} when the training ended",
            hint="bring the file back; it holds the run's curves",
        )
    return lines


def read_last(run: Path) -> tuple[Line | None, Line | None]:
    """The last line of metrics.jsonl of a run, and its last evaluation, as far as it is among the last; None where there is none.

    What stands before them is not read. Raises DataError when one of the two is damaged.
    """
    file, last = run / METRICS, None
    for line in last_lines(file):
        if last is not None and EVALUATION.encode() not in line:
            continue
        found = read_record(line, Line, f"{file}, a line near its end")
        last = last or found
        if found["kind"] == EVALUATION:
            return last, found
    return last, None


def weights_in(place: Path) -> Path:
    """The file of the weights at `place`, which is a run or the file itself."""
    return place / WEIGHTS if place.is_dir() else place


def read_done(run: Path) -> Done:
    """What done.json of a finished run holds. Raises CheckpointError when it is missing or damaged."""
    hint = "delete the file; the run's training command writes it again"
    return read_json(run / "done.json", Done, error=CheckpointError, hint=hint)


def done_of(run: Path) -> Done | None:
    """What done.json of one run of many holds; None where the run is not finished, or its file is damaged."""
    try:
        return read_done(run) if (run / "done.json").is_file() else None
    except CheckpointError:
        return None
