"""A workspace with one of everything, and for each of its files how the program uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from facecond.errors import DataError

FOR_PEOPLE = {".md", ".csv", ".tex", ".html", ".lock", ".owner"}
"""Endings of files that no command reads."""


def files(workspace: Path) -> list[Path]:
    """The files that commands read."""
    return [
        path for path in sorted(workspace.rglob("*"))
        if path.is_file() and "tensorboard" not in path.parts and path.suffix not in FOR_PEOPLE
        and path.name not in ("grid.png", "sheet.png") and not path.name.startswith(".")
    ]  # fmt: skip


def use_of(path: Path, workspace: Path) -> Callable[[], str]:
    """What the program does with the folder a file belongs to; gives a digest of everything it got from there."""
    kind, *rest = path.relative_to(workspace).parts
    folder = workspace / kind / rest[0]
    if kind == "packs":
        return lambda: _pack(folder, "latents" in rest)
    if kind == "runs":
        return lambda: _run(folder, path)
    if kind == "samples":
        return lambda: _generation(folder)
    if kind == "results":
        return lambda: _results(folder / "results.json")
    if kind == "parsed":
        return lambda: _parsed(folder)
    if kind == "exports":
        return lambda: _exported(folder)
    if kind in ("edits", "synthesized"):
        return lambda: _vouched(folder)
    return lambda: _features(path.with_suffix(".npy"))


def digest(parts: Iterable[Any]) -> str:
    """SHA-256 of arrays, tensors and values."""
    found = hashlib.sha256()
    for part in parts:
        if hasattr(part, "detach"):
            part = part.detach().cpu().contiguous().flatten().view(_bytes()).numpy() if part.numel() else ""
        found.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return found.hexdigest()


def _bytes() -> Any:
    import torch

    return torch.uint8


def _without(content: Any, *keys: str) -> dict[str, Any]:
    return {key: content[key] for key in sorted(content) if key not in keys}


def _pack(folder: Path, latents: bool) -> str:
    from facecond.data.latents import LatentStore
    from facecond.data.pack import Pack

    pack = Pack.open(folder)
    parts: list[Any] = [np.asarray(pack.arrays[name]) for name in sorted(pack.arrays)]
    parts += [pack.splits, pack.ids, _without(pack.manifest)]
    if latents:
        for store in (LatentStore.open(folder, name) for name in LatentStore.available(folder)):
            parts += [
                np.asarray(store.latents),
                np.asarray(store.latents_flipped),
                store.mean,
                store.std,
                store.first_stage,
            ]
    return digest(parts)


def _run(folder: Path, path: Path) -> str:
    """What sampling, judging or encoding with the run, showing it and continuing it would have."""
    from facecond.io.checkpoint import load_state, load_weights
    from facecond.io.images import read_image
    from facecond.io.runs import RunFile, read_done, read_lines
    from facecond.workspace.find import read_run

    run, done = read_run(folder), read_done(folder)
    known = [key for key in sorted(RunFile.__annotations__) if key in run.content]
    parts: list[Any] = [{key: dict(run.content)[key] for key in known}, done["images_seen"], done["weights_sha256"]]
    if path.parent.name == "grids":
        return digest([read_image(path)])
    if path.parent.name == "snapshots":
        return digest(_tensors(load_weights(path)))
    if "checkpoints" in path.parts:
        state = load_state(path.parent)
        return digest([state.values, *(part for group in sorted(state.groups) for part in _named(state.groups[group]))])
    if path.name == "metrics.jsonl":
        lines = [dict(line) for line in read_lines(folder)]  # figures are numbers; a checksum without its name is none
        return digest([{k: v for k, v in line.items() if k == "kind" or not isinstance(v, str)} for line in lines])
    return digest([*parts, *_tensors(_weights(folder, run.kind))])


def _weights(folder: Path, kind: str) -> Any:
    """Load a run's weights as the command would that uses them."""
    import torch

    from facecond.assembly.first_stage import load_first_stage
    from facecond.assembly.generator import load_generator
    from facecond.assembly.judges import load_classifier, load_parser
    from facecond.io.checkpoint import load_weights

    device, file = torch.device("cpu"), folder / "weights.safetensors"
    if kind == "vq":
        load_first_stage(folder, device)
    elif kind == "parser":
        load_parser(folder, device)
    elif kind == "classifier":
        load_classifier(folder, device)
    else:
        load_generator(file, load_first_stage(folder.parent / "vq", device), device, resolution=64)
    return load_weights(file)


def _tensors(weights: Any) -> list[Any]:
    return [weights.config, weights.metadata, *_named(weights.tensors)]


def _named(tensors: Any) -> list[Any]:
    return [part for name in sorted(tensors) for part in (name, tensors[name])]


def _generation(folder: Path) -> str:
    from facecond.sampling.folder import GenerationFolder, read_values
    from facecond.sampling.generation import open_generation

    made = open_generation(folder)
    store = GenerationFolder(folder, made_with=made.made_with, about=made.about, count=len(made.images))
    parts: list[Any] = [np.asarray(made.images), made.made_with, made.about]
    for index, record in enumerate(made.records):
        values = read_values(folder, record)
        parts += [_without(record), *(values[name] for name in sorted(values)), store.read_png(index)]
    return digest(parts)


def _results(file: Path) -> str:
    from facecond.io.results import read_results

    results = read_results(file)
    return digest([results.figures, results.about])


def _parsed(folder: Path) -> str:
    from facecond.io.images import read_image, read_label_map
    from facecond.workspace.verify import verify

    for finding in verify([folder]).findings:
        raise DataError(f"{finding.path}: {finding.what}")
    images, maps = sorted((folder / "images").iterdir()), sorted((folder / "labels").iterdir())
    return digest([*map(read_image, images), *map(read_label_map, maps)])


def _vouched(folder: Path) -> str:
    """The pictures of a folder of edited or synthesized ones that passes."""
    from facecond.io.images import read_image
    from facecond.workspace.verify import verify

    for finding in verify([folder]).findings:
        raise DataError(f"{finding.path}: {finding.what}")
    return digest(map(read_image, sorted(folder.rglob("images/*.png"))))


def _exported(folder: Path) -> str:
    """The files of an export that passes, whatever else is there."""
    from facecond.io.exported import read_exported
    from facecond.workspace.verify import verify

    for finding in verify([folder]).findings:
        raise DataError(f"{finding.path}: {finding.what}")
    exported = read_exported(folder)
    return digest([exported["made_with"], *((name, (folder / name).read_bytes()) for name in exported["files"])])


def _features(file: Path) -> str:
    """What a measure reads; what is damaged is named, and looked at again."""
    from facecond.io.arrays import open_array
    from facecond.measuring.kept import Kept

    kept = Kept(file, len(open_array(file, np.float32)))
    if not kept.whole:
        raise DataError(f"{file} was altered; looking again")
    return digest([kept.whole_array()])
