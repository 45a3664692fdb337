"""How few images teach a small model: `python -m benchmarks.speedrun`. What came of it stands in docs/speedrun.md.

Every run learns the same drawn people at 64 px through the first stage that comes with the program, and is read by the judges
that come with it on the same 256 people: mask mIoU and attribute accuracy, sampled with 20 steps of DDIM and guidance 2 unless the
variant says otherwise. A variant is what differs from `BASE` in training, or in sampling alone. The table has means over seeds,
their difference from `base` and its p-value (Welch's test, two-sided); the target is reached where the means of both figures are
above it with p < 0.01 (one-sided t-test over seeds).

What is finished is not done again. `--device cuda --jobs 8` asks a GPU for the images; seconds are this machine's, asked for with
`--time`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import mean

BASE = ["model=multicond", "size=tiny", "model.target=velocity", "model.schedule.shape=straight"]
"""What all variants have in common: the demo's model before any of them."""

TARGET = {"miou": 0.686, "attribute_accuracy": 0.906}
"""What a demo of 14 minutes reached on a processor with AMX, by weaker judges (benchmarks/results/2026-11-23-demo.md)."""

PEOPLE, HELD_OUT, SET = 16384, 512, "drawn64"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from `BASE`."""

    train: tuple[str, ...] = ()
    sample: tuple[str, ...] = ()
    images: float = 1.0
    """Times the images of the others, for a network that learns faster by the clock."""
    of: str = ""
    """The variant whose training is sampled; none = a training of its own."""


VARIANTS = {
    "base": Variant(),
    "Muon": Variant(train=("trainer.optimizer=muon",)),
    "Muon, rate 2e-3": Variant(train=("trainer.optimizer=muon", "trainer.learning_rate=2e-3")),
    "Muon, logit-normal levels": Variant(train=("trainer.optimizer=muon", "model.schedule.levels=logit_normal")),
    "Muon, batch 16": Variant(train=("trainer.optimizer=muon", "trainer.batch_size=16")),
    "Muon, map tokens added": Variant(train=("trainer.optimizer=muon", "model.denoiser.placed_tokens=add")),
    "Muon, 16 x 16 map tokens added": Variant(train=(
        "trainer.optimizer=muon", "model.denoiser.placed_tokens=add", "model.mask.grid=16",
    )),
    "Muon, patches of 2, map tokens added, 2 x the images": Variant(train=(
        "trainer.optimizer=muon", "model.denoiser.patch=2", "model.denoiser.channel_mult=[2]", "model.denoiser.placed_tokens=add",
    ), images=2.0),
    **{f"Muon, {name}": Variant(train=("trainer.optimizer=muon", *words), images=images) for name, words, images in (
        ("48 channels, 1.4 x the images", (
            "model.denoiser.model_channels=48", "model.denoiser.head_channels=48", "model.denoiser.norm_groups=16",
        ), 1.4),
        ("patches of 2, 2 x the images", ("model.denoiser.patch=2", "model.denoiser.channel_mult=[2]"), 2.0),
        ("patches of 2, attention beside each block, 1.3 x the images", (
            "model.denoiser.patch=2", "model.denoiser.channel_mult=[2]", "model.denoiser.attention_downsamplings=[1]",
        ), 1.3),
    )},
    "nearest of 8 noises": Variant(train=("model.noise_candidates=8",)),
    "eps": Variant(train=("model.target=eps", "model.schedule.shape=linear_sqrt")),
    "x0": Variant(train=("model.target=x0", "model.schedule.shape=linear_sqrt")),
    "v": Variant(train=("model.target=v", "model.schedule.shape=linear_sqrt")),
    "logit-normal levels": Variant(train=("model.schedule.levels=logit_normal",)),
    "uniform weighting": Variant(train=("weighting=uniform",)),
    "min-SNR": Variant(train=("weighting=min_snr",)),
    "EMA 0.999": Variant(train=("trainer.ema_decay=0.999",)),
    "batch 4": Variant(train=("trainer.batch_size=4",)),
    "batch 16": Variant(train=("trainer.batch_size=16",)),
    "rate 2e-3": Variant(train=("trainer.learning_rate=2e-3",)),
    "joint withholding": Variant(train=("model.joint_dropout=0.1",)),
    "half the withholding": Variant(train=("model.condition_dropout=0.05", "model.partial_dropout=0.05")),
    "no mirroring": Variant(train=("trainer.flips=false",)),
    "tokens without places": Variant(train=("model.denoiser.position=none",)),
    "attributes as a token alone": Variant(train=("model.denoiser.global_tokens=attend",)),
    "two blocks a level": Variant(train=("model.denoiser.num_res_blocks=2",)),
    "attention at 16x16": Variant(train=("model.denoiser.attention_downsamplings=[1,2]",)),
    "48 channels": Variant(train=(
        "model.denoiser.model_channels=48", "model.denoiser.head_channels=48", "model.denoiser.norm_groups=16",
    )),
    "96 channels": Variant(train=("model.denoiser.model_channels=96", "model.denoiser.head_channels=64")),
    **{f"guidance {scale:g}": Variant(of="base", sample=(f"guidance.scale={scale:g}",)) for scale in (1, 1.5, 3, 4)},
    "eta 1": Variant(of="base", sample=("sampler.eta=1",)),
    **{f"{steps} steps": Variant(of="base", sample=(f"sampler.steps={steps}",)) for steps in (10, 50)},
    "dpmpp, 10 steps": Variant(of="base", sample=("sampler=dpmpp", "sampler.steps=10")),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Where and on what."""

    workspace: str
    device: str
    images: int
    count: int


