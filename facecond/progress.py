"""What long work says meanwhile, on standard error: a log, and progress with the time left.

A terminal gets a live bar, with what is logged meanwhile above it; a log file gets a line every half minute, without control
characters. `TQDM_DISABLE=1` silences both.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.logging import RichHandler
    from tqdm import tqdm

log = logging.getLogger("facecond")

EVERY = 30.0
"""Seconds between lines about the same work in a log."""


def duration(seconds: float) -> str:
    """A time for people: 40 s, 12 min, 13.2 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class Bar:
    """Progress over a number of units, from `bar`."""

    def __init__(self, meter: tqdm | _Lines | None) -> None:
        self._meter = meter

    def update(self, count: int = 1) -> None:
        """`count` more are done."""
        if self._meter is not None:
            self._meter.update(count)

    def note(self, text: str) -> None:
        """Show a few words beside a live bar; a log has lines for them."""
        if self._meter is not None and not isinstance(self._meter, _Lines):
            self._meter.set_postfix_str(text)

    def close(self) -> None:
        """No more will come."""
        if self._meter is not None:
            self._meter.close()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Lines:
    """A line in the log every half minute, of work that takes longer than that."""

    def __init__(self, description: str, total: int, done: int, unit: str) -> None:
        self._description, self._total, self._done, self._unit = description, total, done, unit
        self._began = self._said = time.monotonic()
        self._before = done

    def update(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said < EVERY:
            return
        self._said = now
        new = self._done - self._before
        left = duration((now - self._began) * (self._total - self._done) / new) if new else "unknown"
        log.info("%s: %d of %d %ss, about %s left", self._description, self._done, self._total, self._unit, left)

    def close(self) -> None:
        pass


def bar(
    description: str, total: int, *, initial: int = 0, unit: str = "image", shown: bool = True, lines: bool = True
) -> Bar:
    """Return the progress of work on `total` units, `initial` of which are already done; call `.update(n)` and `.close()`.

    One that is not `shown` says nothing; without `lines` it says nothing in a log, for work that logs lines of its own.
    """
    if not shown or os.environ.get("TQDM_DISABLE"):
        return Bar(None)
    if not sys.stderr.isatty():
        return Bar(_Lines(description, total, initial, unit) if lines else None)
    from tqdm import tqdm

    wide = {"dynamic_ncols": True} if _columns() else {"ncols": 80, "nrows": 24}
    return Bar(tqdm(
        desc=description, total=total, initial=initial, unit=f" {unit}s", unit_scale=total > 99_999, mininterval=0.2,
        file=sys.stderr, leave=False, **wide,
    ))  # fmt: skip


def _columns() -> int:
    """Of the terminal; 0 where it does not say, as in a container, and tqdm would show nothing."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 0


def _beside_bars(handler: RichHandler) -> RichHandler:
    """Let a handler write above live bars rather than into them."""
    emit = handler.emit

    def above(record: logging.LogRecord) -> None:
        if "tqdm" not in sys.modules:
            emit(record)
            return
        from tqdm import tqdm

        with tqdm.external_write_mode(file=sys.stderr):
            emit(record)

    handler.emit = above  # type: ignore[method-assign]
    return handler


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

    if quiet:
        os.environ["TQDM_DISABLE"] = "1"
    if not log.handlers:
        handler: logging.Handler
        if sys.stderr.isatty():
            console = Console(stderr=True, soft_wrap=True)
            handler = _beside_bars(RichHandler(
                console=console, show_path=False, show_level=False, omit_repeated_times=True, log_time_format="%H:%M:%S"
            ))  # fmt: skip
        else:
            handler = _StandardError()
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
        log.setLevel(logging.WARNING if quiet else logging.INFO)
        log.propagate = False
