"""Weights that carry their configuration, and the state of a training run. Safetensors and JSON; nothing is ever
unpickled.

One weights file is one safetensors file whose header holds, under the single key `facecond`, the configuration that
builds the network and whatever else describes it. (One key, because safetensors writes several in random order and
the file's hash would change from run to run.) A training state is a folder of such files with `state.json` and,
written last, a manifest of hashes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facecond.errors import CheckpointError
from facecond.io.files import atomic_write, flush_folder, read_json, sha256_file, write_json

WEIGHTS_FORMAT = "facecond-weights"
STATE_FORMAT = "facecond-state"
VERSION = 1
_SHOWN = 3
"""How many keys an error message names of each kind."""


class Weights(NamedTuple):
    """What a weights file holds."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    """The configuration that builds the network; empty for a foreign safetensors file."""
    metadata: dict[str, Any]
    """What else was written beside the configuration, for example `kind` and `images_seen`."""
    sha256: str


def save_weights(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], config: Mapping[str, Any], **metadata: Any
) -> str:
    """Write `tensors` with their `config` (JSON values) and `metadata`, atomically; return the file's SHA-256.

    The same tensors, configuration and metadata always give the same bytes.
    """
    header = {
        "format": WEIGHTS_FORMAT, "version": VERSION, "config": dict(config), "metadata": metadata,
    }  # fmt: skip
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as temporary:
        save_file({name: _own(tensor) for name, tensor in tensors.items()}, temporary, {"facecond": text})
        return sha256_file(temporary)


def _own(tensor: Tensor) -> Tensor:
    """Return `tensor` on the CPU, contiguous and sharing its memory with no other tensor."""
    plain = tensor.detach().cpu().contiguous()
    return plain.clone() if plain.untyped_storage().nbytes() != plain.numel() * plain.element_size() else plain


def load_weights(
    path: str | os.PathLike[str], *, device: torch.device | str = "cpu", hint: str | None = None
) -> Weights:
    """Read a weights file. A file written by another program gives an empty `config` and `metadata`.

    Raises CheckpointError when the file is missing, damaged or of a later version.
    """
    place = Path(path)
    if not place.is_file():
        raise CheckpointError(f"{place}: no such weights file", hint=hint)
    try:
        with safe_open(place, framework="pt", device=str(device)) as stored:
            header = json.loads((stored.metadata() or {}).get("facecond", "{}"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as reason:
        raise CheckpointError(f"{place}: not a readable safetensors file: {reason}", hint=hint) from reason
    if header and header["version"] > VERSION:
        raise CheckpointError(
            f"{place}: weights format version {header['version']}, this program reads up to {VERSION}",
            hint="update facecond",
        )
    return Weights(tensors, header.get("config", {}), header.get("metadata", {}), sha256_file(place))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name in front of what a CheckpointError inside the block says."""
    try:
        yield
    except CheckpointError as error:
        if str(path) in error.message:
            raise
        raise CheckpointError(f"{path}: {error.message}", hint=error.hint) from error


def is_ours(path: Path) -> bool:
    """Say whether a weights file is one of this project's, rather than another program's; a missing or damaged one may be."""
    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, framework="pt") as stored:
            return "facecond" in (stored.metadata() or {})
    except (SafetensorError, OSError):
        return True


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Copy `tensors` into `module`; every name and shape must match.

    `origin` names the file in the message. Raises CheckpointError that names a few missing, unexpected and misshapen
    keys; `module` is then unchanged.
    """
    expected = module.state_dict()
    missing = [name for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in expected]
    misshapen = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    faults = [
        f"{len(names)} {kind}: " + "; ".join(names[:_SHOWN]) + ("; ..." if len(names) > _SHOWN else "")
        for kind, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
        if names
    ]
    if faults:
        raise CheckpointError(
            f"{origin}: these weights are not of this {type(module).__name__}: " + " | ".join(faults),
            hint="the weights were made with another configuration",
        )
    module.load_state_dict(dict(tensors), strict=True)


def join_modules(modules: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return one flat mapping `module.name` -> tensor out of several state dicts."""
    return {f"{module}.{name}": tensor for module, tensors in modules.items() for name, tensor in tensors.items()}


def split_modules(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Undo `join_modules`; module names hold no dot."""
    modules: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        module, _, name = key.partition(".")
        modules.setdefault(module, {})[name] = tensor
    return modules


class StoredState(NamedTuple):
    """A training state read back."""

    groups: dict[str, dict[str, Tensor]]
    """Named groups of tensors, for example network, average, optimiser."""
    values: dict[str, Any]
    """JSON values: images seen and other counters."""
    path: Path


def save_state(
    folder: Path, images_seen: int, groups: Mapping[str, Mapping[str, Tensor]], values: Mapping[str, Any]
) -> Path:
    """Write a training state as `folder/<images seen, 12 digits>/` and remove the older ones once it is complete.

    Every group becomes one safetensors file; `state.json` holds `values`; `manifest.json`, with the SHA-256 of each,
    comes last, and only then does the folder get its name. A state already complete at `images_seen` is left as it
    is.
    """
    target = folder / f"{images_seen:012d}"
    if not (target / "manifest.json").is_file():
        partial = folder / f".{target.name}.partial"
        for remains in (partial, target):
            shutil.rmtree(remains, ignore_errors=True)
        partial.mkdir(parents=True)
        hashes = {
            f"{name}.safetensors": save_weights(partial / f"{name}.safetensors", tensors, {})
            for name, tensors in groups.items()
        }
        write_json(partial / "state.json", {"images_seen": images_seen, **values})
        hashes["state.json"] = sha256_file(partial / "state.json")
        write_json(partial / "manifest.json", {"format": STATE_FORMAT, "version": VERSION, "sha256": hashes})
        partial.rename(target)
        flush_folder(folder)
    for entry in folder.iterdir():
        if entry.is_dir() and entry != target:
            shutil.rmtree(entry, ignore_errors=True)
    return target


def find_state(folder: Path) -> Path | None:
    """Return the complete training state with the most images seen below `folder`, or None."""
    complete = [
        entry for entry in folder.glob("[0-9]*") if entry.name.isdigit() and (entry / "manifest.json").is_file()
    ]
    return max(complete, key=lambda entry: int(entry.name), default=None)


def load_state(path: Path, *, device: torch.device | str = "cpu") -> StoredState:
    """Read a complete training state; CheckpointError when a file is missing or its hash is not the manifest's."""
    hint = f"delete {path} to go on from what is left of the run"
    manifest = read_json(path / "manifest.json", error=CheckpointError, hint=hint)
    if manifest.get("format") != STATE_FORMAT or manifest.get("version", 0) > VERSION:
        raise CheckpointError(f"{path}: not a training state this program can read", hint="update facecond")
    groups: dict[str, dict[str, Tensor]] = {}
    for name, expected in manifest["sha256"].items():
        file = path / name
        if not file.is_file():
            raise CheckpointError(f"{file}: listed in the manifest but missing", hint=hint)
        weights = load_weights(file, device=device, hint=hint) if file.suffix == ".safetensors" else None
        found = weights.sha256 if weights else sha256_file(file)
        if found != expected:
            raise CheckpointError(f"{file}: damaged: SHA-256 {found[:12]}, expected {expected[:12]}", hint=hint)
        if weights:
            groups[file.stem] = weights.tensors
    return StoredState(groups, read_json(path / "state.json", error=CheckpointError, hint=hint), path)