def prepare(settings: Settings) -> None:
    """Draw the people and encode them, once."""
    from facecond.commands import data_draw, encode
    from facecond.commands.steps import run_command

    pack = Path(settings.workspace) / "packs" / "speedrun"
    if not (pack / "manifest.json").is_file():
        run_command(data_draw, [
            f"workspace={settings.workspace}", "name=speedrun", f"data.count={PEOPLE + HELD_OUT}", f"data.validation={HELD_OUT}",
            "resolution=64",
        ])  # fmt: skip
    run_command(
        encode,
        [f"workspace={settings.workspace}", f"pack={pack}", f"first_stage={SET}-vq", f"device={settings.device}"],
    )


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, also when it is stopped before its work is done."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
    try:
        yield pool
    except BaseException:
        for child in active_children():
            child.kill()  # whole trainings are kept, no parts of one
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGTERM, before)


def run_name(variant: str, images: int, seed: int) -> str:
    """The name of a run in the workspace."""
    return f"speedrun-{variant.replace(' ', '-').replace(',', '')}-{images}-{seed}"


def measured_in(settings: Settings, variant: str, seed: int) -> Path:
    """Where the figures of one run are kept."""
    folder = Path(settings.workspace) / "speedrun" / f"{settings.count}-people"
    return folder / f"{run_name(variant, settings.images, seed)}.json"


def run(settings: Settings, variants: list[str], seed: int, until: float) -> list[str]:
    """Train the first of the variants from one seed, and sample and measure it as all of them say; nothing when time is over."""
    missing = [variant for variant in variants if not measured_in(settings, variant, seed).is_file()]
    if not missing or time.time() > until:
        return []
    from facecond.commands import train
    from facecond.commands.steps import run_command
    from facecond.commands.timing import pace

    name, images = run_name(variants[0], settings.images, seed), round(settings.images * VARIANTS[variants[0]].images)
    if not (Path(settings.workspace) / "runs" / name / "done.json").is_file():
        keys = pace("diffusion", images) | {"trainer.evaluate_every": images, "trainer.checkpoint_every": images}
        run_command(train, [
            *common(settings), *BASE, *VARIANTS[variants[0]].train, *(f"{key}={value}" for key, value in keys.items()),
            f"trainer.seed={seed}", f"name={name}", f"first_stage={SET}-vq", "trainer.tensorboard=false",
            "trainer.sample_grid=0",
        ])  # fmt: skip
    return [measure(settings, variant, seed, name) for variant in missing]


def common(settings: Settings) -> list[str]:
    """Words of every command."""
    return [f"workspace={settings.workspace}", "pack=speedrun", f"device={settings.device}"]


def measure(settings: Settings, variant: str, seed: int, name: str) -> str:
    """Sample the run called `name` as a variant says, measure that, and keep the figures."""
    from facecond.commands import eval as evaluate
    from facecond.commands.steps import run_command

    made = run_command(evaluate, [
        *common(settings), f"run={name}", "metrics=[miou,attributes]", f"count={settings.count}", f"parser={SET}-parser",
        f"classifier={SET}-classifier", *VARIANTS[variant].sample,
    ])  # fmt: skip
    figures = {each["name"]: each for each in json.loads(Path(made["results"]).read_text())["figures"]}
    file = measured_in(settings, variant, seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"figures": figures}))
    return f"{file.stem}: " + ", ".join(f"{name} {figures[name]['value']:.3f}" for name in TARGET)


