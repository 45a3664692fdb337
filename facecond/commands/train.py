"""`facecond train`: one model on one pack; running it again continues."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands.continuing import check_pack, choose_latents, choose_pack, started_run, write_run
from facecond.commands.defaults import choose_size
from facecond.commands.fitting import foresee, settle
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.commands.submit import device_of
from facecond.commands.timing import images_in, pace
from facecond.commands.uses import uses
from facecond.config.catalogue import kind_of
from facecond.config.commands.base import Device
from facecond.config.commands.train import (
    TrainConfig,
    TrainDiffusionConfig,
    TrainFirstStageConfig,
    TrainGenerativeConfig,
)
from facecond.config.compose import Composed, compose, quoted
from facecond.config.models import GENERATIVE
from facecond.config.settings import flatten, plain
from facecond.data.pack import read_manifest
from facecond.errors import CheckpointError, ConfigError
from facecond.io.runs import WEIGHTS
from facecond.progress import duration
from facecond.workspace.find import find_run, first_stage_of, train_defaults
from facecond.workspace.origin import check_guided, check_sampling

if TYPE_CHECKING:
    import torch

    from facecond.data.pack import Pack

__all__ = ["foresee", "prepare", "run"]

log = logging.getLogger("facecond")

GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""One of these is there on Linux when a driver for a GPU is (NVIDIA, AMD, Windows' subsystem)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """What is learnt from what."""

    kind: str
    """diffusion, maps, vq, parser or classifier."""
    pack: Path
    latents: str | None = None
    """Diffusion: hash of the first stage whose latents are learnt."""
    first_stage: Path | None = None
    """Diffusion: run or weights file of that first stage."""
    settled: list[str] = field(default_factory=list)
    """Overrides that replace those typed."""

    @property
    def of_kind(self) -> dict[str, Any]:
        """What the learner of this kind needs beside configuration and pack."""
        return {"latents": self.latents, "first_stage": self.first_stage} if self.kind == "diffusion" else {}


def prepare(words: Sequence[str]) -> Prepared[TrainConfig, Training]:
    """Check the configuration; find the pack, the size that fits it, and for a diffusion model the latents."""
    composed = compose("train", words)
    config: TrainConfig = composed.config
    kind = kind_of(composed.choices["model"])
    started = started_run(config, config.name, kind) if config.name else None
    pack = choose_pack(config, started)
    used = {"pack": str(pack)}
    found = Training(kind=kind, pack=pack.path)
    resolution = read_manifest(pack.path)["resolution"]
    size = None
    if "size" not in composed.choices:
        size, why = choose_size(resolution, device_of(config) or _device_name(config.device))
        if started and "size" in started.choices:
            size, why = started.choices["size"], "the run was started with it"
        composed = compose("train", words, size=size)
        config = composed.config
        used["size"] = f"{size} ({why})"
    name = config.name or "-".join([*_distinctive(composed.choices), pack.path.name])
    if started is None and (started := started_run(config, name, kind)):
        check_pack(started, pack.path)
    settled = []
    if config.init is not None:
        used["init"] = str(_initial(config.workspace, config.init, kind))
        settled.append(f"init={quoted(used['init'])}")
        if isinstance(config, TrainFirstStageConfig):
            settled += _keep_codebook(config, composed)
    if config.minutes is not None and composed.given("trainer.images"):
        raise ConfigError("minutes= and trainer.images= both say how long to train", hint="give one of them")
    if config.minutes is not None and started is not None:
        recorded = {key: flatten(started.config)[key] for key in pace(kind, 1)}
        settled += [f"{key}={value}" for key, value in recorded.items() if not composed.given(key)]
        used["images"] = f"{recorded['trainer.images']} (planned when the run was started)"
    if settled:
        composed = compose("train", words, size=size, above=settled)
        config = composed.config
    found = replace(found, settled=settled)
    if config.trainer.compile and kind not in GENERATIVE:
        raise ConfigError(f"trainer.compile=true has no meaning for a {kind} model", hint="leave it out")
    if config.trainer.recompute and kind not in (*GENERATIVE, "vq"):
        raise ConfigError(
            f"trainer.gradient_checkpointing=true has no meaning for a {kind}, whose batch normalisation would count twice",
            hint="leave it out",
        )
    if isinstance(config, TrainGenerativeConfig):
        config.model.told()
        check_sampling(config.model, config.sampler, config.guidance, "this run")
        check_guided(composed, config.model.conditions, "this model")
    if isinstance(config, TrainDiffusionConfig):
        latents, used["latents"] = choose_latents(config, pack.path, started)
        place = first_stage_of(config.workspace, latents, f"the latents of {pack.path}")
        found = replace(found, latents=latents, first_stage=place)
    return Prepared(composed=composed, name=name, used=used, found=found)


def run(prepared: Prepared[TrainConfig, Training]) -> Result:
    """Train to the end, or until stopped; a finished run is left as it is."""
    from facecond.assembly.training import learner as learner_of
    from facecond.data.pack import Pack
    from facecond.io.lock import hold
    from facecond.training.device import choose_device
    from facecond.training.loop import fit
    from facecond.training.run import divide

    prepared.announce()
    config = prepared.config
    folder, processes = Path(config.workspace) / "runs" / prepared.name, prepared.processes
    divide(config.trainer, processes)
    device = choose_device(config.device, processes)
    pack = Pack.open(prepared.found.pack)
    processes.all_do(lambda: settle(prepared, pack, device))
    config = prepared.config
    if config.minutes is not None and not (folder / "run.json").is_file():
        plan(prepared, pack, device)
        config = prepared.config
    found, composed = prepared.found, prepared.composed
    learner, weights_config = learner_of(found.kind, config, pack, device, **found.of_kind)
    with processes.first_enters(lambda: hold(folder)):
        processes.first_does(lambda: write_run(folder, composed, found.kind, pack, found.latents, weights_config))
        log.info("run: %s", folder)
        state = fit(
            learner, config.trainer, folder, weights_config=weights_config, processes=processes,
            defaults=train_defaults(found.kind, plain(config)),
            label=f"train {composed.choices['model']}", on_event=_tell,
        )  # fmt: skip
    facts: dict[str, Any] = {"images seen": state.images_seen, "finished": state.finished}
    facts |= _last_evaluation(folder)
    made = {"run": folder}
    if state.finished:
        made["weights"] = folder / WEIGHTS
    return Result(command="train", used=prepared.used, facts=facts, made=made, next=_next(prepared))


def plan(prepared: Prepared[TrainConfig, Training], pack: "Pack", device: "torch.device") -> None:
    """Turn minutes into images by a short timing, once; what follows from their number is set too, where nothing was typed.

    Raises ConfigError with several processes, whose timings would differ.
    """
    composed, found = prepared.composed, prepared.found
    config: TrainConfig = composed.config
    assert config.minutes is not None
    if prepared.processes.size > 1:
        raise ConfigError("minutes= is planned by one process", hint="say trainer.images=")
    images = images_in(config.minutes, found.kind, config, pack, device, found.of_kind)
    log.info("images: %d in about %g minutes on this machine", images, config.minutes)
    words = [f"{key}={value}" for key, value in pace(found.kind, images).items() if not composed.given(key)]
    size = composed.choices.get("size")
    prepared.composed = compose("train", composed.overrides, size=size, above=[*found.settled, *words])


def _keep_codebook(config: TrainFirstStageConfig, composed: Composed) -> list[str]:
    """Return overrides that let a first stage that starts from weights go on with their codebook.

    Raises ConfigError when another is asked for.
    """
    key, after = "model.training.quantise_after", config.model.training.quantise_after
    if composed.given(key) and after > 0:
        raise ConfigError(
            f"{key}={after:g}: the weights in init= bring a codebook",
            hint="leave quantise_after out, or start from scratch",
        )
    return [f"{key}=0"]


def _initial(workspace: str, init: str, kind: str) -> Path:
    """The run or file that `init` names. Raises CheckpointError when it is neither."""
    if Path(init).is_file():
        return Path(init)
    if Path(init).suffix and not any(
        (folder / "run.json").is_file() for folder in (Path(init), Path(workspace) / "runs" / init)
    ):
        raise CheckpointError(
            f"init={init}: no such file", hint="was it moved? Name the file where it is now; a run compares its content"
        )
    return find_run(workspace, init, kind).path


def _distinctive(choices: dict[str, str]) -> list[str]:
    """The choices that tell runs apart: the model, its size, and what differs from the default."""
    usual = {"denoiser": "unet", "weighting": "p2", "sampler": choices.get("sampler"), "size": None}
    apart = ("model", "size", "launcher")
    parts = [choices["model"]]
    parts += [option for group, option in choices.items() if group not in apart and usual.get(group) != option]
    return [*parts, choices["size"]]


def _device_name(device: Device) -> str:
    if device is not Device.auto:
        return device.name
    if sys.platform == "linux" and not any(Path(place).exists() for place in GPU_DEVICES):
        return "cpu"  # without the seconds that importing torch takes
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _tell(event: Any) -> None:
    """Log an event of the training; the progress bar shows the rest."""
    figures = " ".join(f"{name} {value:.4g}" for name, value in event.figures.items())
    if event.kind in ("evaluation", "resume", "stopped"):
        log.info("%s at %d images %s", event.kind, event.images_seen, figures)
    elif event.kind == "pace":
        speed, left = event.figures["images_per_second"], duration(event.seconds_left)
        log.info("%d images, %.3g a second here: about %s", event.images_total, speed, left)
    elif event.kind == "training" and not sys.stderr.isatty():
        left = f", {event.seconds_left / 60:.1f} min left" if event.seconds_left is not None else ""
        log.info("%d of %d images%s %s", event.images_seen, event.images_total, left, figures)


def _last_evaluation(folder: Path) -> dict[str, float]:
    from facecond.io.runs import read_lines

    lines = [line for line in read_lines(folder) if line["kind"] == "evaluation"]
    return {name: value for name, value in (dict(lines[-1]) if lines else {}).items() if isinstance(value, float)}


def _next(prepared: Prepared[TrainConfig, Training]) -> list[str]:
    """Commands that use what was trained, with the names the person gave."""
    config, kind = prepared.config, prepared.found.kind
    told = config.model.conditions if isinstance(config, TrainDiffusionConfig) else ()
    more = {"pack": config.pack} if kind == "vq" else {}
    return [prepared.suggest(command, **more, **{key: config.name}) for command, key in uses(kind, told)]
