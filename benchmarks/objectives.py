"""Answers, denoisers and conditions beside one another at equal images: `python -m benchmarks.objectives`.

Trains each variant from several seeds on the pack, the first stage and the judges that `facecond demo` left, measures
samples of the same validation conditions, and prints a table: mean over seeds, and half of its 95 % interval (Student's,
over seeds). What is finished is not done again. Variants share the processors; each process gets its part of the threads.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

VARIANTS = {
    "eps": ["model=multicond"],
    "joint": ["model=multicond", "model.joint_dropout=0.1"],
    "v": ["model=multicond", "model.target=v"],
    "x0": ["model=multicond", "model.target=x0"],
    "flow": ["model=multicond", "model.target=velocity", "model.schedule.shape=straight"],
    "pixels": ["model=multicond", "first_stage=none", "model.target=x0", "model.denoiser.patch=4"],
    "transformer": ["model=multicond", "denoiser=transformer"],
    "sketch": ["model=sketch"],
    "sketch_attr": ["model=sketch_attr"],
}
"""What differs between them."""

FIGURES = {
    "miou": "mask mIoU", "mask_accuracy": "mask accuracy", "attribute_accuracy": "attributes",
    "attribute_balanced_mask_free": "balanced, mask-free", "edge_agreement": "edges",
}  # fmt: skip


def words(variant: str, seed: int, images: int, workspace: str) -> list[str]:
    """The overrides of one training."""
    own = VARIANTS[variant]
    stage = [] if any(word.startswith("first_stage=") for word in own) else ["first_stage=demo-vq"]
    return [
        *own, *stage, "size=tiny", "trainer.optimizer=adamw", "model.denoiser.placed_tokens=attend", "model.mask.grid=8",
        "pack=demo-drawn-64", f"workspace={workspace}", f"name=exp-{variant}-{seed}",
        f"trainer.seed={seed}", f"trainer.images={images}", "trainer.batch_size=16", f"trainer.warmup_images={images // 40}",
        f"trainer.evaluate_every={images // 2}", "trainer.checkpoint_every=1640", "trainer.log_every=160",
        "trainer.tensorboard=false", "trainer.sample_grid=0", "sampler=dpmpp", "sampler.steps=10", "guidance.scale=4",
    ]  # fmt: skip


def run(variant: str, seed: int, options: argparse.Namespace) -> None:
    """Train and measure one variant from one seed; results.json goes to WORKSPACE/objectives."""
    results = Path(options.workspace) / "objectives" / f"{variant}-{seed}.json"
    if results.is_file():
        return
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"}
    measured = [
        "eval", "miou", "accuracy", "attributes", "edges", f"workspace={options.workspace}", f"run=exp-{variant}-{seed}",
        f"count={options.count}", "parser=demo-parser", "classifier=demo-classifier", "--json",
    ]  # fmt: skip
    for command in (["train", *words(variant, seed, options.images, options.workspace)], measured):
        done = subprocess.run(
            [sys.executable, "-m", "facecond", *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{variant} {seed}: {done.stderr.strip().splitlines()[-1]}")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(done.stdout)


def table(options: argparse.Namespace) -> str:
    """What was measured, as Markdown."""
    from scipy.special import stdtrit

    rows = ["| variant | seeds | " + " | ".join(FIGURES.values()) + " |", "|---|---:|" + "---:|" * len(FIGURES)]
    everything = []
    for variant in options.only:
        files = sorted((Path(options.workspace) / "objectives").glob(f"{variant}-?.json"))
        runs = [{each["name"]: each for each in json.loads(file.read_text())["figures"]} for file in files]
        everything += runs
        cells = []
        for name in FIGURES:
            values = [figures[name]["value"] for figures in runs]
            cells.append(f"{mean(values):.3f}" if values else "-")
            if len(values) > 1:
                cells[-1] += f" ± {stdtrit(len(values) - 1, 0.975) * stdev(values) / len(values) ** 0.5:.3f}"
        rows.append(f"| {variant} | {len(runs)} | " + " | ".join(cells) + " |")
    beside = {
        "real pictures": lambda figure: figure["ceiling"],
        "reconstructions": lambda figure: figure["marks"]["reconstructions"],
        "floor: other items' conditions": lambda figure: figure["floor"],
    }
    for words_of, take in beside.items():
        values_of = [f"{mean(take(figures[name]) for figures in everything):.3f}" for name in FIGURES]
        rows.append(f"| {words_of} | | " + " | ".join(values_of) + " |")
    return "\n".join(rows)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", default="outputs", help="workspace of a finished demo")
    parser.add_argument("--images", type=int, default=4000, help="images each variant learns from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=128, help="validation conditions that are sampled")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once")
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        work = [pool.submit(run, variant, seed, options) for seed in range(options.seeds) for variant in options.only]
        for each in work:
            each.result()
    print(table(options))


if __name__ == "__main__":
    main()