def seconds_per_image(variant: str, settings: Settings) -> float:
    """Seconds one image takes in training here, both cores, nothing beside."""
    import tempfile

    import torch

    from facecond.commands.timing import drawn_pack, time_training, write_noise_latents

    with tempfile.TemporaryDirectory() as folder:
        pack = drawn_pack(Path(folder) / "pack", 64, faces=300, validation=8)
        write_noise_latents(pack)
        words = [*BASE, *VARIANTS[variant].train]
        return time_training(words, pack, torch.device(settings.device), seconds=4.0)[0]


def found(settings: Settings, variant: str) -> dict[str, list[float]]:
    """The values of each figure over the seeds that were measured."""
    values = defaultdict(list)
    for file in sorted(
        measured_in(settings, variant, 0).parent.glob(f"{run_name(variant, settings.images, 0)[:-1]}*.json")
    ):
        if file.stem.rpartition("-")[2].isdigit():
            for name, figure in json.loads(file.read_text())["figures"].items():
                values[name].append(figure["value"])
    return values


def table(settings: Settings, variants: list[str], timed: dict[str, float]) -> str:
    """What was measured, as Markdown."""
    from scipy import stats

    rows = [
        f"| variant, {settings.images} images | seeds | mask mIoU | beside base | p | attributes | beside base | p "
        "| mask-free balanced | target | ms an image |",
        "|---|---:|" + "---:|" * 9,
    ]
    base = found(settings, "base")
    for variant in variants:
        values = found(settings, variant)
        if not values:
            continue
        cells, reached = [], []
        for name, aim in TARGET.items():
            of = values[name]
            cells.append(
                f"{mean(of):.3f}" + (f" ± {stats.t.ppf(0.975, len(of) - 1) * stats.sem(of):.3f}" if len(of) > 1 else "")
            )
            compared = variant != "base" and len(of) > 1 and len(base[name]) > 1
            p = stats.ttest_ind(of, base[name], equal_var=False).pvalue if compared else None
            cells += [f"{mean(of) - mean(base[name]):+.3f}", f"{p:.3f}"] if p is not None else ["", ""]
            reached.append(len(of) > 1 and stats.ttest_1samp(of, aim, alternative="greater").pvalue < 0.01)
        cells.append(f"{mean(values['attribute_balanced_mask_free']):.3f}")
        cells.append("reached" if all(reached) else "")
        cells.append(f"{timed[variant] * 1000:.1f}" if variant in timed else "")
        rows.append(f"| {variant} | {len(values['miou'])} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Run what is missing and print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--workspace", default="outputs/speedrun")
    words.add_argument("--images", type=int, default=16000, help="images each run learns from")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--count", type=int, default=256, help="people whose conditions are sampled")
    words.add_argument("--jobs", type=int, default=2, help="runs at once")
    words.add_argument("--device", default="auto")
    words.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    words.add_argument("--stop-after", type=float, default=float("inf"), help="seconds after which no run is begun")
    words.add_argument("--time", action="store_true", help="time each training first, alone")
    words.add_argument("--table", action="store_true", help="print the table of what there is, and run nothing")
    options = words.parse_args()
    settings = Settings(options.workspace, options.device, options.images, options.count)
    timed = {}
    if not options.table:
        until = time.time() + options.stop_after
        if options.time:
            timed = {name: seconds_per_image(name, settings) for name in options.only if not VARIANTS[name].of}
        prepare(settings)
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // options.jobs))
        with workers(options.jobs) as pool:
            groups = {name: [name] for name in options.only if not VARIANTS[name].of}
            for name in options.only:
                if of := VARIANTS[name].of:
                    groups.setdefault(of, [of]).append(name)
            work = [
                pool.submit(run, settings, group, seed, until)
                for seed in range(options.seeds)
                for group in groups.values()
            ]
            for each in work:
                for line in each.result():
                    print(line, flush=True)
    print(table(settings, options.only, timed))


if __name__ == "__main__":
    main()
