"""The studio with the weights that come with the program, loaded once, and served by a real server in a thread."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import MODEL, TINY, call

TOKEN = "token-of-the-tests"


@dataclass(frozen=True)
class Served:
    """A studio that answers."""

    engine: Any
    about: dict[str, Any]
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def loaded(came_along: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Engine, and what its page is told."""
    from facecond.studio.about import about
    from facecond.studio.command import load, prepare
    from facecond.workspace import find

    hidden, find.BUNDLED = find.BUNDLED, came_along
    try:
        workspace = tmp_path_factory.mktemp("studio")
        prepared = prepare(["run=drawn64-multicond", "device=cpu", f"workspace={workspace}", "steps=4"])
        engine = load(prepared)
        told = about(engine.sessions, engine="server", steps=4, people=24, parse=engine.can_parse)
    finally:
        find.BUNDLED = hidden
    yield engine, told
    engine.close()


@dataclass(frozen=True)
class Sketching:
    """A studio whose run is told attributes, maps and sketches."""

    engine: Any
    about: dict[str, Any]
    workspace: Path


WIDE = ["model.denoiser.model_channels=32", "model.denoiser.norm_groups=32", "model.denoiser.head_channels=32"]
"""So wide that a model that has learnt next to nothing makes other pictures of other sketches."""


@pytest.fixture(scope="session")
def sketching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sketching]:
    """Of a run that has learnt next to nothing, without a first stage, and with nobody to draw maps."""
    from facecond.studio.about import about
    from facecond.studio.command import load, prepare

    folder = tmp_path_factory.mktemp("sketching") / "workspace"
    here = f"workspace={folder}"
    call("data draw", here, "data.count=24", "data.validation=4")
    told = ["model.conditions=[attributes,mask,sketch]", "first_stage=none", "model.denoiser.patch=4"]
    call("train", here, "model=sketch_attr", "name=lines", *told, *MODEL, *WIDE, *TINY)
    engine = load(prepare([here, "run=lines", "device=cpu", "steps=2"]))
    yield Sketching(engine, about(engine.sessions, engine="server", steps=2, people=4, parse=False), folder)
    engine.close()


@pytest.fixture(scope="session")
def served(loaded: tuple[Any, dict[str, Any]]) -> Iterator[Served]:
    """The studio behind a socket of this machine."""
    with serving(*loaded) as studio:
        yield studio


@pytest.fixture(scope="session")
def sketch_served(sketching: Sketching) -> Iterator[Served]:
    """The one that takes sketches."""
    with serving(sketching.engine, sketching.about) as studio:
        yield studio


@contextmanager
def serving(engine: Any, told: dict[str, Any]) -> Iterator[Served]:
    """A studio behind a socket of this machine."""
    import uvicorn

    from facecond.studio.server import make_app

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        app = make_app(engine, told, token=TOKEN, host="127.0.0.1", port=port)
        running = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", limit_concurrency=256))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [server]}, daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield Served(engine, told, port)
        running.should_exit = True
        thread.join(timeout=10)


def asking(about: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A request that is in order, as a page sends it."""
    person = about["people"][0]
    return {
        "page": "a", "run": 0, "map": person["map"], "sketch": None, "signs": person["signs"], "seed": 3, "count": 1,
        "sampler": "ddim", "steps": 3, "eta": 0, "guidance": {"mask": 2, "attributes": 2}, "draw": False, **changes,
    }  # fmt: skip


def events(text: str) -> list[dict[str, Any]]:
    """The lines of an answer."""
    return [json.loads(line) for line in text.splitlines()]


def settled(engine: Any, seconds: float = 20) -> dict[str, int]:
    """The engine's state when nothing runs or waits any more."""
    end = time.monotonic() + seconds
    while (state := engine.state())["running"] or state["waiting"]:
        assert time.monotonic() < end, state
        time.sleep(0.02)
    return state
