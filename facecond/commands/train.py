"""`facecond train`: one model on one pack; running it again continues."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facecond import __version__
from facecond.commands.defaults import choose_size, names_size
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.catalogue import kind_of
from facecond.config.commands import NO_FIRST_STAGE, Device, TrainConfig
from facecond.config.compose import compose, plain
from facecond.config.training import FirstStageTrainingConfig
from facecond.errors import CheckpointError, ConfigError
from facecond.io.files import read_json, sha256_file, write_json
from facecond.io.identity import difference
from facecond.workspace.find import (
    RUN_FORMAT,
    RUN_VERSION,
    Found,
    RunInfo,
    find_first_stage,
    find_pack,
    find_run,
    first_stage_digest,
    first_stage_of,
    read_run,
    train_defaults,
)
from facecond.workspace.origin import own_pack
from facecond.workspace.provenance import revision, versions
from facecond.workspace.sampling import check_guided, check_sampling

log = logging.getLogger("facecond")

NOT_COMPARED = ("workspace", "device", "name", "pack", "first_stage", "init")
"""Keys that may differ when a run is continued, besides those of the trainer that do not decide what the weights become. (Which
pack, first stage and initial weights is compared by content.)"""

OWN_NAME = "give the new run a name of its own: name=..."

GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""One of these is there on Linux when a driver for a GPU is (NVIDIA, AMD, Windows' subsystem)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """What is learnt from what."""

    kind: str
    """diffusion, vq, parser or classifier."""
    pack: Path
    latents: str | None = None
    """Diffusion: hash of the first stage whose latents are learnt."""
    first_stage: Path | None = None
    """Diffusion: run or weights file of that first stage."""

    @property
    def of_kind(self) -> dict[str, Any]:
        """What the learner of this kind needs beside configuration and pack."""
        return {"latents": self.latents, "first_stage": self.first_stage} if self.kind == "diffusion" else {}


def prepare(words: Sequence[str]) -> Prepared[TrainConfig, Training]:
    """Check the configuration; find the pack, the size that fits it, and for a diffusion model the latents."""
    composed = compose("train", words)
    config: TrainConfig = composed.config
    kind = kind_of(composed.choices["model"])
    started = _started(config, config.name, kind) if config.name else None
    pack = _pack(config, started)
    used = {"pack": str(pack)}
    found = Training(kind=kind, pack=pack.path)
    resolution = read_json(pack.path / "manifest.json")["resolution"]
    if not names_size(words):
        size, why = choose_size(resolution, _device_name(config.device))
        if started and "size" in started.choices:
            size, why = started.choices["size"], "the run was started with it"
        composed = compose("train", words, size=size)
        config = composed.config
        used["size"] = f"{size} ({why})"
    name = config.name or "-".join([*_distinctive(composed.choices), pack.path.name])
    if started is None and (started := _started(config, name, kind)):
        _check_pack(started, pack.path)
    if config.init is not None:
        config.init = str(_initial(config.workspace, config.init, kind))
        used["init"] = config.init
        if kind == "vq":
            _keep_codebook(config.model.training, words)  # type: ignore[attr-defined]
    if config.trainer.compile and kind != "diffusion":
        raise ConfigError(f"trainer.compile=true has no meaning for a {kind} model", hint="leave it out")
    if kind == "diffusion":
        config.model.told()  # type: ignore[attr-defined]
        latents, used["latents"] = _latents(config, pack.path, started)
        place = first_stage_of(config.workspace, latents, f"the latents of {pack.path}")
        found = Training(kind=kind, pack=pack.path, latents=latents, first_stage=place)
        check_sampling(plain(config.model), config.sampler, config.guidance, "this run")
        check_guided(words, config.model.conditions, "this model")  # type: ignore[attr-defined]
    return Prepared(composed=composed, name=name, used=used, found=found)


def run(prepared: Prepared[TrainConfig, Training]) -> Result:
    """Train to the end, or until stopped; a finished run is left as it is."""
    from facecond import assembly
    from facecond.data.pack import Pack
    from facecond.training.loop import fit
    from facecond.training.run import divide

    prepared.announce()
    config = prepared.config
    folder, processes = Path(config.workspace) / "runs" / prepared.name, prepared.processes
    divide(config.trainer, processes)
    device = assembly.choose_device(config.device, processes)
    pack = Pack.open(prepared.found.pack)
    learner, weights_config = assembly.learner(prepared.found.kind, config, pack, device, **prepared.found.of_kind)
    processes.first_does(lambda: _write_run(folder, prepared, pack, weights_config))
    log.info("run: %s", folder)
    state = fit(
        learner, config.trainer, folder, weights_config=weights_config, processes=processes,
        defaults=train_defaults(prepared.found.kind, plain(config)),
        label=f"train {prepared.composed.choices['model']}", on_event=_tell,
    )  # fmt: skip
    facts: dict[str, Any] = {"images seen": state.images_seen, "finished": state.finished}
    facts |= _last_evaluation(folder)
    made = {"run": folder}
    if state.finished:
        made["weights"] = folder / "weights.safetensors"
    return Result(command="train", used=prepared.used, facts=facts, made=made, next=_next(prepared.found.kind))


def _started(config: TrainConfig, name: str, kind: str) -> RunInfo | None:
    """The run called `name`, if it was started. Raises CheckpointError when it trains another kind of model."""
    folder = Path(config.workspace) / "runs" / name
    if not (folder / "run.json").is_file():
        return None
    run = read_run(folder)
    if run.kind != kind:
        raise CheckpointError(f"{folder} is the run of a {run.kind} model, not {kind}", hint=OWN_NAME)
    return run


def _pack(config: TrainConfig, started: RunInfo | None) -> Found:
    """The pack named, or that of the run that was started, or the latest. Raises CheckpointError when two of them differ."""
    if started is None or config.pack is not None:
        pack = find_pack(config.workspace, config.pack)
        if started:
            _check_pack(started, pack.path)
        return pack
    if own := own_pack(started, config.workspace):
        return own
    raise CheckpointError(
        f"{started.path} was started on the pack {started.content['pack_path']}, which is not in {config.workspace}",
        hint=f"bring it back, or {OWN_NAME}",
    )


def _check_pack(started: RunInfo, pack: Path) -> None:
    """Raise CheckpointError when the run was started on another pack."""
    if sha256_file(pack / "manifest.json") != started.pack:
        raise CheckpointError(
            f"{started.path} was started on the pack {started.content['pack_path']}, not on {pack}",
            hint=f"leave pack= out to continue it, or {OWN_NAME}",
        )


def _latents(config: TrainConfig, pack: Path, started: RunInfo | None) -> tuple[str, str]:
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
    stores = LatentStore.available(pack)
    if not stores:
        raise ConfigError(
            f"{pack} has no latents", hint="train a first stage and encode: facecond train model=vq && facecond encode"
        )
    digest = stores[0].first_stage
    return digest, f"{stores[0].path} (the latest, of first stage {digest[:HASH_DIGITS]})"


def _hash_of(init: str | None) -> str | None:
    """SHA-256 of the weights to start from."""
    if init is None:
        return None
    place = Path(init)
    return sha256_file(place / "weights.safetensors" if place.is_dir() else place)


def _keep_codebook(config: FirstStageTrainingConfig, words: Sequence[str]) -> None:
    """Let a first stage that starts from weights go on with their codebook. Raises ConfigError when another is asked for."""
    if any(word.startswith("model.training.quantise_after=") for word in words) and config.quantise_after > 0:
        raise ConfigError(
            f"model.training.quantise_after={config.quantise_after:g}: the weights in init= bring a codebook",
            hint="leave quantise_after out, or start from scratch",
        )
    config.quantise_after = 0.0


def _initial(workspace: str, init: str, kind: str) -> Path:
    """The run or file that `init` names. Raises CheckpointError when it is neither."""
    if Path(init).is_file():
        return Path(init)
    if Path(init).suffix and not Path(init).is_dir():
        raise CheckpointError(
            f"init={init}: no such file", hint="was it moved? Name its new place; a run knows it by its content"
        )
    return find_run(workspace, init, kind).path


def _distinctive(choices: dict[str, str]) -> list[str]:
    """The choices that tell runs apart: the model, its size, and what differs from the default."""
    usual = {"denoiser": "unet", "weighting": "p2", "sampler": choices.get("sampler"), "size": None}
    parts = [choices["model"]]
    parts += [
        option for group, option in choices.items() if group not in ("model", "size") and usual.get(group) != option
    ]
    return [*parts, choices["size"]]


def _device_name(device: Device) -> str:
    if device is not Device.auto:
        return device.name
    if sys.platform == "linux" and not any(Path(place).exists() for place in GPU_DEVICES):
        return "cpu"  # without the seconds that importing torch takes
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _write_run(
    folder: Path, prepared: Prepared[TrainConfig, Training], pack: Any, weights_config: dict[str, Any]
) -> None:
    """Write run.json before anything else, or make sure that the run there is this one."""
    from facecond.training.state import MAY_CHANGE

    kind = prepared.found.kind
    config = {key: value for key, value in plain(prepared.config).items() if key in train_defaults(kind, {})}
    file = folder / "run.json"
    identity = {
        "kind": kind,
        "sha256 of the pack": sha256_file(pack.path / "manifest.json"),
        "sha256 of the first stage": prepared.found.latents,
        "sha256 of the initial weights": _hash_of(config["init"]),
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
        seen = read_json(done)["images_seen"] if done.is_file() else config["trainer"]["images"]
        if config["trainer"]["images"] > seen and config["trainer"]["schedule"] == "cosine":
            log.warning("the run was finished: with a longer cosine schedule its learning rate rises again")
        return
    write_json(
        file,
        {
            "format": RUN_FORMAT,
            "version": RUN_VERSION,
            "choices": prepared.composed.choices,
            "overrides": prepared.composed.overrides,
            "config": config,
            "weights_config": weights_config,
            **identity,
            "pack_path": str(pack.path),
            "resolution": pack.resolution,
            "code": {"facecond": __version__, "revision": revision()},
            "versions": versions(),
        },
    )


def _tell(event: Any) -> None:
    """Say what a waiting person wants to know; the progress bar says the rest."""
    figures = " ".join(f"{name} {value:.4g}" for name, value in event.figures.items())
    if event.kind in ("evaluation", "resume", "stopped"):
        log.info("%s at %d images %s", event.kind, event.images_seen, figures)
    elif event.kind == "training" and not sys.stderr.isatty():
        left = f", {event.seconds_left / 60:.1f} min left" if event.seconds_left is not None else ""
        log.info("%d of %d images%s %s", event.images_seen, event.images_total, left, figures)


def _last_evaluation(folder: Path) -> dict[str, float]:
    from facecond.io.records import read_records

    lines = [line for line in read_records(folder / "metrics.jsonl") if line.get("kind") == "evaluation"]
    return {name: value for name, value in (lines[-1] if lines else {}).items() if isinstance(value, float)}


def _next(kind: str) -> list[str]:
    return {
        "vq": ["facecond encode"],
        "diffusion": ["facecond sample", "facecond eval miou accuracy attributes"],
        "parser": ["facecond eval miou accuracy"],
        "classifier": ["facecond eval attributes"],
    }[kind]
