"""Commands one after another: what is done is not done again, what was interrupted is continued, and the time is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from facecond.io.documents import Seconds, read_json, write_json

log = logging.getLogger("facecond")


MINUTES_FROM = 90
"""Seconds from which time left is said in minutes."""


class Step(TypedDict):
    """The account of one step."""

    title: str
    words: list[str]
    done: bool
    seconds: Seconds
    made: dict[str, str]


class Steps:
    """Keeps account of steps in a file: which are done, with which words, what they made, how long they took."""

    def __init__(self, file: Path, total: int) -> None:
        self.file, self.total = file, total
        self.entries = self._read()
        self._number = 0

    def _read(self) -> dict[str, Step]:
        hint = "delete the file: what is done is found again, its times are not"
        return read_json(self.file, dict[str, Step], hint=hint) if self.file.is_file() else {}

    @property
    def seconds(self) -> float:
        """Time spent so far, over all continuations."""
        return sum(entry["seconds"] for entry in list(self.entries.values()))  # others ask while steps are added

    def is_done(self, key: str, words: Sequence[str]) -> bool:
        """Whether a step was done with these words, and what it made is still there."""
        entry = self.entries.get(key)
        return (
            entry is not None
            and entry["done"]
            and entry["words"] == list(words)
            and all(Path(path).exists() for path in entry["made"].values())
        )

    def call(
        self,
        key: str,
        title: str,
        work: Callable[[], dict[str, str]],
        *,
        words: Sequence[str] = (),
        again: bool = False,
        left: float | None = None,
    ) -> dict[str, str]:
        """Do one piece of work unless it is done, count its time also when it is interrupted, and remember what it made.

        `again` does it also when it is done; `left` is how many seconds the work that follows is thought to take.
        """
        self._number += 1
        if self.is_done(key, words) and not again:
            return self.entries[key]["made"]
        known = self.entries.get(key)
        entry = self.entries[key] = Step(
            seconds=known["seconds"] if known else 0.0,
            made=known["made"] if known else {},
            title=title,
            done=False,
            words=list(words),
        )
        about = ""
        if left is not None:
            about = (
                f" (about {left / 60:.0f} min left)" if left >= MINUTES_FROM else f" (about {max(left, 0):.0f} s left)"
            )
        log.info("step %d of %d: %s%s", self._number, self.total, title, about)
        began, before = time.monotonic(), 0.0 if again else entry["seconds"]
        try:
            entry["made"] = work()
            entry["done"] = True
        finally:
            entry["seconds"] = before + time.monotonic() - began
            self.entries = {**self._read(), key: entry}  # another command may keep account of its steps here meanwhile
            write_json(self.file, self.entries)
        return entry["made"]


def run_command(module: Any, words: Sequence[str]) -> dict[str, str]:
    """Run a command with `words`; return what it made."""
    result = module.run(module.prepare(words))
    return {name: str(path) for name, path in result.made.items()}
