"""What a trial came to, and how trials are counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from facecond.errors import FacecondError

FOUND, HARMLESS, SILENT, TRACEBACK = "found", "harmless", "silent", "traceback"

GOOD = (FOUND, HARMLESS)


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried."""

    what: str
    """What was done to what, enough to do it again."""
    outcome: str
    """found: named in one line; harmless: the same result; silent: another result, and nothing said; traceback."""
    said: str = ""

    @property
    def survived(self) -> bool:
        """Whether nothing was lost and nothing let in."""
        return self.outcome in GOOD


def attempt(what: str, use: Callable[[], str], expected: str) -> Trial:
    """Try `use`, which gives a digest of what it read; compare it with what it gave before the damage."""
    try:
        found = use()
    except FacecondError as error:
        said = str(error)
        return Trial(what, FOUND if said and "\n" not in said else TRACEBACK, said)
    except Exception as error:  # any other exception would be a traceback for the user
        return Trial(what, TRACEBACK, f"{type(error).__name__}: {error}")
    return Trial(what, HARMLESS if found == expected else SILENT)


def tally(trials: Iterable[Trial]) -> tuple[int, int, Counter[str], list[Trial]]:
    """Tried, survived, how often each outcome came, and those that were not survived."""
    trials = list(trials)
    bad = [trial for trial in trials if not trial.survived]
    return len(trials), len(trials) - len(bad), Counter(trial.outcome for trial in trials), bad


def number(*words: object) -> int:
    """A number that is the same in every run for the same words."""
    return int.from_bytes(hashlib.sha256(" ".join(map(str, words)).encode()).digest()[:8], "big")
