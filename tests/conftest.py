"""Settings every test needs: one thread per process, since pytest-xdist runs one process per core, and no stray bars."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def nothing_came_along(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what comes with the program, so that a test finds what it made itself; `@pytest.mark.bundled` is for the others."""
    if "bundled" not in request.keywords:
        from facecond.workspace import find

        monkeypatch.setattr(find, "BUNDLED", Path("nothing came along"))


COLLECTED = pytest.StashKey[set[Path]]()
"""Files of the tests that were collected, those that are then left out by their marks included."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember where the tests come from."""
    config.stash[COLLECTED] = {item.path for item in items}
