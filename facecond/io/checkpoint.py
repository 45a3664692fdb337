"""Weights that carry their configuration, and the state of a training run. Safetensors and JSON; nothing is ever
unpickled.

One weights file is one safetensors file whose header holds, under the single key `facecond`, the configuration that
builds the network, whatever else describes it, and the SHA-256 of all that and of the tensors, which is compared
whenever they are read. (One key, because safetensors writes several in random order and the file's hash would change
from run to run.) A training state is a folder of such files with `state.json` and,
written last, a manifest of hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NotRequired

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from typing_extensions import TypedDict

from facecond.errors import CheckpointError, StorageError
from facecond.io.documents import Digest, Record, check, parse, read_json, write_json
from facecond.io.files import apart, atomic_write, explained, flush_folder, inside, open_regular, sha256_file

WEIGHTS_FORMAT = "facecond-weights"
STATE_FORMAT = "facecond-state"
VERSION = 1
_SHOWN = 3
"""How many keys an error message names of each kind."""


class Header(TypedDict):
    """What stands in a weights file under `facecond`."""

    config: dict[str, Any]
    metadata: dict[str, Any]
    sha256: NotRequired[Digest]


class StateManifest(TypedDict):
    """What the manifest of a training state holds: SHA-256 by file name."""

    sha256: dict[str, Digest]


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
    own = {name: _own(tensor) for name, tensor in tensors.items()}
    text = _header_text(header | {"sha256": _digest(header, own)})
    with atomic_write(path) as temporary:
        try:
            save_file(own, temporary, {"facecond": text})
        except SafetensorError as reason:
            raise StorageError(f"{path} cannot be written: {reason}", hint="is there room on the disk?") from reason
        return sha256_file(temporary)


def _header_text(header: Mapping[str, Any]) -> str:
    return json.dumps(header, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a header without its own, and of name, dtype, shape and bytes of every tensor."""
    digest = hashlib.sha256(_header_text({key: value for key, value in header.items() if key != "sha256"}).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _own(tensor: Tensor) -> Tensor:
    """Return `tensor` on the CPU, contiguous and sharing its memory with no other tensor."""
    plain = tensor.detach().cpu().contiguous()
    return plain.clone() if plain.untyped_storage().nbytes() != plain.numel() * plain.element_size() else plain


def load_weights(
    path: str | os.PathLike[str], *, device: torch.device | str = "cpu", hint: str | None = None
) -> Weights:
    """Read a weights file. A file written by another program gives an empty `config` and `metadata`.

    Raises CheckpointError when the file is missing, damaged (its content is not what its header says), or of a later
    version.
    """
    place = Path(path)
    open_regular(place, what="weights file", error=CheckpointError, hint=hint).close()
    try:
        with safe_open(place, framework="pt", device=str(device)) as stored:
            text = (stored.metadata() or {}).get("facecond")
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as reason:
        raise CheckpointError(f"{place}: not a readable safetensors file: {reason}", hint=hint) from reason
    if text is None:
        return Weights(tensors, {}, {}, sha256_file(place))
    header = _header(text, place, hint)
    if "sha256" in header and (found := _digest(header, tensors)) != header["sha256"]:
        seen, said = apart(found, header["sha256"])
        raise CheckpointError(
            f"{place}: damaged: the SHA-256 of its content is {seen}, its header says {said}",
            hint=hint or "bring the file back",
        )
    return Weights(tensors, header["config"], header["metadata"], sha256_file(place))


def _header(text: str, place: Path, hint: str | None) -> Header:
    """What stands in a weights file's header. Raises CheckpointError unless it is that of weights of this version."""
    origin = f"the header of {place}"
    value = parse(text, origin, error=CheckpointError, hint=hint)
    return check(Header, value, origin, format=(WEIGHTS_FORMAT, VERSION), error=CheckpointError, hint=hint)


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
        open_regular(path, what="weights file", error=CheckpointError).close()
        with safe_open(path, framework="pt") as stored:
            return "facecond" in (stored.metadata() or {})
    except (CheckpointError, SafetensorError, OSError):
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
    folder: Path,
    images_seen: int,
    groups: Mapping[str, Mapping[str, Tensor]],
    values: Mapping[str, Any],
    *,
    keep: int = 1,
) -> Path:
    """Write a training state as `folder/<images seen, 12 digits>/` and remove all but the `keep` newest once it is complete.

    Every group becomes one safetensors file; `state.json` holds `values`; `manifest.json`, with the SHA-256 of each,
    comes last, and only then does the folder get its name. A state already complete at `images_seen` is left as it
    is.
    """
    target = folder / f"{images_seen:012d}"
    if not (target / "manifest.json").is_file():
        partial = folder / f".{target.name}.partial"
        for remains in (partial, target):
            shutil.rmtree(remains, ignore_errors=True)
        with explained(partial):
            partial.mkdir(parents=True)
        hashes = {
            f"{name}.safetensors": save_weights(partial / f"{name}.safetensors", tensors, {})
            for name, tensors in groups.items()
        }
        write_json(partial / "state.json", {"images_seen": images_seen, **values})
        hashes["state.json"] = sha256_file(partial / "state.json")
        write_json(
            partial / "manifest.json", {"format": STATE_FORMAT, "version": VERSION, "sha256": hashes}, checksum=True
        )
        partial.rename(target)
        flush_folder(folder)
    kept = {target, *[state for state in find_states(folder) if state != target][: keep - 1]}
    for entry in folder.iterdir():
        if entry.is_dir() and entry not in kept:
            shutil.rmtree(entry, ignore_errors=True)
    return target


def find_states(folder: Path) -> list[Path]:
    """Return the complete training states below `folder`, the one with the most images seen first."""
    complete = [
        entry for entry in folder.glob("[0-9]*") if entry.name.isdigit() and (entry / "manifest.json").is_file()
    ]
    return sorted(complete, key=lambda entry: int(entry.name), reverse=True)


def load_state(path: Path, *, device: torch.device | str = "cpu") -> StoredState:
    """Read a complete training state; CheckpointError when a file is missing or its hash is not the manifest's."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, expected in _hashes(path).items():
        file = inside(path, name, of=f"{path / 'manifest.json'}, sha256", error=CheckpointError)
        if not file.is_file():
            raise CheckpointError(f"{file}: listed in the manifest but missing")
        weights = load_weights(file, device=device) if file.suffix == ".safetensors" else None
        found = weights.sha256 if weights else sha256_file(file)
        if found != expected:
            seen, said = apart(found, expected)
            raise CheckpointError(f"{file}: damaged: its SHA-256 is {seen}, the manifest says {said}")
        if weights:
            groups[file.stem] = weights.tensors
    return StoredState(groups, read_json(path / "state.json", Record, error=CheckpointError), path)


def _hashes(path: Path) -> dict[str, str]:
    """SHA-256 by file name, as the manifest of the state `path` says. Raises CheckpointError for any other content."""
    file = path / "manifest.json"
    hashes = read_json(file, StateManifest, format=(STATE_FORMAT, VERSION), error=CheckpointError)["sha256"]
    if "state.json" not in hashes:
        raise CheckpointError(f"{file}: damaged: it does not list state.json")
    return hashes
