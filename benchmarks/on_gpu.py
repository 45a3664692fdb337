"""What a GPU does with facecond, in minutes: `python -m benchmarks.on_gpu`, for the day one is at hand.

Measures the device's own peak (a bfloat16 product, a copy), then training, sampling, encoding and decoding at each size, with
and without CUDA graphs, with the share of that peak and the most memory each took. Writes JSON and prints a Markdown table. On
a CPU (`--device cpu --sizes tiny --seconds 0.2`) it runs the same way.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from facecond.commands.timing import drawn_pack, time_training, write_noise_latents
from facecond.config.commands.base import Device
from facecond.config.settings import first_line
from facecond.config.training import Precision
from facecond.data.pack import Pack
from facecond.sampling.replay import record
from facecond.training.device import autocast, choose_device, resolve_precision

RESOLUTIONS = {"tiny": 64, "base": 128, "paper": 256}
"""Pixels at which each size is tried."""

MODELS = ("vq", "parser", "classifier", "multicond")

BATCHES = {"tiny": (8, 64), "base": (64,), "paper": (48,)}
"""Images a step."""

FITTING = {("paper", "vq"): (8,)}
"""Where those do not fit: a discriminator's batch cannot be divided."""

WITHOUT_FILES = {"vq": ["model.loss.perceptual=gradient"], "classifier": ["init=null"]}
"""What is said at the paper's size so that no published weights are needed."""

Row = dict[str, Any]


def variants(model: str, device: torch.device) -> list[tuple[str, ...]]:
    """What is said beside the size, one training each."""
    if device.type != "cuda":
        return [()]
    recomputed = [("trainer.gradient_checkpointing=true",)] if model in ("vq", "multicond") else []
    return [(), ("trainer.capture=never",), *recomputed]


def peak(device: torch.device) -> Row:
    """Measure the device's own peak: TFLOP/s of a large product, TB/s of a large copy (read and written)."""
    side, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    a, b = torch.randn(2, side, side, device=device).to(kind)
    seconds = each(lambda: a @ b, device, 0.5)
    big = torch.randn(64 * 1024 * 1024 if device.type == "cuda" else 1024 * 1024, device=device)
    copy = torch.empty_like(big)
    moved = each(lambda: copy.copy_(big), device, 0.5)
    return {"tflops": 2 * side**3 / seconds / 1e12, "tb_s": 2 * big.nbytes / moved / 1e12}


