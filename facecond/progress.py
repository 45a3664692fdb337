"""What long work says meanwhile, on standard error: a log, and progress with the time left.

A terminal gets a live bar; a log file gets a line every half minute. `TQDM_DISABLE=1` silences both.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm


def duration(seconds: float) -> str:
    """A time for people: 40 s, 12 min, 13.2 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def bar(description: str, total: int, *, initial: int = 0, unit: str = "image", shown: bool = True) -> tqdm:
    """Return a progress bar over `total` units, `initial` of which are already done; call `.update(n)` and `.close()`.

    One that is not `shown` says nothing.
    """
    from tqdm import tqdm

    live = sys.stderr.isatty()
    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=f" {unit}s",
        unit_scale=total > 99_999,
        dynamic_ncols=live,
        mininterval=0.2 if live else 30,
        file=sys.stderr,
        leave=not live,
        disable=not shown or None,  # None leaves it to TQDM_DISABLE
    )


class _StandardError(logging.StreamHandler):
    """Writes lines to what standard error is at the time."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        pass


def start_log(*, quiet: bool = False) -> None:
    """Send what commands say about their work to standard error; `quiet` leaves warnings only, and no progress bars."""
    from rich.console import Console
    from rich.logging import RichHandler

    log = logging.getLogger("facecond")
    if quiet:
        os.environ["TQDM_DISABLE"] = "1"
    if not log.handlers:
        handler: logging.Handler
        if sys.stderr.isatty():
            console = Console(stderr=True, soft_wrap=True)
            handler = RichHandler(
                console=console, show_path=False, show_level=False, omit_repeated_times=True, log_time_format="%H:%M:%S"
            )
        else:
            handler = _StandardError()
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
        log.setLevel(logging.WARNING if quiet else logging.INFO)
        log.propagate = False
