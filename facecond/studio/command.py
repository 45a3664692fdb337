"""`facecond studio`: finds and loads what a page needs, and serves it until it is told to stop."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.pages import StudioConfig
from facecond.config.compose import compose
from facecond.errors import CheckpointError, ConfigError
from facecond.workspace.find import RunInfo, find_pack, find_run, read_run
from facecond.workspace.judges import photo_judge
from facecond.workspace.origin import Origin, find_maps, how_trained, origin_of, pack_of

if TYPE_CHECKING:
    from facecond.studio.engine import Engine

log = logging.getLogger("facecond")

NEEDED = ("starlette", "uvicorn")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Studio:
    """What the page works with."""

    origins: list[Origin]
    """The run, and the one it is compared with."""
    maps: list[RunInfo | None]
    """What draws open maps for each."""
    parser: Path | None
    classifier: Path | None
    cannot_parse: str
    """Why there is no parser of photographs."""


def prepare(words: Sequence[str]) -> Prepared[StudioConfig, Studio]:
    """Check the configuration; find runs, pack, judges and generators of maps."""
    composed = compose("studio", words)
    config: StudioConfig = composed.config
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigError(
            f"studio needs {' and '.join(missing)}, not installed here", hint="pip install 'facecond[studio]'"
        )
    used: dict[str, str] = {}
    origins, maps = [], []
    for key, named in (("run", config.run), ("compare", config.compare)):
        if key == "compare" and named is None:
            continue
        found = find_run(config.workspace, named, "diffusion")
        info = read_run(found.path)
        pack = find_pack(config.workspace, config.pack) if config.pack else pack_of(info, config.workspace)
        place = pack.path if pack else None
        origins.append(origin_of(info, place, config.workspace))
        used[key] = how_trained(found, place, config.workspace, named)
        drawn_by = find_maps(config.workspace, config.maps, info, place)
        maps.append(drawn_by.run if drawn_by else None)
        used |= (
            {"pack": str(pack or "none, and so no people to begin with")}
            | ({"maps": str(drawn_by)} if drawn_by else {})
            if key == "run"
            else {}
        )
    sizes = {origin.run.path.name: origin.run.content["resolution"] for origin in origins}
    if len(set(sizes.values())) > 1:
        raise ConfigError(
            f"compare={config.compare}: {', '.join(f'{name} makes {size} px' for name, size in sizes.items())}",
            hint="compare runs of one resolution",
        )
    parser, classifier, why = _judges(config, origins[0].run.path, used)
    found_all = Studio(origins=origins, maps=maps, parser=parser, classifier=classifier, cannot_parse=why)
    return Prepared(composed=composed, name="studio", found=found_all, used=used)


def _judges(config: StudioConfig, run: Path, used: dict[str, str]) -> tuple[Path | None, Path | None, str]:
    """Parser and classifier of photographs, each None where there is none and none is named; and why there is no parser."""
    places: dict[str, Path | None] = {}
    why = ""
    for kind, named in (("parser", config.parser), ("classifier", config.classifier)):
        try:
            found = photo_judge(config.workspace, kind, named, run)
            places[kind], used[kind] = found.path, str(found)
        except CheckpointError as error:
            if named is not None:
                raise
            places[kind] = None
            why = why or f"{error.message}: {error.hint}"
    return places["parser"], places["classifier"], why if places["parser"] is None else ""


def run(prepared: Prepared[StudioConfig, Studio]) -> Result:
    """Serve the page until a signal comes."""
    import uvicorn

    from facecond.studio.about import about
    from facecond.studio.server import is_loopback, make_app

    prepared.announce()
    config = prepared.config
    with listening(config.host, config.port) as server:
        port = server.getsockname()[1]
        if not is_loopback(config.host):
            log.warning("host=%s: whoever reaches this machine and knows the token can use it", config.host)
        engine = load(prepared)
        try:
            told = about(
                engine.sessions, engine="server", steps=config.steps, people=config.people, parse=engine.can_parse,
                cannot_parse=prepared.found.cannot_parse,
            )  # fmt: skip
            token = secrets.token_urlsafe(24)
            app = make_app(engine, told, token=token, host=config.host, port=port)
            address = f"http://{_shown(config.host)}:{port}/#token={token}"
            log.info("studio: %s", address)
            log.info("Ctrl-C ends it")
            if config.browser:
                _open_browser(address)
            serving = uvicorn.Config(
                app, log_config=None, access_log=False, log_level="warning", lifespan="off", server_header=False,
                timeout_graceful_shutdown=2, timeout_keep_alive=5, limit_concurrency=256, ws="none",
            )  # fmt: skip
            uvicorn.Server(serving).run(sockets=[server])
        finally:
            engine.close()
    return Result(command="studio", used=prepared.used, facts={"sampling steps": engine.steps})


def load(prepared: Prepared[StudioConfig, Studio]) -> Engine:
    """Load all networks, once."""
    import os

    import torch

    from facecond.assembly.photographs import PhotoClassifier, PhotoParser
    from facecond.assembly.session import open_session
    from facecond.studio.engine import Engine
    from facecond.workspace.origin import compose_sampling

    config, found = prepared.config, prepared.found
    if config.threads or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(config.threads or max(1, (os.cpu_count() or 2) - 1))
    sessions = []
    for origin, maps in zip(found.origins, found.maps, strict=True):
        words = [f"device={config.device.name}"]
        sampling: Any = compose_sampling("sample", words, origin.run)[0].config
        sampling = dataclasses.replace(sampling, workspace=config.workspace)
        sessions.append(open_session(origin, sampling, maps=maps))
    device = sessions[0].generator.device
    engine = Engine(
        sessions,
        PhotoParser(found.parser, device) if found.parser else None,
        PhotoClassifier(found.classifier, device) if found.classifier else None,
    )
    engine.warm()
    return engine


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ConfigError, naming the key, where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as reason:
        key = f"host={host}" if isinstance(reason, socket.gaierror) else f"host={host} port={port}"
        raise ConfigError(
            f"{key}: cannot listen there: {reason.strerror or reason}", hint="port=0 takes any that is free"
        ) from None


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)


def _open_browser(address: str) -> None:
    """Open the page where there is a browser; a program that cannot is no fault."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
