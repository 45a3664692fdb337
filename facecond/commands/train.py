"""`facecond train`: one model on one pack; running it again continues."""

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facecond import __version__
from facecond.commands.defaults import check_guided, check_sampling, choose_size, names_size
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.commands.workspace import RUN_FORMAT, RUN_VERSION, find_first_stage, find_pack, find_run, first_stage_of
from facecond.config.catalogue import kind_of
from facecond.config.commands import NO_FIRST_STAGE, Device, TrainConfig
from facecond.config.compose import compose, plain
from facecond.config.diffusion import DiffusionConfig
from facecond.config.training import FirstStageTrainingConfig
from facecond.errors import CheckpointError, ConfigError
from facecond.io.files import read_json, sha256_file, write_json

log = logging.getLogger("facecond")

NOT_COMPARED = ("workspace", "device", "name", "pack", "first_stage", "init")
"""Keys that may differ when a run is continued, besides those of the trainer that do not decide what the weights become. (Which
pack, first stage and initial weights is compared by content.)"""

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
    pack = find_pack(config.workspace, config.pack)
    used = {"pack": str(pack)}
    found = Training(kind=kind, pack=pack.path)
    resolution = read_json(pack.path / "manifest.json")["resolution"]
    if not names_size(words):
        size, why = choose_size(resolution, _device_name(config.device))
        composed = compose("train", words, size=size)
        config = composed.config
        used["size"] = f"{size} ({why})"
    if config.init is not None:
        config.init = str(_initial(config.workspace, config.init, kind))
        used["init"] = config.init
        if kind == "vq":
            _keep_codebook(config.model.training, words)  # type: ignore[attr-defined]
    if config.trainer.compile and kind != "diffusion":
        raise ConfigError(f"trainer.compile=true has no meaning for a {kind} model", hint="leave it out")
    if kind == "diffusion":
        _take_resolution(config.model, words, pack.path, resolution)  # type: ignore[arg-type]
        latents, used["latents"] = _latents(config, pack.path)
        place = first_stage_of(config.workspace, latents, f"the latents of {pack.path}")
        found = Training(kind=kind, pack=pack.path, latents=latents, first_stage=place)
        check_sampling(plain(config.model), config.sampler, config.guidance, "this run")
        check_guided(words, config.model.conditions, "this model")  # type: ignore[attr-defined]
    name = config.name or "-".join([*_distinctive(composed.choices), pack.path.name])
    return Prepared(composed=composed, name=name, used=used, found=found)


def run(prepared: Prepared[TrainConfig, Training]) -> Result:
    """Train to the end, or until stopped; a finished run is left as it is."""
    from facecond import build
    from facecond.data.pack import Pack
    from facecond.training.loop import fit
    from facecond.training.run import divide

    prepared.announce()
    config = prepared.config
    folder, processes = Path(config.workspace) / "runs" / prepared.name, prepared.processes
    divide(config.trainer, processes)
    device = build.choose_device(config.device, processes)
    pack = Pack.open(prepared.found.pack)
    learner, weights_config = build.learner(prepared.found.kind, config, pack, device, **prepared.found.of_kind)
    processes.first_does(lambda: _write_run(folder, prepared, pack, weights_config))
    log.info("run: %s", folder)
    state = fit(
        learner, config.trainer, folder, weights_config=weights_config, processes=processes,
        label=f"train {prepared.composed.choices['model']}", on_event=_tell,
    )  # fmt: skip
    facts: dict[str, Any] = {"images seen": state.images_seen, "finished": state.finished}
    facts |= _last_evaluation(folder)
    made = {"run": folder}
    if state.finished:
        made["weights"] = folder / "weights.safetensors"
    return Result(command="train", used=prepared.used, facts=facts, made=made, next=_next(prepared.found.kind))


def _latents(config: TrainConfig, pack: Path) -> tuple[str, str]:
    """Hash of the first stage whose latents to learn ("none" for the pictures themselves), and a sentence about it."""
    from facecond.data.latents import HASH_DIGITS, LatentStore

    if config.first_stage == NO_FIRST_STAGE:
        return NO_FIRST_STAGE, "the pictures themselves (first_stage=none)"
    if config.first_stage is not None:
        place = find_first_stage(config.workspace, config.first_stage).path
        digest = sha256_file(place / "weights.safetensors" if place.is_dir() else place)
        store = LatentStore.open(pack, digest)
        return store.first_stage, f"{store.path} (of the first stage named)"
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


def _take_resolution(model: DiffusionConfig, words: Sequence[str], pack: Path, resolution: int) -> None:
    """Let the mask encoder read maps as large as the pack's. Raises ConfigError when the person names another size."""
    if any(word.startswith("model.mask.resolution=") for word in words) and model.mask.resolution != resolution:
        raise ConfigError(
            f"model.mask.resolution={model.mask.resolution}: the label maps of {pack} have {resolution} px",
            hint="leave it out; it is taken from the pack",
        )
    model.mask.resolution = resolution


def _initial(workspace: str, init: str, kind: str) -> Path:
    """The run or file that `init` names. Raises CheckpointError when it is neither."""
    if Path(init).is_file():
        return Path(init)
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

    config = plain(prepared.config)
    file = folder / "run.json"
    identity = {
        "sha256 of the pack": sha256_file(pack.path / "manifest.json"),
        "sha256 of the first stage": prepared.found.latents,
        "sha256 of the initial weights": _hash_of(config["init"]),
    }
    if file.is_file():
        content = read_json(file)
        before, now = _flat(content["config"]), _flat(config)
        before |= {key: str(content.get(key)) for key in identity}
        now |= {key: str(value) for key, value in identity.items()}
        for name in sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key)):
            if name in NOT_COMPARED or name.removeprefix("trainer.") in MAY_CHANGE:
                continue
            raise CheckpointError(
                f"{folder} was started with {name}={before.get(name)}, not {name}={now.get(name)}",
                hint="give the new run a name of its own: name=...",
            )
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
            "kind": prepared.found.kind,
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


def revision() -> str | None:
    """Commit of the checkout the program runs from; None when it does not run from one."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / ".git").exists():
        return None
    answer = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def _flat(values: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(values, dict):
        return {prefix: repr(values)}
    return {
        k: v for key, value in values.items() for k, v in _flat(value, f"{prefix}.{key}" if prefix else key).items()
    }


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
