"""`python -m tests.torture [--share 0.1]`: all of the torture, its figures as a table in docs/reliability.md."""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.commands.conftest import make_more, make_workspace
from tests.torture import flips, hostile, words, writes
from tests.torture.trials import FOUND, HARMLESS, Trial, tally

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

DRIVERS: dict[str, tuple[int, Callable[[Path, int], Iterator[Trial]]]] = {
    "one bit flipped in a file of a workspace": (1000, flips.flips),
    "a file of a workspace cut short": (100, flips.cuts),
    "hostile files": (1, lambda workspace, count: hostile.hostile(workspace.parent / "deep" / "hostile")),
    "a write that fails, the command given again": (
        50, lambda workspace, count: writes.writes(workspace, workspace.parent / "writes", count),
    ),
    "random overrides, composed": (2000, lambda workspace, count: words.words(count)),
    "a recorded setting changed": (
        500,
        lambda workspace, count: words.settings(workspace / "runs" / "multicond", count),
    ),
}  # fmt: skip
"""What is tried -> how often, and the driver."""

PEERS = {
    "one bit flipped in a file of a workspace": "nobody",
    "a file of a workspace cut short": "torch and safetensors: truncated archives",
}
"""What the test suites of torchtitan, Lightning and Composer have of the same kind."""


def main() -> None:
    """Run every driver and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the trials")
    share = parser.parse_args().share
    rows, bad = [], []
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_more(make_workspace(Path(folder) / "workspace"))
        for name, (count, driver) in DRIVERS.items():
            began = time.monotonic()
            tried, survived, outcomes, failed = tally(driver(workspace, max(1, round(count * share))))
            bad += failed
            seconds = time.monotonic() - began
            cells = (name, tried, survived, outcomes[FOUND], outcomes[HARMLESS], PEERS.get(name, ""), f"{seconds:.0f}")
            rows.append(f"| {' | '.join(map(str, cells))} |")
            sys.stderr.write(f"{rows[-1]}\n")
    for trial in bad:
        sys.stderr.write(f"{trial.outcome}: {trial.what}: {trial.said}\n")
    if share == 1.0:
        PAGE.write_text(TEXT.format(rows="\n".join(rows), date=datetime.date.today(), machine=platform.machine(),
                                    python=platform.python_version()), encoding="utf-8")  # fmt: skip
    sys.exit(1 if bad else 0)


TEXT = """# What was tried, and what survived

Made by `make torture` on {date} ({machine}, Python {python}); a small share of it runs in `make test`. Survived means: named in one
line (found), or the same result as without the damage (harmless); never another result in silence, a traceback, a wait, or
anything run, read or written outside.

| what | tried | survived | found | harmless | in the suites of others | seconds |
|---|---:|---:|---:|---:|---|---:|
{rows}

Bits are flipped, and files cut, in every file that a command reads: weights, checkpoints, snapshots, latents, packs, manifests,
records, pictures, conditions, features, results; each is then used as its command would, and the result compared. Hostile files
are 32 kinds (pickles, archives with paths and bombs, links, pipes, devices, huge and deep JSON, arrays and pictures that say they
are huge) given to eleven readers. Overrides are drawn from every key of every command, four fifths of them with values of the
right kind.

Of five commands, one write after another is told that the disk is full: it ends in one line, and the command given again ends in
the same bytes. (Harmless there: a folder that cannot be flushed.)

Interruptions (SIGKILL, SIGTERM, SIGINT, SIGUSR1), locks and memory have tests of their own: tests/training/test_loop.py,
tests/test_stopping.py, tests/commands/test_in_use.py, tests/test_memory.py.
"""


if __name__ == "__main__":
    main()
