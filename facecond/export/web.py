"""A run as a folder that any static host serves: page, ONNX networks, onnxruntime-web (docs/formats.md, "exports").

The folder is made beside its place and gets its name once it is whole. export.json, written last, has the SHA-256 of every file;
by it finished work is recognised.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from facecond import __version__
from facecond.assembly.generator import Diffuser, Generator
from facecond.assembly.maps import MapGenerator
from facecond.autoencoder.vq import VQModel
from facecond.conditions.table import CONDITIONS
from facecond.config.diffusion import GuidanceConfig, SamplerConfig, ScheduleShape
from facecond.config.settings import plain
from facecond.diffusion.schedule import BetaSchedule, schedule_of
from facecond.errors import CheckpointError, DataError
from facecond.export import runtime
from facecond.export.networks import Piece, decoder_of, pieces_of
from facecond.export.onnx_files import OPSET, write_onnx
from facecond.faces.labels import PALETTE
from facecond.faces.names import ATTRIBUTES, CLASSES, NUM_CLASSES
from facecond.io.documents import Count, Digest, Record, json_text, read_json, write_json
from facecond.io.files import explained, flush_folder, sha256_file
from facecond.progress import bar

FORMAT, VERSION = "facecond-export", 1
"""Of export.json."""

MODEL_FORMAT, MODEL_VERSION = "facecond-web", 1
"""Of model.json, which the page's engine reads."""

EXPORT_FILE = "export.json"

COMFORTABLE = 128
"""Pixels above which a picture takes a browser long."""

FEWEST = 16
"""Numbers of a latent that torch draws in the way the engine knows."""


class File(TypedDict):
    """A file of the folder."""

    sha256: Digest
    bytes: Count


class Exported(TypedDict):
    """What export.json holds."""

    made_with: Record
    """All that decides the other files (JSON values)."""
    files: dict[str, File]


@dataclass(frozen=True, slots=True)
class Exporting:
    """What an export is made of."""

    generator: Generator
    maps: MapGenerator | None
    run: str
    """Name of the run."""
    sampler: SamplerConfig
    """What the page samples with until told otherwise."""
    guidance: GuidanceConfig


def check_exportable(generator: Generator, run: str) -> None:
    """Raise CheckpointError for what a browser could not sample as this program does."""
    network = generator.first_stage.network
    if not isinstance(network, VQModel) and generator.first_stage.sha256 != "none":
        raise CheckpointError(f"{run}: the first stage is a {type(network).__name__}", hint="expected model=vq or none")
    channels, height, width = generator.latent_shape
    if channels * height * width < FEWEST:
        raise CheckpointError(f"{run}: latents of {channels * height * width} numbers", hint=f"at least {FEWEST}")


def page_folder() -> Path:
    """The page: facecond studio's where it is installed, with one of our own for tests until then."""
    package = Path(str(resources.files("facecond")))
    studio = package / "studio" / "page"
    return studio if (studio / "index.html").is_file() else package / "export" / "plain"


def engine_folder() -> Path:
    """The modules that sample in a browser."""
    return Path(str(resources.files("facecond"))) / "export" / "browser"


def made_with(exporting: Exporting) -> dict[str, Any]:
    """What decides the files of an export (JSON values)."""
    generator, maps = exporting.generator, exporting.maps
    return {
        "target": "web",
        "run": exporting.run,
        "weights": generator.sha256,
        "first_stage": generator.first_stage.sha256,
        "sampler": plain(exporting.sampler),
        "guidance": {name: exporting.guidance.weight(name) for name in generator.conditioner.names},
        "maps": {"run": maps.name, **maps.made_with} if maps else None,
        "opset": OPSET,
        "runtime": {"name": "onnxruntime-web", "version": runtime.VERSION, "files": runtime.FILES},
        "page": {
            place.name: digest_of_folder(place) for place in (engine_folder(), page_folder())
        },
        "code": {"facecond": __version__},
    }  # fmt: skip


