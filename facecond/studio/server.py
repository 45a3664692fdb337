"""The studio's server: a page of fixed files, and addresses that compute, behind a token (docs/studio.md says why so).

Every request must name this machine as its host, come from this page or from none, and, where it asks for more than a fixed file,
carry the token. No request names a path: what is served lies in memory from the start, and what is sent is decoded in memory.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facecond.conditions.sketch import Sketch
from facecond.errors import FacecondError
from facecond.studio.engine import BusyError, Engine, Event, Work
from facecond.studio.requests import read_asked

TOKEN_HEADER = "x-facecond-token"

TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip
"""Files of the page, by their suffix."""

FIRST = "index.html"

MOST_PHOTO = 24 << 20
"""Bytes of a photograph, or of the file of a sketch."""

PATIENCE = 30.0
"""Seconds a request may take to arrive."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def page_files() -> dict[str, bytes]:
    """The page's files by name, read once."""
    folder = files("facecond.studio") / "page"
    return {each.name: each.read_bytes() for each in folder.iterdir() if f".{each.name.rpartition('.')[2]}" in TYPES}


def make_app(engine: Engine, about: Mapping[str, Any], *, token: str, host: str, port: int) -> ASGIApp:
    """Return the application that serves the page at `host`:`port` to whoever knows `token`."""
    told = json.dumps(about).encode()
    most_asked = 16 * engine.size**2 + (64 << 10)

    async def state(request: Request) -> Response:
        return JSONResponse(engine.state())

    async def studio(request: Request) -> Response:
        return Response(told, media_type="application/json")

    async def sample(request: Request) -> Response:
        _require_type(request, "application/json")
        wanted = read_asked(await _body(request, most_asked), engine.size)
        return _Answer(lambda send: engine.sample(wanted, send))

    async def parse(request: Request) -> Response:
        _require_type(request, "image/", "application/octet-stream")
        content = await _body(request, MOST_PHOTO)
        return _Answer(lambda send: engine.parse(content, send))

    async def sketch(request: Request) -> Response:
        _require_type(request, "image/", "application/octet-stream")
        content = await _body(request, MOST_PHOTO)
        return _Answer(lambda send: engine.read_sketch(content, send))

    async def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return _line(error.status_code, error.detail)
        if isinstance(error, BusyError):
            return _line(503, "busy: too much is waiting; try again")
        assert isinstance(error, FacecondError)
        return _line(400, f"{error.message}{f' ({error.hint})' if error.hint else ''}")

    routes = [
        Route("/studio.json", studio),
        Route("/api/state", state),
        Route("/api/sample", sample, methods=["POST"]),
        Route("/api/parse", parse, methods=["POST"]),
        Route(f"/api/{Sketch.name}", sketch, methods=["POST"]),
        *(Route(f"/{name if name != FIRST else ''}", _file(name, content)) for name, content in page_files().items()),
    ]
    app = Starlette(
        routes=routes, exception_handlers={HTTPException: refused, BusyError: refused, FacecondError: refused}
    )
    return _Guard(app, token=token, host=host, port=port)


def _file(name: str, content: bytes) -> Callable[[Request], Awaitable[Response]]:
    kind = TYPES[f".{name.rpartition('.')[2]}"]

    async def served(request: Request) -> Response:
        return Response(content, media_type=kind)

    return served


def _line(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)


def _require_type(request: Request, *kinds: str) -> None:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not any(found == kind or (kind.endswith("/") and found.startswith(kind)) for kind in kinds):
        raise HTTPException(415, f"content-type is {found[:40] or 'missing'!r}, expected {' or '.join(kinds)}")


async def _body(request: Request, most: int) -> bytes:
    """The body, of at most `most` bytes, whatever its length claims to be."""
    claimed = request.headers.get("content-length", "0")
    if not claimed.isdecimal() or int(claimed) > most:
        raise HTTPException(413, f"the request has more than {most} bytes")
    content = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                content += piece
                if len(content) > most:
                    raise HTTPException(413, f"the request has more than {most} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the request did not arrive in {PATIENCE:.0f} seconds") from None
    return bytes(content)


class _Answer(Response):
    """Events as JSON lines while the work goes on; a page that goes away ends its work."""

    def __init__(self, submit: Callable[[Callable[[Event], None]], Work]) -> None:
        super().__init__(media_type="application/x-ndjson")
        self._submit = submit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        def put(event: Event | None) -> None:
            try:
                loop.call_soon_threadsafe(events.put_nowait, event)
            except RuntimeError:  # the server has ended
                return

        try:
            work = self._submit(put)
        except (BusyError, FacecondError) as error:
            status, text = (
                (503, "busy: too much is waiting; try again") if isinstance(error, BusyError) else (400, str(error))
            )
            await _line(status, text)(scope, receive, send)
            return

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            await events.put(None)

        gone = asyncio.create_task(until_gone())
        del self.headers["content-length"]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (event := await events.get()) is not None:
                more = event["kind"] == "step"
                await send(
                    {"type": "http.response.body", "body": json.dumps(event).encode() + b"\n", "more_body": True}
                )
                if not more:
                    break
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:  # the page went away
            pass
        finally:
            work.cancel()
            gone.cancel()


class _Guard:
    """Lets through what names this machine as its host, comes from this page, and carries the token where one is needed."""

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int) -> None:
        self._app, self._token, self._port = app, token.encode(), port
        self._hosts = {host.strip("[]").lower()}
        if is_loopback(host):
            self._hosts |= {"localhost", "127.0.0.1", "::1"}
        self._any_address = host in ("0.0.0.0", "::")
        self._open = {f"/{name}" for name in page_files()} | {"/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []), *((name.encode(), value.encode()) for name, value in HEADERS.items())
                ]  # fmt: skip
            await send(message)

        if scope["type"] != "http":  # a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope)
        if refusal:
            await _line(403, refusal)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> str:
        """Why a request is refused; empty for one that is let through."""
        sent: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            sent.setdefault(name.lower(), []).append(value)
        if any(len(sent.get(name, ())) > 1 for name in (b"host", b"origin", TOKEN_HEADER.encode())):
            return "refused: a header is given twice"
        host = sent.get(b"host", [b""])[0].decode("latin-1")
        if not self._is_here(host):
            return "refused: the request names another host than this machine"
        origin = sent.get(b"origin", [b""])[0].decode("latin-1")
        site = sent.get(b"sec-fetch-site", [b"none"])[0]
        if (origin and origin.lower() != f"http://{host}".lower()) or site not in (b"none", b"same-origin"):
            return "refused: the request comes from another page"
        if scope["path"] in self._open:
            return ""
        if not hmac.compare_digest(sent.get(TOKEN_HEADER.encode(), [b""])[0], self._token):
            return "refused: the token is missing or wrong; open the address that the terminal shows"
        return ""

    def _is_here(self, header: str) -> bool:
        """Whether a Host header names this machine; names are compared, so that a foreign name that leads here is refused."""
        name, _, port = header.lower().rpartition(":")
        if not name or header.endswith("]"):
            name, port = header.lower(), "80"
        if port != str(self._port):
            return False
        bare = name.strip("[]")
        return bare in self._hosts or (self._any_address and _is_address(bare))


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
