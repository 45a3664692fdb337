"""Settings every test needs: one thread per process, since pytest-xdist runs one process per core; no stray bars; byte code."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.studio.browser import chromium

__all__ = ["chromium"]  # one for all files: Playwright starts once in a process

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")


def keep_byte_code() -> None:
    """Keep byte code beside pytest's own notes where Python was told to write none (PYTHONDONTWRITEBYTECODE) and torch has none.

    Compiling torch takes longer than most tests, and every process that a test starts would do it.
    """
    torch = importlib.util.find_spec("torch")
    if not sys.dont_write_bytecode or torch is None or torch.cached is None or Path(torch.cached).is_file():
        return
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(
        Path(__file__).parents[1] / ".pytest_cache" / "bytecode"
    )
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


keep_byte_code()
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session", autouse=True)
def came_along() -> Iterator[Path]:
    """Hide what comes with the program, also from fixtures, so that tests find what they made themselves; return where it is."""
    from facecond.workspace import find

    place, find.BUNDLED = find.BUNDLED, Path("nothing came along")
    yield place
    find.BUNDLED = place


@pytest.fixture(autouse=True)
def what_came_along(request: pytest.FixtureRequest, came_along: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show it to tests with `@pytest.mark.bundled`."""
    if "bundled" in request.keywords:
        from facecond.workspace import find

        monkeypatch.setattr(find, "BUNDLED", came_along)


COLLECTED = pytest.StashKey[set[Path]]()
"""Files of the tests that were collected, those that are then left out by their marks included."""


FIRST = ("commands", "demo", "workspace", "training", "assembly", "studio", "export")
"""Folders of the files that take longest; with them at the end one of pytest-xdist's processes would wait for another."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember where the tests come from; begin with those that take longest."""
    config.stash[COLLECTED] = {item.path for item in items}
    items.sort(key=lambda item: item.path.parent.name not in FIRST)
