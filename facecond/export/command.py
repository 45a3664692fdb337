"""`facecond export web`: the studio's page with a run's networks, as a folder that any static host serves."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.commands.uses import serving
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.config.commands.pages import ExportWebConfig
from facecond.config.compose import compose
from facecond.data.pack import read_manifest
from facecond.errors import ConfigError
from facecond.export import runtime
from facecond.export.onnx_files import require_exporter
from facecond.workspace.find import RunInfo, find_pack, find_run, first_stage_of, read_run
from facecond.workspace.origin import compose_sampling, find_maps, own_pack, weights_file

if TYPE_CHECKING:
    from facecond.assembly.session import Session

log = logging.getLogger("facecond")

DRAWN_PEOPLE = 24
"""People in the gallery where they are drawn by program; of real ones none are shown unless somebody says how many."""

COMFORTABLE = 128
"""Pixels above which a picture takes a browser minutes."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Exporting:
    """What is exported."""

    run: RunInfo
    weights: Path
    first_stage: Path
    pack: Path | None
    maps: RunInfo | None
    people: int


def prepare(words: Sequence[str]) -> Prepared[ExportWebConfig, Exporting]:
    """Check everything that can be checked without loading a network."""
    typed: ExportWebConfig = compose("export web", words).config
    found = find_run(typed.workspace, typed.run, "diffusion")
    run = read_run(found.path)
    composed, why = compose_sampling("export web", words, run)
    config: ExportWebConfig = composed.config
    pack = find_pack(config.workspace, config.pack) if config.pack else own_pack(run, config.workspace)
    if config.people and pack is None:
        raise ConfigError(
            f"people={config.people}: the pack that {run.path.name} was trained on is not in {config.workspace}",
            hint="name one: pack=...",
        )
    people = config.people
    if people is None:
        drawn = pack is not None and read_manifest(pack.path)["source"].get("kind") == "drawn"
        people = DRAWN_PEOPLE if drawn else 0
    drawn_by = find_maps(config.workspace, config.maps, run, pack.path if pack else None)
    sampler, resolution = config.sampler, run.content["resolution"]
    used = {
        "run": str(found),
        "sampler": f"{sampler.name.name}, {sampler.steps} steps, eta {sampler.eta:g} ({why})",
        **({"maps": f"{drawn_by}: what is left open is drawn"} if drawn_by else {}),
        **({"people": f"{people} of {pack}"} if people else {}),
        "runtime": runtime.where(config.runtime),
    }
    if resolution > COMFORTABLE:
        log.warning("%s makes %d px: expect a picture to take a browser minutes", run.path.name, resolution)
    if others := [name for name in run.config["model"]["conditions"] if name not in (Attributes.name, Mask.name)]:
        log.warning("%s is told %s, which the page cannot say", run.path.name, ", ".join(others))
    exporting = Exporting(
        run=run,
        weights=weights_file(run),
        first_stage=first_stage_of(config.workspace, str(run.first_stage), str(run.path), config.first_stage),
        pack=pack.path if people and pack else None,
        maps=drawn_by.run if drawn_by else None,
        people=people,
    )
    prepared: Prepared[ExportWebConfig, Exporting] = Prepared(
        composed=composed, name=config.name or f"{run.path.name}-web", found=exporting, used=used
    )
    require_exporter()
    return prepared


def run(prepared: Prepared[ExportWebConfig, Exporting]) -> Result:
    """Write the folder, unless it is there and whole."""
    from facecond.export import web
    from facecond.io.exported import EXPORT_FILE
    from facecond.io.lock import WAIT, hold

    prepared.announce()
    config, found = prepared.config, prepared.found
    place = Path(config.workspace) / "exports" / prepared.name
    with hold(place, wait=WAIT):
        session = _open(config, found)
        web.check_exportable(session)
        wanted = web.made_with(session, found.people)
        content = web.finished(place, wanted)
        finished = content is not None
        if content is None:
            files = runtime.read_runtime(config.runtime)
            content = web.write(session, place, wanted, files, found.people)
    sizes = {name: each["bytes"] for name, each in content["files"].items()}
    networks = sum(size for name, size in sizes.items() if name.startswith(f"{web.NETWORKS}/"))
    facts = {
        "megabytes": round(sum(sizes.values()) / 1e6, 1),
        "of which networks": round(networks / 1e6, 1),
        "files": len(sizes) + 1,
        "finished before": finished,
    }
    return Result(
        command="export web",
        used=prepared.used,
        facts=facts,
        made={"folder": place, "record": place / EXPORT_FILE},
        next=[serving(place)],
    )


def _open(config: ExportWebConfig, found: Exporting) -> Session[Any]:
    """Load the networks on the CPU, with the sampler and the guidance that the page begins with."""
    from facecond.assembly.first_stage import load_first_stage
    from facecond.assembly.generator import load_generator
    from facecond.assembly.maps import load_map_generator
    from facecond.assembly.session import Session
    from facecond.config.commands.sample import SampleConfig
    from facecond.data.pack import Pack
    from facecond.training.device import Device, choose_device

    device = choose_device(Device.cpu)
    first_stage = load_first_stage(found.first_stage, device)
    generator = load_generator(found.weights, first_stage, device, resolution=found.run.content["resolution"])
    sampling = SampleConfig(sampler=config.sampler, guidance=config.guidance, workspace=config.workspace)
    return Session(
        generator,
        found.run,
        Pack.open(found.pack) if found.pack else None,
        sampling,
        maps=load_map_generator(found.maps, device) if found.maps else None,
    )
