"""Settings every test needs: one thread per process, since pytest-xdist runs one process per core, and no stray bars."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from hypothesis import HealthCheck, settings

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember where the tests come from."""
    config.stash[COLLECTED] = {item.path for item in items}