def each(work: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """Return the seconds one call takes: the median of calls for about `seconds`, after two that are not counted."""
    times: list[float] = []
    for turn in range(10_000):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if turn >= 2:
            times.append(time.perf_counter() - began)
        if sum(times) > seconds and len(times) > 2:
            break
    return sorted(times)[len(times) // 2]


def memory(device: torch.device) -> float | None:
    """GiB that were taken of the device at most since the last look, with what graphs keep for themselves; None on a CPU."""
    if device.type != "cuda":
        return None
    found = torch.cuda.max_memory_reserved(device) / 2**30
    gc.collect()  # a training's parts know one another
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return found


def training(size: str, model: str, batch: int, pack: Pack, device: torch.device, seconds: float, *words: str) -> Row:
    """Time the training of one model."""
    said = [f"model={model}", f"size={size}", f"trainer.batch_size={batch}", "trainer.warmup_images=0", *words]
    said += WITHOUT_FILES.get(model, []) if size == "paper" else []
    per_image, learner = time_training(said, pack, device, seconds=seconds, warmup=4)
    row: Row = {
        "what": f"train {model}", "size": size, "batch": batch, "words": " ".join(words),
        "images_s": 1 / per_image, "flops": None,
    }  # fmt: skip
    if model == "multicond" and not words:
        row["flops"] = 3 * forward_flops(learner, pack.resolution)
    return row | {"gib": memory(device), "learner": learner}


def forward_flops(learner: Any, resolution: int) -> float:
    """Operations of one forward pass of condition encoders and denoiser for one image."""
    device = next(learner.denoiser.parameters()).device
    values = {each.name: each.nothing(1, resolution, device) for each in learner.conditioner.conditions}
    z = torch.zeros(1, 3, resolution // 4, resolution // 4, device=device)
    return flops(lambda: learner.denoiser(z, torch.zeros(1, device=device), learner.conditioner(values)))


def flops(work: Callable[[], Any]) -> float:
    """Operations of one call."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        work()
    return float(counted.get_total_flops())


def sampling(learner: Any, size: str, resolution: int, device: torch.device, seconds: float, batch: int) -> list[Row]:
    """Time one step of the denoiser with its context bound, without guidance; on a GPU also as a CUDA graph."""
    precision = resolve_precision(Precision.auto, device)
    values = {each.name: each.nothing(batch, resolution, device) for each in learner.conditioner.conditions}
    z, when = torch.randn(batch, 3, resolution // 4, resolution // 4, device=device), torch.zeros(batch, device=device)
    learner.denoiser.eval(), learner.conditioner.eval()
    rows: list[Row] = []
    with torch.no_grad(), autocast(precision, device):  # as `Diffuser.latents`
        denoise = learner.denoiser.bind(learner.conditioner(values))
        operations = flops(lambda: denoise(z, when)) / batch
        ways = {"": denoise} | ({"capture=auto": record(denoise, z, when)} if device.type == "cuda" else {})
        for words, step in ways.items():
            took = each(partial(step, z, when), device, seconds)
            rows.append({
                "what": "sampling step", "size": size, "batch": batch, "words": words, "images_s": batch / took,
                "flops": operations, "gib": memory(device),
            })  # fmt: skip
    return rows


def first_stage(learner: Any, size: str, resolution: int, device: torch.device, seconds: float) -> list[Row]:
    """Time encoding and decoding, in float32 as `facecond encode` does."""
    network, rows = learner.modules["first_stage"].eval(), []
    batch = 16 if device.type == "cuda" else 2
    side = resolution // network.factor
    for what, shape, work in (
        ("encode", (batch, 3, resolution, resolution), network.encode),
        ("decode", (batch, network.channels, side, side), network.decode_unquantised),
    ):
        given = torch.randn(shape, device=device)
        with torch.inference_mode():
            took = each(partial(work, given), device, seconds)
        rows.append({
            "what": what, "size": size, "batch": batch, "words": "float32", "images_s": batch / took,
            "flops": flops(partial(work, given[:1])), "gib": memory(device),
        })  # fmt: skip
    return rows


def measure(
    sizes: list[str], models: list[str], device: torch.device, seconds: float, tell: Callable[[Row], None]
) -> None:
    """Measure everything, and hand each row to `tell` as it is there; what fails is a row that says why."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            pack = drawn_pack(Path(folder) / "pack", RESOLUTIONS[size], faces=72, validation=8)
            write_noise_latents(pack)
            for model in models:
                batches = FITTING.get((size, model), BATCHES[size])
                for batch in batches if device.type == "cuda" else batches[:1]:
                    for words in variants(model, device):
                        try:
                            row = training(size, model, batch, pack, device, seconds, *words)
                            learner = row.pop("learner")
                            tell(row)
                            if model == "multicond" and not words:
                                for found in sampling(learner, size, pack.resolution, device, seconds, batch):
                                    tell(found)
                            if model == "vq" and not words and batch == batches[0]:
                                for found in first_stage(learner, size, pack.resolution, device, seconds):
                                    tell(found)
                            del learner
                        except Exception as error:  # the others are measured all the same
                            tell(
                                {
                                    "what": f"{model}",
                                    "size": size,
                                    "batch": batch,
                                    "words": " ".join(words),
                                    "error": first_line(error),
                                }
                            )
                        memory(device)


def table(found: dict[str, Any]) -> str:
    """The rows as Markdown."""
    lines = [
        f"{found['device']}, torch {found['torch']}, {found['date']}: {found['peak']['tflops']:.0f} TFLOP/s measured in a product, "
        f"{found['peak']['tb_s']:.2f} TB/s in a copy.", "",
        "| what | size | batch | words | images/s | TFLOP/s | of the peak | GiB |",
        "|---|---|---:|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for row in found["rows"]:
        start = f"| {row['what']} | {row['size']} | {row['batch']} | {row['words']} |"
        if "error" in row:
            lines.append(f"{start} failed: {row['error'][:80]} | | | |")
            continue
        rate = row["flops"] * row["images_s"] / 1e12 if row["flops"] else None
        share = f"{rate:.2f} | {rate / found['peak']['tflops']:.1%}" if rate else " | "
        gib = f"{row['gib']:.2f}" if row["gib"] is not None else ""
        lines.append(f"{start} {row['images_s']:.1f} | {share} | {gib} |")
    return "\n".join(lines)


def main() -> None:
    """Read the words, measure, write."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--device", default="cuda", choices=[device.name for device in Device])
    words.add_argument("--sizes", nargs="+", choices=RESOLUTIONS, default=list(RESOLUTIONS))
    words.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    words.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    words.add_argument("--to", type=Path, default=Path("outputs/on-gpu.json"))
    options = words.parse_args()
    device = choose_device(Device[options.device])
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "torch": torch.__version__, "date": time.strftime("%Y-%m-%d"), "peak": peak(device), "rows": [],
    }  # fmt: skip

    def tell(row: Row) -> None:
        found["rows"].append(row)
        print(json.dumps(row), flush=True)
        options.to.parent.mkdir(parents=True, exist_ok=True)
        options.to.write_text(json.dumps(found, indent=2))

    measure(options.sizes, options.models, device, options.seconds, tell)
    print(table(found))


if __name__ == "__main__":
    main()
