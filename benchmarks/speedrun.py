"""How few images teach a small model: `python -m benchmarks.speedrun`. What came of it stands in docs/speedrun.md.

Every run learns the same drawn people at 64 px through the first stage that comes with the program, and is read by the judges
that come with it on the same 256 people: mask mIoU and attribute accuracy, sampled with 20 steps of DDIM and guidance 2 unless the
variant says otherwise. A variant is what differs from `BASE` in training, or in sampling alone; one called "record, ..." differs
from `RECORD`. The table has means over seeds, their difference from the variant `--beside` and its p-value (Welch's test,
two-sided); the target is reached where the means of both figures are above it with p < 0.01 (one-sided t-test over seeds).

What is measured is kept in `RESULTS` and not done again. `--device cuda --jobs 8` asks a GPU for the images; `--time` measures
seconds and operations of a training step on this machine, alone.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

from facecond.io.documents import write_json

if TYPE_CHECKING:
    import torch

BASE = [
    "model=multicond", "size=tiny", "model.target=velocity", "model.schedule.shape=straight", "trainer.optimizer=adamw",
    "model.denoiser.placed_tokens=attend", "model.mask.grid=8", "model.denoiser.patch=1", "model.denoiser.channel_mult=[1,2]",
]  # fmt: skip
"""What all variants have in common: the demo's model before any of them, whatever became the default since."""

TARGET = {"miou": 0.686, "attribute_accuracy": 0.906}
"""What a demo of 14 minutes reached on a processor with AMX, by weaker judges (benchmarks/results/2026-11-23-demo.md)."""

PEOPLE, HELD_OUT, SET = 16384, 512, "drawn64"

RESULTS = Path(__file__).parent / "results" / "speedrun.json"
"""Settings of a series (`Settings.series`) -> variant -> seed -> figures; and what `--time` found, variant -> `Speed`."""

KEPT = (*TARGET, "attribute_balanced_mask_free", "attribute_balanced_mask_implied")
"""The figures of a run that are kept."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from `BASE`."""

    train: tuple[str, ...] = ()
    sample: tuple[str, ...] = ()
    images: float = 1.0
    """Times the images of the others, for a network that learns faster by the clock."""
    of: str = ""
    """The variant whose training is sampled; none = a training of its own."""


RECORD = Variant(train=(
    "trainer.optimizer=muon", "model.denoiser.patch=2", "model.denoiser.channel_mult=[2]", "model.denoiser.placed_tokens=add",
    "model.mask.grid=16",
), images=2.0)  # fmt: skip
"""What learnt fastest until now."""

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
    "Muon, patches of 2, 16 x 16 map tokens added, 2 x the images": RECORD,
    **{f"record, {name}": Variant(train=(*RECORD.train, *words), images=RECORD.images) for name, words in {
        "AdamW": ("trainer.optimizer=adamw",),
        "attention alone": ("model.denoiser.placed_tokens=attend", "model.mask.grid=8"),
        "nearest of 8 noises": ("model.noise_candidates=8",),
        "logit-normal levels": ("model.schedule.levels=logit_normal",),
        "x0": ("model.target=x0",),
        "eps, linear_sqrt": ("model.target=eps", "model.schedule.shape=linear_sqrt"),
        "v, linear_sqrt": ("model.target=v", "model.schedule.shape=linear_sqrt"),
        "uniform weighting": ("weighting=uniform",),
        "min-SNR": ("weighting=min_snr",),
        "batch 4": ("trainer.batch_size=4",),
        "batch 16": ("trainer.batch_size=16",),
        "rate 2e-3": ("trainer.learning_rate=2e-3",),
        "EMA 0.999": ("trainer.ema_decay=0.999",),
        "half the withholding": ("model.condition_dropout=0.05", "model.partial_dropout=0.05"),
        "no mirroring": ("trainer.flips=false",),
    }.items()},
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
    "Muon, patches of 2, 16 x 16 map tokens added, 2 x the images, eta 1, guidance 3": Variant(
        of="Muon, patches of 2, 16 x 16 map tokens added, 2 x the images", sample=("sampler.eta=1", "guidance.scale=3"),
    ),
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
    results: Path = RESULTS

    @property
    def series(self) -> str:
        """What runs that are compared have in common, for people."""
        return f"{self.images} images, {self.count} people"

    def kept(self) -> dict[str, Any]:
        """All that is kept so far."""
        return json.loads(self.results.read_text()) if self.results.is_file() else {}

    def of(self, variant: str) -> dict[str, dict[str, float]]:
        """Figures of a variant by seed."""
        seeds: dict[str, dict[str, float]] = self.kept().get(self.series, {}).get(variant, {})
        return seeds

    def keep(self, place: Sequence[str], what: Any) -> None:
        """Write one entry; for one process at a time."""
        whole = self.kept()
        inner = whole
        for key in place[:-1]:
            inner = inner.setdefault(key, {})
        inner[place[-1]] = what
        write_json(self.results, whole)


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


def run(settings: Settings, variants: list[str], seed: int, until: float) -> dict[str, dict[str, float]]:
    """Train the first of the variants from one seed, sample and measure it as all of them say that are not measured.

    Returns figures by variant; none when time is over.
    """
    missing = [variant for variant in variants if str(seed) not in settings.of(variant)]
    if not missing or time.time() > until:
        return {}
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
    return {variant: measure(settings, variant, name) for variant in missing}


def common(settings: Settings) -> list[str]:
    """Words of every command."""
    return [f"workspace={settings.workspace}", "pack=speedrun", f"device={settings.device}"]


