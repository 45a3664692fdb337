"""The demo's plan: minutes become numbers of images, once, from a short timing on this machine.

The numbers are written down. A continued demo, or the same plan on a slower machine, learns from exactly the same images.
"""

import dataclasses
import logging
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from facecond.config.commands import DemoConfig, TrainConfig
from facecond.config.compose import compose
from facecond.errors import DataError
from facecond.io.files import read_json, write_json

log = logging.getLogger("facecond")

SHARES = {"vq": 0.34, "parser": 0.08, "classifier": 0.08, "multicond": 0.50}
"""How the time left for learning is divided. The first stage bounds what samples can reach, so it gets its share first."""

LEAST = {"vq": 1600, "parser": 1600, "classifier": 1600, "multicond": 3200}
"""Images below which a model is not worth having."""

STEPS, EVALUATIONS = 20, 2
"""Sampling steps of the demo, and evaluations of the U-Net per step (guidance)."""

FORWARD = 0.25
"""Time of a forward pass as a share of a training step's."""

START = 10
"""Seconds for imports, evaluations and pictures."""

LONG = 8
"""Minutes from which a demo draws and encodes all its faces; a shorter one makes do with fewer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo will do."""

    minutes: float
    seed: int
    count: int
    """Validation conditions sampled and measured."""
    faces: int
    validation: int
    images: dict[str, int]
    """Images each model learns from."""
    seconds: dict[str, float]
    """Estimated time of each step on the machine that was timed."""
    machine: str

    @property
    def total(self) -> float:
        """Estimated time of everything, seconds."""
        return sum(self.seconds.values())


def make_plan(config: DemoConfig, folder: Path) -> Plan:
    """Return the plan written in `folder`, or time this machine and write one.

    Raises DataError when the plan there was made for other settings.
    """
    file = folder / "plan.json"
    if file.is_file():
        plan = Plan(**read_json(file))
        for key in ("minutes", "seed", "count"):
            if getattr(plan, key) != getattr(config, key):
                raise DataError(
                    f"{file} was made with {key}={getattr(plan, key)}, not {getattr(config, key)}",
                    hint="give this demo a name of its own: name=...",
                )
        return plan
    log.info("timing this machine for %g minutes of demo", config.minutes)
    began = time.monotonic()
    speeds = measure(config)
    plan = divide(config, speeds, overhead=time.monotonic() - began + START)
    write_json(file, dataclasses.asdict(plan))
    return plan


def divide(config: DemoConfig, speeds: dict[str, float], overhead: float) -> Plan:
    """Turn minutes into images, given seconds per image of each kind of work and what was and will be spent besides."""
    faces, validation = (
        (8704, max(config.count, 512)) if config.minutes >= LONG else (3072 + config.count, config.count)
    )
    samples = config.count + 96
    fixed = {
        "timing and start": overhead,
        "draw": faces * speeds["draw"],
        "encode": 2 * faces * speeds["encode"],
        "sample": samples * STEPS * EVALUATIONS * speeds["multicond"] * FORWARD,
        "measure": 3 * config.count * (speeds["parser"] + speeds["classifier"]) * FORWARD + 10,
    }
    left = max(config.minutes * 60 - sum(fixed.values()), 0.0)
    images = {name: max(LEAST[name], int(left * share / speeds[name]) // 160 * 160) for name, share in SHARES.items()}
    seconds = fixed | {name: count * speeds[name] for name, count in images.items()}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return Plan(config.minutes, config.seed, config.count, faces, validation, images, seconds, machine)


def overrides(name: str, plan: Plan) -> list[str]:
    """What differs from the tiny configurations in the demo's training of one model."""
    total = plan.images[name]
    words = [
        f"model={name}", "size=tiny", f"trainer.seed={plan.seed}", f"trainer.images={total}",
        f"trainer.warmup_images={max(64, total // 40)}", f"trainer.evaluate_every={max(1600, total // 4)}",
        f"trainer.checkpoint_every={max(1600, total // 8)}", f"trainer.log_every={max(160, total // 100)}",
        "trainer.tensorboard=false",
    ]  # fmt: skip
    if name == "vq":
        words.append(f"model.training.restart_every={max(800, total // 40)}")
    return words


def measure(config: DemoConfig) -> dict[str, float]:
    """Return seconds per image of drawing, encoding and of training each model, measured in a few seconds each."""
    import numpy as np
    import torch

    from facecond import build
    from facecond.autoencoder.vq import VQModel
    from facecond.config.data import DrawnConfig
    from facecond.data.latents import LatentWriter
    from facecond.data.packing import pack_source
    from facecond.training.timing import seconds_per_image

    device = build.choose_device(config.device)
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        source = build.open_source(DrawnConfig(count=160, validation=32))
        began = time.perf_counter()
        pack = pack_source(source, Path(folder) / "pack", config.resolution, workers=1)
        speeds["draw"] = (time.perf_counter() - began) / len(pack)
        side = config.resolution // 4
        writer = LatentWriter(pack.path, "0" * 64, count=len(pack), shape=(3, side, side), flips=True)
        latents = np.random.default_rng(0).standard_normal((len(pack), 3, side, side))
        writer.write(slice(0, len(pack)), latents, latents)
        writer.finish(pack.indices("train"))
        for name in SHARES:
            words = [f"model={name}", "size=tiny", "trainer.sample_grid=0", f"device={config.device.name}"]
            train: TrainConfig = compose("train", words).config
            kind = "diffusion" if name == "multicond" else name
            of_kind = {"latents": "0" * 64, "first_stage": None} if kind == "diffusion" else {}
            learner, _ = build.learner(kind, train, pack, device, **of_kind)
            speeds[name] = seconds_per_image(learner, train.trainer, seconds=2)
            if name == "vq":
                model: VQModel = learner.modules["first_stage"]  # type: ignore[assignment]
                images = torch.zeros(32, 3, config.resolution, config.resolution, device=device)
                with torch.inference_mode():
                    model.encode(images).sum().item()
                    began = time.perf_counter()
                    model.encode(images).sum().item()
                speeds["encode"] = (time.perf_counter() - began) / len(images)
    return speeds
