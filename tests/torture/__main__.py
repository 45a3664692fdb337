"""`python -m tests.torture [--share 0.1] [--only kill pair]`: the torture, its figures as a table in docs/reliability.md."""

from __future__ import annotations

import argparse
import datetime
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.commands.conftest import make_more, make_workspace
from tests.torture import flips, hostile, kills, memory, signals, words, writes
from tests.torture.trials import FOUND, HARMLESS, Trial, tally

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

DRIVERS: dict[str, tuple[int, Callable[[Path, int], Iterator[Trial]]]] = {
    "one bit flipped in a file of a workspace": (1000, flips.flips),
    "a file of a workspace cut short": (100, flips.cuts),
    "hostile files": (1, lambda workspace, count: hostile.hostile(workspace.parent / "deep" / "hostile")),
    "a write that fails, the command given again": (
        60, lambda workspace, count: writes.writes(workspace, workspace.parent / "writes", count),
    ),
    "random overrides, composed": (2000, lambda workspace, count: words.words(count)),
    "random overrides, prepared as by --dry-run": (2000, words.prepared),
    "a recorded setting changed": (
        500,
        lambda workspace, count: words.settings(workspace / "runs" / "multicond", count),
    ),
    "a training killed, and given again until it ends": (
        200, lambda workspace, count: kills.kills(workspace.parent / "kills", count),
    ),
    "another command killed, and given again until it ends": (
        120, lambda workspace, count: kills.kills_of_commands(workspace, workspace.parent / "commands", count),
    ),
    "a training stopped after a step, and continued": (
        40, lambda workspace, count: kills.continuations(workspace.parent / "continued", count),
    ),
    "a command started twice at once": (
        24, lambda workspace, count: kills.pairs(workspace, workspace.parent / "pairs", count),
    ),
    "a signal in a training of 1, 2 and 4 processes, given again": (
        45, lambda workspace, count: signals.signals(workspace.parent / "signals", count),
    ),
    "memory of 5,000 steps and of 50,000 samples": (2, lambda workspace, count: memory.flat(workspace.parent / "memory", count)),
}  # fmt: skip
"""What is tried -> how often, and the driver."""

PEERS = {
    "one bit flipped in a file of a workspace": "nobody",
    "a file of a workspace cut short": "torch and safetensors: truncated archives",
    "a training killed, and given again until it ends": "Lightning: one SIGTERM",
}
"""What the test suites of torchtitan, Lightning and Composer have of the same kind."""


BLOCK = re.compile(r"(?<=<!-- tried -->\n).*?(?=<!-- end -->)", re.DOTALL)
"""Where the table stands in the page."""

HEAD = """
| what | tried | survived | found | harmless | in the suites of others | seconds | made on |
|---|---:|---:|---:|---:|---|---:|---|
"""


def main() -> None:
    """Run every driver, or those named, and write their rows into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the trials; the page is written for all of them"
    )
    parser.add_argument("--only", nargs="*", default=[], help="drivers whose names hold one of these words")
    options = parser.parse_args()
    rows, bad = kept(), []
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_more(make_workspace(Path(folder) / "workspace"))
        for name, (count, driver) in DRIVERS.items():
            if options.only and not any(word in name for word in options.only):
                continue
            began = time.monotonic()
            tried, survived, outcomes, failed = tally(driver(workspace, max(1, round(count * options.share))))
            bad += failed
            seconds = time.monotonic() - began
            cells = (name, tried, survived, outcomes[FOUND], outcomes[HARMLESS], PEERS.get(name, ""), f"{seconds:.0f}",
                     f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}")  # fmt: skip
            rows[name] = f"| {' | '.join(map(str, cells))} |"
            sys.stderr.write(f"{rows[name]}\n")
    for trial in bad:
        sys.stderr.write(f"{trial.outcome}: {trial.what}: {trial.said}\n")
    if options.share == 1.0:
        table = HEAD + "".join(f"{rows[name]}\n" for name in DRIVERS if name in rows) + "\n"
        PAGE.write_text(BLOCK.sub(lambda found: table, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(1 if bad else 0)


def kept() -> dict[str, str]:
    """The rows that stand in the page, by what was tried."""
    (table,) = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}


if __name__ == "__main__":
    main()
