"""What long work says: a live bar on a terminal, plain lines in a log, nothing where nothing is wanted."""

import logging
import os
import pty
import re
import subprocess
import sys
import termios
import time

import pytest

from facecond import progress
from facecond.progress import bar


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of a process whose standard error is a file."""
    monkeypatch.delenv("TQDM_DISABLE")
    monkeypatch.setattr(logging.getLogger("facecond"), "propagate", True)
    caplog.set_level(logging.INFO, "facecond")
    return caplog


def test_a_log_gets_a_plain_line_every_half_minute(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with bar("sampling", 100, initial=20) as work:
        for _ in range(8):
            now += 10
            work.update(10)
            work.note("loss 1.0")
    assert said.messages == [
        "sampling: 50 of 100 images, about 50 s left",
        "sampling: 80 of 100 images, about 20 s left",
    ]
    assert not set(capsys.readouterr().err) & {"\r", "\x1b"}


def test_nothing_is_said_where_nothing_is_wanted(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    for silent in (bar("a", 2, shown=False), bar("a", 2, lines=False)):
        silent.update(1)
        silent.close()
    monkeypatch.setenv("TQDM_DISABLE", "1")
    bar("a", 2).update(1)
    assert said.messages == []


ON_A_TERMINAL = """
import logging, time
from facecond import progress
progress.start_log()
with progress.bar("sampling", 4) as work:
    for number in range(4):
        time.sleep(0.3)
        work.update(1)
        work.note("loss 0.25")
        logging.getLogger("facecond").info("line %d", number)
"""


@pytest.mark.parametrize("size", [(24, 100), (0, 0)], ids=["known", "unknown"])
def test_lines_stand_above_the_bar_of_a_terminal(size: tuple[int, int]) -> None:
    """A screen that obeys carriage returns and erasures shows every line whole, and in the end no bar; whatever its size."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"} | {"TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", ON_A_TERMINAL], stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux says that nobody writes to it any more
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "loss 0.25" in text
    rows = [_row(line) for line in text.replace("\r\n", "\n").split("\n")]
    assert [row.split()[-1] for row in rows if row] == ["0", "1", "2", "3"]
    assert all(re.fullmatch(r"(\d\d:\d\d:\d\d)? *line \d", row) for row in rows if row)


def _row(text: str) -> str:
    """What a line of a terminal shows after carriage returns; colours count for nothing."""
    row = ""
    for piece in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split("\r"):
        row = piece + row[len(piece) :]
    return row.rstrip()
