"""What a training goes on with that was started before: its own pack and latents; and run.json, which says what it is."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond import __version__
from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.commands.train import TrainConfig, TrainDiffusionConfig
from facecond.config.compose import Composed
from facecond.config.settings import difference, plain
from facecond.errors import CheckpointError, ConfigError
from facecond.io.documents import write_json
from facecond.io.files import sha256_file
from facecond.io.runs import FORMAT, VERSION, read_done, weights_in
from facecond.workspace.find import (
    Found,
    RunInfo,
    find_first_stage,
    find_pack,
    first_stage_digest,
    read_run,
)
from facecond.workspace.origin import own_pack
from facecond.workspace.provenance import revision, versions

if TYPE_CHECKING:
    from facecond.data.pack import Pack

log = logging.getLogger("facecond")

NOT_COMPARED = (
    "workspace", "device", "name", "pack", "first_stage", "init", "minutes", "memory", "limits", "verify", "launcher",
)  # fmt: skip
"""Keys that may differ when a run is continued, besides those of the trainer that do not decide what the weights become. (Which
pack, first stage and initial weights is compared by content.)"""

OWN_NAME = "give the new run a name of its own: name=..."


def started_run(config: TrainConfig, name: str, kind: str) -> RunInfo | None:
    """The run called `name`, if it was started. Raises CheckpointError when it trains another kind of model."""
    folder = Path(config.workspace) / "runs" / name
    if not (folder / "run.json").is_file():
        return None
    run = read_run(folder)
    if run.kind != kind:
        raise CheckpointError(f"{folder} is the run of a {run.kind} model, not {kind}", hint=OWN_NAME)
    return run


def choose_pack(config: TrainConfig, started: RunInfo | None) -> Found:
    """The pack named, or that of the run that was started, or the latest. Raises CheckpointError when two of them differ."""
    if started is None or config.pack is not None:
        pack = find_pack(config.workspace, config.pack)
        if started:
            check_pack(started, pack.path)
        return pack
    if own := own_pack(started, config.workspace):
        return own
    raise CheckpointError(
        f"{started.path} was started on the pack {started.content['pack_path']}, which is not in {config.workspace}",
        hint=f"bring it back, or {OWN_NAME}",
    )


def check_pack(started: RunInfo, pack: Path) -> None:
    """Raise CheckpointError when the run was started on another pack."""
    if sha256_file(pack / "manifest.json") != started.pack:
        raise CheckpointError(
            f"{started.path} was started on the pack {started.content['pack_path']}, not on {pack}",
            hint=f"leave pack= out to continue it, or {OWN_NAME}",
        )


def choose_latents(config: TrainDiffusionConfig, pack: Path, started: RunInfo | None) -> tuple[str, str]:
    """Hash of the first stage whose latents to learn ("none" for the pictures themselves), and a sentence about it.

    Raises ConfigError when the pack has none, CheckpointError when the run was started on those of another first stage.
    """
    from facecond.data.latents import HASH_DIGITS, LatentStore

    if config.first_stage == NO_FIRST_STAGE:
        return NO_FIRST_STAGE, "the pictures themselves (first_stage=none)"
    if config.first_stage is not None:
        place = find_first_stage(config.workspace, config.first_stage).path
        digest = first_stage_digest(config.workspace, place)
        if started and digest != started.first_stage:
            raise CheckpointError(
                f"{started.path} was started on latents of the first stage {str(started.first_stage)[:HASH_DIGITS]}, "
                f"not of {place} ({digest[:HASH_DIGITS]})",
                hint=f"leave first_stage= out to continue it, or {OWN_NAME}",
            )
        store = LatentStore.open(pack, digest)
        return store.first_stage, f"{store.path} (of the first stage named)"
    if started:
        store = LatentStore.open(pack, str(started.first_stage))
        return store.first_stage, f"{store.path} (the run was started on them)"
    available = LatentStore.available(pack)
    if not available:
        raise ConfigError(
            f"{pack} has no latents", hint="train a first stage and encode: facecond train model=vq && facecond encode"
        )
    store = LatentStore.open(pack, available[0])
    digest = store.first_stage
    return digest, f"{store.path} (the latest, of first stage {digest[:HASH_DIGITS]})"


def write_run(
    folder: Path, composed: Composed, kind: str, pack: "Pack", latents: str | None, weights_config: dict[str, Any]
) -> None:
    """Write run.json before anything else, or make sure that the run there is this one.

    `latents` is the hash of the first stage whose latents a diffusion model learns. Raises CheckpointError when the run
    there is another one.
    """
    from facecond.training.state import MAY_CHANGE

    config, choices = plain(composed.config), dict(composed.choices)
    for recorded in (config, choices):  # what started it as a job is not the run's
        recorded.pop("launcher", None)
    file = folder / "run.json"
    identity = {
        "kind": kind,
        "sha256 of the pack": sha256_file(pack.path / "manifest.json"),
        "sha256 of the first stage": latents,
        "sha256 of the initial weights": hash_of(config["init"]),
    }
    if file.is_file():
        before = read_run(folder)
        recorded = {key: before.content.get(key) for key in identity}
        other = difference(recorded, identity) or difference(
            before.config, config, ignoring={*NOT_COMPARED, *MAY_CHANGE}
        )
        if other:
            raise CheckpointError(f"{folder} was started with {other}", hint=OWN_NAME)
        done = folder / "done.json"
        seen = read_done(folder)["images_seen"] if done.is_file() else config["trainer"]["images"]
        if config["trainer"]["images"] > seen and config["trainer"]["schedule"] == "cosine":
            log.warning("the run was finished: with a longer cosine schedule its learning rate rises again")
        return
    write_json(
        file,
        checksum=True,
        value={
            "format": FORMAT,
            "version": VERSION,
            "choices": choices,
            "overrides": composed.overrides,
            "config": config,
            "weights_config": weights_config,
            **identity,
            "pack_path": str(pack.path),
            "resolution": pack.resolution,
            "code": {"facecond": __version__, "revision": revision()},
            "versions": versions(),
        },
    )


def hash_of(init: str | None) -> str | None:
    """SHA-256 of the weights to start from."""
    if init is None:
        return None
    return sha256_file(weights_in(Path(init)))
