"""Writes that fail for want of room, each write of a command in turn; then the command is given again."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facecond.errors import FacecondError
from facecond.io.checkpoint import load_weights
from facecond.io.results import read_results
from tests.commands.conftest import TINY, call
from tests.torture.places import digest, use_of
from tests.torture.trials import FOUND, GOOD, HARMLESS, SILENT, TRACEBACK, Trial


def _pack(workspace: Path) -> str:
    return use_of(workspace / "packs" / "drawn" / "manifest.json", workspace)()


def _latents(workspace: Path) -> str:
    return use_of(workspace / "packs" / "second" / "latents" / "x", workspace)()


def _samples(workspace: Path) -> str:
    return use_of(workspace / "samples" / "made" / "generation.json", workspace)()


def _weights(workspace: Path) -> str:
    return load_weights(workspace / "runs" / "new" / "weights.safetensors").sha256


def _figures(workspace: Path) -> str:
    latest = max((workspace / "results").glob("*/results.json"), key=lambda file: file.stat().st_mtime_ns)
    return digest(read_results(latest).figures)


DATED = ("finished.json", ".unaltered.json")
"""Files that say when something was done."""


def _faces(workspace: Path) -> str:
    """Every file of a synthesized set and of its pack, byte for byte; nothing else may lie there."""
    tops = (workspace / "synthesized" / "faces", workspace / "packs" / "faces-3")
    there = [path for top in tops for path in sorted(top.rglob("*")) if path.is_file() and path.name not in DATED]
    return digest(part for path in there for part in (path.relative_to(workspace).as_posix(), path.read_bytes()))


COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[Path], str]]] = {
    "data draw": (("data.count=24", "data.validation=8", "name=drawn", "resolution=64"), _pack),
    "sample": (("run=multicond", "count=3", "sampler.steps=1", "name=made"), _samples),
    "encode": (("pack=second", "first_stage=vq"), _latents),
    "train": (("model=vq", "name=new", "model.network.ch=8", "pack=drawn-64", *TINY), _weights),
    "eval": (("measures=[miou]", "run=multicond", "count=2", "sampler.steps=1"), _figures),
    "synthesize": (
        (
            "run=multicond", "count=3", "batch_size=1", "sampler.steps=1", "name=faces", "least_miou=0", "least_attributes=0",
            "forms=[pack,imagefolder,coco]",  # Croissant metadata say which day it is
        ),
        _faces,
    ),
}  # fmt: skip
"""Command -> its words, and a digest of what it makes."""


def writes(workspace: Path, folder: Path, count: int) -> Iterator[Trial]:
    """Let one write of a command fail, `count` times over all commands; nothing finished may be lost, and again ends the same."""
    start = shutil.copytree(workspace, folder / "start")
    shutil.copytree(start / "packs" / "drawn-64", start / "packs" / "second", ignore=shutil.ignore_patterns("latents"))
    for command, (words, made) in COMMANDS.items():
        whole = shutil.copytree(start, folder / "whole")
        with failing(None) as done:
            call(command, f"workspace={whole}", *words)
        expected, total = made(whole), len(done)
        tries = min(total, -(-count // len(COMMANDS)))
        for turn in range(tries):
            at = turn * total // tries
            yield _tried(command, words, made, start, folder / "tried", at, total, expected)
        shutil.rmtree(whole)


def _tried(
    command: str,
    words: tuple[str, ...],
    made: Callable[[Path], str],
    start: Path,
    place: Path,
    at: int,
    total: int,
    expected: str,
) -> Trial:
    what = f"{command}: write {at + 1} of {total} fails"
    shutil.copytree(start, place)
    try:
        with failing(at):
            call(command, f"workspace={place}", *words)
        outcome, said = HARMLESS, "a folder that could not be flushed: its file is whole all the same"
    except FacecondError as error:
        said = str(error)
        outcome = FOUND if "the disk is full" in said and str(place) in said and "\n" not in said else TRACEBACK
    except Exception as error:  # would be a traceback for the user
        outcome, said = TRACEBACK, f"{type(error).__name__}: {error}"
    if outcome in GOOD:
        try:
            call(command, f"workspace={place}", *words)
            if made(place) != expected:
                outcome, said = SILENT, "the command given again made something else"
        except Exception as error:  # the command cannot be given again
            outcome, said = TRACEBACK, f"again: {type(error).__name__}: {error}"
    shutil.rmtree(place)
    return Trial(what, outcome, said)


@contextmanager
def failing(at: int | None) -> Iterator[list[int]]:
    """Let the flush that comes after `at` others say that the disk is full; collects all flushes."""
    done: list[int] = []
    flush = os.fsync

    def counted(descriptor: int) -> None:
        done.append(descriptor)
        if at is not None and len(done) == at + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counted)
        yield done
