"""A run as a folder that any static host serves: page, ONNX networks, onnxruntime-web (docs/formats.md, "exports").

The folder is made beside its place and gets its name once it is whole. export.json, written last, has the SHA-256 of every file;
by it finished work is recognised.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from importlib import resources
from math import prod
from pathlib import Path
from typing import Any

from facecond import __version__
from facecond.assembly.generator import Diffuser
from facecond.assembly.maps import temperature_of
from facecond.assembly.session import Session
from facecond.autoencoder.pixels import Pixels
from facecond.autoencoder.vq import VQModel
from facecond.conditions.attributes import Attributes
from facecond.config.diffusion import GuidanceConfig, SamplerConfig
from facecond.config.settings import plain
from facecond.diffusion.schedule import BetaSchedule, schedule_of
from facecond.errors import CheckpointError, DataError
from facecond.export import runtime
from facecond.export.networks import Piece, decoder_of, pieces_of
from facecond.export.onnx_files import OPSET, write_onnx
from facecond.faces.names import ATTRIBUTES, NUM_CLASSES
from facecond.io.documents import json_text, write_json
from facecond.io.exported import EXPORT_FILE, FORMAT, VERSION, Exported, read_exported
from facecond.io.files import explained, flush_folder, sha256_file
from facecond.progress import bar
from facecond.studio.about import about

MODEL_FORMAT, MODEL_VERSION = "facecond-web", 1
"""Of model.json, which the page's engine reads."""

NETWORKS = "networks"
"""Folder of the networks."""

FEWEST = 16
"""Numbers of a latent below which torch draws noise in a way that the engine does not know."""

FIRST = "index.html"

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of the page, in the page itself, since any host may serve it: nothing from elsewhere, nothing to there.

