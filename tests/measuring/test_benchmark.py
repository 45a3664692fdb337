"""The benchmark of measuring runs, and both of its ways come to the same numbers."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_both_ways_come_to_the_same_numbers() -> None:
    words = [sys.executable, "-m", "benchmarks.measuring", "--pictures", "40", "--conditions", "20"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line]
    figures = {row[0]: (float(row[1]), float(row[2])) for row in rows if row[0] in ("fid", "kid", "lpips", "miou")}
    assert len(figures) == 4
    for ours, usual in figures.values():
        assert ours == pytest.approx(usual, rel=2e-3)
    faster = {row[0]: float(row[4]) for row in rows if len(row) == 5 and row[0].startswith("ours")}
    assert all(times > 1 for times in faster.values())
    assert len(faster) == 2