def measure(settings: Settings, variant: str, name: str) -> dict[str, float]:
    """Sample the run called `name` as a variant says and measure that."""
    from facecond.commands import eval as evaluate
    from facecond.commands.steps import run_command

    made = run_command(evaluate, [
        *common(settings), f"run={name}", "measures=[miou,attributes]", f"count={settings.count}", f"parser={SET}-parser",
        f"classifier={SET}-classifier", *VARIANTS[variant].sample,
    ])  # fmt: skip
    figures = {each["name"]: each["value"] for each in json.loads(Path(made["results"]).read_text())["figures"]}
    return {name: round(figures[name], 5) for name in KEPT}


class Speed(NamedTuple):
    """What an image costs in training on this machine."""

    milliseconds: float
    gflop: float
    """Multiplications and additions of products and convolutions, forward and backward; the optimiser's are not counted."""
    peak: float
    """GFLOP/s of a large product here, at the same time."""


def speed(variant: str, settings: Settings) -> Speed:
    """Time a variant's training, with all cores and nothing beside, and count its operations."""
    import tempfile

    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from facecond.commands.timing import drawn_pack, time_training, write_noise_latents
    from facecond.config.training import Precision
    from facecond.training.learner import Draws, Step

    device = torch.device(settings.device)
    with tempfile.TemporaryDirectory() as folder:
        pack = drawn_pack(Path(folder) / "pack", 64, faces=300, validation=8)
        write_noise_latents(pack)
        words = [*BASE, *VARIANTS[variant].train, "trainer.capture=never", "trainer.precision=float32"]
        seconds, learner = time_training(words, pack, device, seconds=4.0)
        items = learner.items(0, 8)
        step = Step(items.indices_B, items.flips_B, 0, 8, Draws(0, 0, 8), device, Precision.float32, whole=True)
        with FlopCounterMode(display=False) as counted:
            answer = learner.loss(learner.phases[0].name, step)
            assert answer is not None
            answer[0].backward()
    return Speed(round(seconds * 1000, 2), round(counted.get_total_flops() / 8 / 1e9, 3), round(peak(device), 1))


def peak(device: torch.device) -> float:
    """GFLOP/s of a float32 product of 2048 x 2048, the best of a few."""
    import torch

    matrix = torch.randn(2048, 2048, device=device)
    took = []
    for _ in range(6):
        began = time.perf_counter()
        float((matrix @ matrix)[0, 0])
        took.append(time.perf_counter() - began)
    return float(2 * 2048**3 / min(took) / 1e9)


def table(settings: Settings, variants: Sequence[str], beside: str = "base") -> str:
    """What was measured, as Markdown, compared with one of the variants."""
    from scipy import stats

    rows = [
        f"| variant, {settings.images} images | seeds | mask mIoU | beside base | p | attributes | beside base | p "
        "| mask-free balanced | target | GFLOP an image | ms | of the peak |",
        "|---|---:|" + "---:|" * 11,
    ]
    kept, base = settings.kept().get("speed", {}), found(settings, beside)
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
            compared = variant != beside and len(of) > 1 and len(base[name]) > 1
            p = stats.ttest_ind(of, base[name], equal_var=False).pvalue if compared else None
            cells += [f"{mean(of) - mean(base[name]):+.3f}", f"{p:.3f}"] if p is not None else ["", ""]
            reached.append(len(of) > 1 and stats.ttest_1samp(of, aim, alternative="greater").pvalue < 0.01)
        cells.append(f"{mean(values['attribute_balanced_mask_free']):.3f}")
        cells.append("reached" if all(reached) else "")
        if timed := kept.get(VARIANTS[variant].of or variant):
            cost = Speed(**timed)
            cells += [
                f"{cost.gflop:.2f}",
                f"{cost.milliseconds:.1f}",
                f"{cost.gflop / cost.milliseconds * 1000 / cost.peak:.0%}",
            ]
        else:
            cells += ["", "", ""]
        rows.append(f"| {variant} | {len(values['miou'])} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def found(settings: Settings, variant: str) -> dict[str, list[float]]:
    """The values of each figure over the seeds that were measured."""
    values = defaultdict(list)
    for figures in settings.of(variant).values():
        for name, value in figures.items():
            values[name].append(value)
    return values


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
    words.add_argument(
        "--beside", choices=VARIANTS, default="base", help="the variant that the others are compared with"
    )
    words.add_argument("--stop-after", type=float, default=float("inf"), help="seconds after which no run is begun")
    words.add_argument(
        "--time", action="store_true", help="time each training, alone, and count its operations; train nothing"
    )
    words.add_argument("--table", action="store_true", help="print the table of what there is, and run nothing")
    options = words.parse_args()
    settings = Settings(options.workspace, options.device, options.images, options.count)
    if options.time:
        for name in options.only:
            if not VARIANTS[name].of:
                settings.keep(["speed", name], speed(name, settings)._asdict())
    elif not options.table:
        until = time.time() + options.stop_after
        prepare(settings)
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // options.jobs))
        groups = {name: [name] for name in options.only if not VARIANTS[name].of}
        for name in options.only:
            if of := VARIANTS[name].of:
                groups.setdefault(of, [of]).append(name)
        with workers(options.jobs) as pool:
            work = {
                pool.submit(run, settings, group, seed, until): seed
                for seed in range(options.seeds)
                for group in groups.values()
            }
            for each in as_completed(work):
                for variant, figures in each.result().items():
                    settings.keep([settings.series, variant, str(work[each])], figures)
                    print(
                        f"{variant}, seed {work[each]}:",
                        *(f"{name} {figures[name]:.3f}" for name in TARGET),
                        flush=True,
                    )
    print(table(settings, options.only, options.beside))


if __name__ == "__main__":
    main()