What goes beyond that of `facecond studio`: onnxruntime-web compiles WebAssembly and begins threads from its own file, and the
worker is begun from a blob, so that it keeps to this policy too (engine-browser.js). Frames around the page a page cannot forbid.
"""

_CHARSET = '<meta charset="utf-8">\n'

CANNOT_PARSE = "this page has no parser of photographs: facecond studio has, and facecond parse"


def check_exportable(session: Session[Any]) -> None:
    """Raise CheckpointError for a run that a browser could not sample as this program does."""
    generator, name = session.generator, session.run.path.name
    network = generator.first_stage.network
    if not isinstance(network, VQModel | Pixels):
        raise CheckpointError(
            f"{name}: its first stage is a {type(network).__name__}", hint="expected model=vq or none"
        )
    if (numbers := prod(generator.latent_shape)) < FEWEST:
        raise CheckpointError(f"{name}: its latents have {numbers} numbers", hint=f"expected at least {FEWEST}")


def page_folder() -> Path:
    """The page, that of `facecond studio`."""
    return Path(str(resources.files("facecond"))) / "studio" / "page"


def engine_folder() -> Path:
    """The modules that sample in a browser."""
    return Path(str(resources.files("facecond"))) / "export" / "browser"


def made_with(session: Session[Any], people: int) -> dict[str, Any]:
    """What decides the files of an export (JSON values)."""
    generator, maps, config = session.generator, session.maps, session.config
    return {
        "target": "web",
        "run": session.run.path.name,
        "weights": generator.sha256,
        "first_stage": generator.first_stage.sha256,
        "sampler": plain(config.sampler),
        "guidance": {name: config.guidance.weight(name) for name in generator.conditioner.names},
        "maps": {"run": maps.name, **maps.made_with} if maps else None,
        "pack": session.pack_sha256 if people else None,
        "people": people,
        "opset": OPSET,
        "runtime": {"name": "onnxruntime-web", "version": runtime.VERSION},
        "policy": POLICY,
        "page": {folder.name: digest_of_folder(folder) for folder in (page_folder(), engine_folder())},
        "code": {"facecond": __version__},
    }


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
        content = read_exported(place)
    except DataError:
        return None
    if content["made_with"] != wanted:
        return None
    there = {path.relative_to(place).as_posix(): path for path in _files(place) if path.name != EXPORT_FILE}
    whole = there.keys() == content["files"].keys() and all(
        sha256_file(path) == content["files"][name]["sha256"] for name, path in there.items()
    )
    return content if whole else None


def write(
    session: Session[Any], place: Path, wanted: Mapping[str, Any], files: Mapping[str, bytes], people: int
) -> Exported:
    """Write the folder; what stood there as an export before is replaced.

    `wanted` is what `made_with` returned, `files` are those of onnxruntime-web, `people` how many of the pack the gallery shows.
    """
    partial, before = (place.with_name(f".{place.name}.{what}") for what in ("partial", "before"))
    for remains in (partial, before):
        shutil.rmtree(remains, ignore_errors=True)
    with explained(partial):
        partial.mkdir(parents=True)
        for folder in (page_folder(), engine_folder()):
            for path in _files(folder):
                content = path.read_bytes()
                _write(partial / path.relative_to(folder), with_policy(content) if path.name == FIRST else content)
        for name, module in files.items():
            _write(partial / "runtime" / name, module)
        _write(partial / "runtime" / "LICENSE", runtime.LICENCE.format(version=runtime.VERSION).encode())
    pieces = _pieces(session)
    with bar("export", len(pieces), unit="network") as progress:
        for piece in pieces:
            progress.note(piece.name)
            write_onnx(piece, partial / NETWORKS / f"{piece.name}.onnx")
            progress.update()
    network = session.generator.first_stage.network
    if isinstance(network, VQModel):
        codes = network.quantize.embedding.weight.detach().float().cpu().numpy()
        _write(partial / NETWORKS / "codebook.bin", codes.astype("<f4").tobytes())
    told = about(
        [session],
        engine="browser",
        steps=session.config.sampler.steps,
        people=people,
        parse=False,
        cannot_parse=CANNOT_PARSE,
        sketches=False,
    )
    _write(partial / "model.json", json_text(describe(session)).encode())
    _write(partial / "studio.json", json_text(told).encode())
    written: Exported = {
        "made_with": dict(wanted),
        "files": {
            path.relative_to(partial).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            for path in _files(partial)
        },
    }
    write_json(partial / EXPORT_FILE, {"format": FORMAT, "version": VERSION, **written}, checksum=True)
    with explained(place):
        if place.exists():
            place.rename(before)
        partial.rename(place)
        flush_folder(place.parent)
    shutil.rmtree(before, ignore_errors=True)
    return written


def with_policy(html: bytes) -> bytes:
    """The page with its policy, before anything that it might load."""
    before, charset, rest = html.decode().partition(_CHARSET)
    assert charset, f"{FIRST} names its character set in a line of its own"
    return f'{before}{charset}<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n{rest}'.encode()


def _pieces(session: Session[Any]) -> list[Piece]:
    generator, maps = session.generator, session.maps
    pieces = list(pieces_of(generator, "picture", generator.latent_shape))
    if maps is not None:
        pieces += pieces_of(maps, "map", (NUM_CLASSES, maps.resolution, maps.resolution))
    decoder = decoder_of(generator.first_stage, generator.latent_shape)
    return [*pieces, decoder] if decoder else pieces


def describe(session: Session[Any]) -> dict[str, Any]:
    """model.json: what the engine must know of the networks (JSON values)."""
    generator, maps, config = session.generator, session.maps, session.config
    described: dict[str, Any] = {
        "format": MODEL_FORMAT,
        "version": MODEL_VERSION,
        "run": session.run.path.name,
        "resolution": generator.resolution,
        "first_stage": generator.first_stage.sha256,
        "runtime": runtime.VERSION,
        Attributes.name: list(ATTRIBUTES),
        "picture": _diffuser(generator, "picture", generator.latent_shape, config.sampler, config.guidance),
        "maps": None,
        "decoder": None,
    }
    if maps is not None:
        shape = (NUM_CLASSES, maps.resolution, maps.resolution)
        described["maps"] = {
            "run": maps.name, "temperature": temperature_of(maps.config),
            **_diffuser(maps, "map", shape, maps.sampler, maps.guidance),
        }  # fmt: skip
    if isinstance(network := generator.first_stage.network, VQModel):
        described["decoder"] = {
            "file": f"{NETWORKS}/decoder.onnx", "codebook": f"{NETWORKS}/codebook.bin", "channels": network.channels,
        }  # fmt: skip
    return described


def _diffuser(
    diffuser: Diffuser, name: str, shape: tuple[int, int, int], sampler: SamplerConfig, guidance: GuidanceConfig
) -> dict[str, Any]:
    config, schedule = diffuser.config, schedule_of(diffuser.config.schedule)
    levels = {"alphas_cumprod": schedule.alphas_cumprod.tolist()} if isinstance(schedule, BetaSchedule) else {}
    return {
        "weights": diffuser.sha256,
        "latent": list(shape),
        "target": config.target.name,
        "schedule": {"shape": config.schedule.shape.name, **levels},
        "scale": {key: getattr(diffuser.scale, key).tolist() for key in ("mean", "std")},
        "sampler": plain(sampler),
        "guidance": {each: guidance.weight(each) for each in diffuser.conditioner.names},
        "optional": diffuser.conditioner.optional,
        "token_count": len(diffuser.conditioner.places()),
        "token_width": config.token_width,
        "step": f"{NETWORKS}/{name}-step.onnx",
        "conditions": [
            {
                "name": each.name,
                "file": f"{NETWORKS}/{name}-{each.name}.onnx",
                "dtype": each.column.dtype,
                "shape": list(each.column.shape(diffuser.resolution)),
                "entries": list(each.column.entries),
                "nothing": each.nothing(1, diffuser.resolution).flatten()[0].item(),
            }
            for each in diffuser.conditioner.conditions
        ],
    }


def _files(folder: Path) -> list[Path]:
    """All files of a folder, in order; none that begins with a dot, and no bytecode."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py")
    return sorted(
        path for path in found if not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
