"""The table of `benchmarks.speedrun`: means, intervals and p-values are those of the textbook; only what is certain is a record."""

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scipy.special import stdtr

from benchmarks.speedrun import BASE, KEPT, VARIANTS, Settings, Speed, table
from facecond.config.compose import compose
from facecond.config.training import OptimizerKind


def write(settings: Settings, variant: str, values: list[float]) -> None:
    for seed, value in enumerate(values):
        settings.keep([settings.series, variant, str(seed)], dict.fromkeys(KEPT, value))


def welch(one: list[float], other: list[float]) -> float:
    """Two-sided p-value (Welch 1947)."""
    means = [sum(each) / len(each) for each in (one, other)]
    shares = [
        sum((value - mean) ** 2 for value in each) / (len(each) - 1) / len(each)
        for each, mean in zip((one, other), means, strict=True)
    ]
    t = (means[0] - means[1]) / math.sqrt(sum(shares))
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(each) - 1) for share, each in zip(shares, (one, other), strict=True)
    )
    return 2 * stdtr(freedom, -abs(t))


def test_the_table_says_what_the_seeds_say(tmp_path: Path) -> None:
    settings = Settings(str(tmp_path), "cpu", 4000, 16, tmp_path / "speedrun.json")
    base, better = [0.70, 0.72, 0.71], [0.95, 0.96, 0.955]
    write(settings, "base", base)
    write(settings, "Muon", better)
    write(settings, "EMA 0.999", [0.99])
    settings.keep(["speed", "Muon"], Speed(milliseconds=31.2, gflop=2.25, peak=180.0)._asdict())
    write(dataclasses.replace(settings, images=8000), "v", [0.9, 0.8])
    rows = {row.split(" | ")[0].strip("| "): row for row in table(settings, list(VARIANTS)).splitlines()}
    assert set(rows) >= {"base", "Muon", "EMA 0.999"}
    assert "v" not in rows  # measured after other images
    assert "| 3 | 0.710 ± 0.025 |" in rows["base"]  # 4.303 (Student, 2 degrees) x 0.01 / sqrt(3)
    assert f"| +0.245 | {welch(better, base):.3f} |" in rows["Muon"]
    assert "| 2.25 | 31.2 | 40% |" in rows["Muon"]  # 2.25 GFLOP in 31.2 ms are 72 GFLOP/s
    assert f"| -0.245 | {welch(better, base):.3f} |" in table(settings, ["base"], beside="Muon")
    assert "reached" in rows["Muon"]
    assert "reached" not in rows["base"]
    assert "reached" not in rows["EMA 0.999"]  # one seed


@pytest.mark.slow
def test_every_variant_composes() -> None:
    for name, variant in VARIANTS.items():
        assert variant.of in ("", *VARIANTS)
        config = compose("train", [*BASE, *variant.train, *variant.sample]).config
        by_muon = name.startswith(("Muon", "record")) and name != "record, AdamW"
        assert variant.of or (config.trainer.optimizer is OptimizerKind.muon) == by_muon
        assert bool(variant.of) == (not variant.train and name != "base")


def test_a_stopped_run_takes_its_processes_along(tmp_path: Path) -> None:
    """Each worker writes its number and sleeps; after SIGTERM none of them is there any more."""
    text = (
        "import os, pathlib, sys, time\n"
        "from benchmarks.speedrun import workers\n"
        "def work(folder):\n"
        "    (pathlib.Path(folder) / str(os.getpid())).touch()\n"
        "    time.sleep(300)\n"
        "if __name__ == '__main__':\n"
        "    with workers(2) as pool:\n"
        "        [each.result() for each in [pool.submit(work, sys.argv[1]) for _ in range(3)]]\n"
    )
    script, folder = tmp_path / "script.py", tmp_path / "there"
    script.write_text(text)
    folder.mkdir()
    root = Path(__file__).parents[2]
    running = subprocess.Popen([sys.executable, script, folder], env={**os.environ, "PYTHONPATH": str(root)})
    try:
        until = time.monotonic() + 60
        while len(list(folder.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        running.terminate()
        assert running.wait(60) == 128 + signal.SIGTERM
    finally:
        running.kill()
    started = [int(each.name) for each in folder.iterdir()]
    assert len(started) == 2
    assert not [number for number in started if Path(f"/proc/{number}/stat").exists() and not is_dead(number)]


def is_dead(number: int) -> bool:
    """Whether a process has ended and only waits to be asked for its status."""
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