def digest_of_folder(folder: Path) -> str:
    """SHA-256 of the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()


def finished(place: Path, wanted: Mapping[str, Any]) -> Exported | None:
    """What export.json says when the folder is whole and was made with `wanted`; None otherwise.

    Raises DataError for a folder that holds something else, which is not overwritten.
    """
    if not place.exists():
        return None
    if not (place / EXPORT_FILE).is_file() and (not place.is_dir() or any(place.iterdir())):
        raise DataError(f"{place} is no export", hint="choose another name: name=...")
    try:
        content = read_json(place / EXPORT_FILE, Exported, format=(FORMAT, VERSION))
    except DataError:
        return None
    if content["made_with"] != wanted:
        return None
    there = {path.relative_to(place).as_posix(): path for path in _files(place) if path.name != EXPORT_FILE}
    whole = there.keys() == content["files"].keys() and all(
        sha256_file(path) == content["files"][name]["sha256"] for name, path in there.items()
    )
    return content if whole else None


def write(exporting: Exporting, place: Path, wanted: Mapping[str, Any], files: Mapping[str, bytes]) -> Exported:
    """Write the folder, `files` being those of onnxruntime-web; what stood there as an export before is replaced."""
    partial, before = (place.with_name(f".{place.name}.{what}") for what in ("partial", "before"))
    for remains in (partial, before):
        shutil.rmtree(remains, ignore_errors=True)
    with explained(partial):
        partial.mkdir(parents=True)
        for folder in (page_folder(), engine_folder()):
            for path in _files(folder):
                _write(partial / path.relative_to(folder), path.read_bytes())
        for name, content in files.items():
            _write(partial / "runtime" / name, content)
        _write(partial / "runtime" / "LICENSE", runtime.LICENCE.format(version=runtime.VERSION).encode())
    pieces = _pieces(exporting)
    with bar("export", len(pieces)) as progress:
        for piece in pieces:
            progress.note(piece.name)
            write_onnx(piece, partial / "networks" / f"{piece.name}.onnx")
            progress.update()
    network = exporting.generator.first_stage.network
    if isinstance(network, VQModel):
        codes = network.quantize.embedding.weight.detach().float().cpu().numpy()
        _write(partial / "networks" / "codebook.bin", codes.astype("<f4").tobytes())
    _write(partial / "model.json", json_text(describe(exporting)).encode())
    _write(partial / "studio.json", json_text(studio(exporting)).encode())
    content: Exported = {
        "made_with": dict(wanted),
        "files": {
            path.relative_to(partial).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            for path in _files(partial)
        },
    }
    write_json(partial / EXPORT_FILE, {"format": FORMAT, "version": VERSION, **content}, checksum=True)
    with explained(place):
        if place.exists():
            place.rename(before)
        partial.rename(place)
        flush_folder(place.parent)
    shutil.rmtree(before, ignore_errors=True)
    return content


def _pieces(exporting: Exporting) -> list[Piece]:
    generator, maps = exporting.generator, exporting.maps
    pieces = [*pieces_of(generator, "picture", generator.latent_shape)]
    if maps is not None:
        pieces += pieces_of(maps, "map", (NUM_CLASSES, maps.resolution, maps.resolution))
    decoder = decoder_of(generator.first_stage, generator.latent_shape)
    return [*pieces, decoder] if decoder else pieces


def describe(exporting: Exporting) -> dict[str, Any]:
    """model.json: what the engine must know of the networks (JSON values)."""
    generator, maps = exporting.generator, exporting.maps
    network = generator.first_stage.network
    return {
        "format": MODEL_FORMAT,
        "version": MODEL_VERSION,
        "run": exporting.run,
        "resolution": generator.resolution,
        "first_stage": generator.first_stage.sha256,
        "runtime": runtime.VERSION,
        "attributes": list(ATTRIBUTES),
        "picture": _diffuser(generator, "picture", generator.latent_shape, exporting.sampler, exporting.guidance),
        "maps": None
        if maps is None
        else {
            "run": maps.name,
            **_diffuser(maps, "map", (NUM_CLASSES, maps.resolution, maps.resolution), maps.sampler, maps.guidance),
        },
        "decoder": {"file": "networks/decoder.onnx", "codebook": "networks/codebook.bin", "channels": network.channels}
        if isinstance(network, VQModel)
        else None,
    }


def _diffuser(
    diffuser: Diffuser, name: str, shape: tuple[int, int, int], sampler: SamplerConfig, guidance: GuidanceConfig
) -> dict[str, Any]:
    schedule, config = schedule_of(diffuser.config.schedule), diffuser.config
    levels = {"alphas_cumprod": schedule.alphas_cumprod.tolist()} if isinstance(schedule, BetaSchedule) else {}
    shown = ScheduleShape.straight if not levels else config.schedule.shape
    return {
        "weights": diffuser.sha256,
        "latent": list(shape),
        "target": config.target.name,
        "schedule": {"shape": shown.name, **levels},
        "scale": {key: getattr(diffuser.scale, key).tolist() for key in ("mean", "std")},
        "sampler": plain(sampler),
        "guidance": {each: guidance.weight(each) for each in diffuser.conditioner.names},
        "optional": diffuser.conditioner.optional,
        "token_count": len(diffuser.conditioner.places()),
        "token_width": config.token_width,
        "step": f"networks/{name}-step.onnx",
        "conditions": [
            {
                "name": each.name,
                "file": f"networks/{name}-{each.name}.onnx",
                "dtype": each.column.dtype,
                "shape": list(each.column.shape(diffuser.resolution)),
                "entries": list(each.column.entries),
                "nothing": each.nothing(1, diffuser.resolution).flatten()[0].item(),
            }
            for each in diffuser.conditioner.conditions
        ],
    }


def studio(exporting: Exporting) -> dict[str, Any]:
    """studio.json: which engine the page uses and what it can do (JSON values)."""
    generator, sampler = exporting.generator, exporting.sampler
    names = generator.conditioner.names
    return {
        "engine": "browser",
        "module": "engine-browser.js",
        "run": exporting.run,
        "resolution": generator.resolution,
        "conditions": [{"name": name, "heading": CONDITIONS[name].heading} for name in names],
        "attributes": list(ATTRIBUTES),
        "classes": [
            {"name": name, "colour": [int(part) for part in colour]}
            for name, colour in zip(CLASSES, PALETTE, strict=True)
        ],
        "sampler": plain(sampler),
        "guidance": {name: exporting.guidance.weight(name) for name in names},
        "can": {
            "maps": exporting.maps is not None,
            "open": generator.conditioner.optional,
            "photographs": False,
            "compare": False,
        },
    }


def _files(folder: Path) -> list[Path]:
    """All files of a folder, in order; none that begins with a dot, and no bytecode."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py")
    return sorted(path for path in found if not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
