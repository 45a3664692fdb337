"""What the program does when it is told to stop: SIGINT (Ctrl-C) and SIGTERM, and SIGUSR1, which asks for a checkpoint.

`install` is called before anything heavy is imported. From then on the first SIGINT or SIGTERM raises `Stopped` in the main
thread, wherever that is: what was being written is taken back, and the same command continues. A training answers at its next
step instead (`StopRequest`) and writes a checkpoint. A second signal ends the process at once; what it leaves half-written is
deleted by whoever takes the folder next.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)

CHECKPOINTING: signal.Signals | None = getattr(signal, "SIGUSR1", None)
"""None where the system has no such signal."""


class Stopped(BaseException):
    """A signal told the program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.status = status_of(number)


def status_of(number: int) -> int:
    """Exit status of a process that a signal stopped, as shells give it."""
    return 128 + number


_told = threading.Event()
"""Set when the first signal has come."""

_RAISED_AGAIN_AFTER = 0.01
"""Seconds until a signal is raised again whose exception could not rise where it came."""


def install() -> None:
    """Let the process answer signals as this module says; a SIGINT that it was started to ignore stays ignored."""
    _told.clear()
    for number in STOPPING:
        if number is not signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    if CHECKPOINTING is not None:
        signal.signal(CHECKPOINTING, lambda number, frame: None)  # its usual end would be that of the process
    sys.unraisablehook = _raise_again


def _stop(number: int, frame: FrameType | None) -> None:
    if _told.is_set():
        os._exit(status_of(number))
    _told.set()
    raise Stopped(number)


def _raise_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Take up a signal that came inside a finaliser or a weak reference's callback, where Python drops every exception."""
    if isinstance(unraisable.exc_value, Stopped):
        _told.clear()
        main = threading.main_thread().ident
        again = threading.Timer(_RAISED_AGAIN_AFTER, signal.pthread_kill, [main, unraisable.exc_value.number])
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


class StopRequest:
    """Inside the block the first SIGINT or SIGTERM only sets `received`, and SIGUSR1 `checkpoint`; a second one ends the process.

    Where `install` was not called, a second one acts as it did before the block. Python takes signals in the main thread only; in
    any other thread the block changes nothing.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.checkpoint = False
        """A checkpoint was asked for; whoever writes it sets this back."""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            answers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = dict.fromkeys(STOPPING, self._stop)
            if CHECKPOINTING is not None:
                answers[CHECKPOINTING] = self._checkpoint
            ignored = [number for number in answers if signal.getsignal(number) is signal.SIG_IGN]
            self._before = {
                number: signal.signal(number, answer) for number, answer in answers.items() if number not in ignored
            }
        return self

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        _told.set()
        for each in STOPPING:
            if each in self._before:
                signal.signal(each, self._before.pop(each))

    def _checkpoint(self, number: int, frame: FrameType | None) -> None:
        self.checkpoint = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
