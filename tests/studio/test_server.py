"""The server: what it makes is what `facecond sample` makes, the newest request wins, and whatever else comes is one line."""

import asyncio
import base64
import io
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from facecond.faces.names import ATTRIBUTES, NUM_ATTRIBUTES
from facecond.io.images import write_label_map
from facecond.studio.about import GROUPS
from facecond.studio.engine import MOST_WAITING
from facecond.studio.requests import labels_of, runs_of
from facecond.studio.server import page_files
from tests.commands.conftest import call
from tests.studio.conftest import TOKEN, Served, asking, events, settled

HEADERS = {"X-Facecond-Token": TOKEN}


@pytest.fixture
def client(served: Served) -> Any:
    with httpx.Client(base_url=served.address, headers=HEADERS, timeout=60) as client:
        yield client


def ask(client: httpx.Client, asked: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/api/sample", json=asked)
    assert answer.status_code == 200, answer.text
    return events(answer.text)


# What is made


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("sampler", "eta", "count", "draw", "said"),
    [("ddim", 0.0, 2, False, "both"), ("dpmpp", 0.5, 1, False, "map"), ("ddim", 1.0, 2, True, "attributes")],
)
def test_pictures_are_those_of_facecond_sample(
    sampler: str, eta: float, count: int, draw: bool, said: str, served: Served, client: httpx.Client, tmp_path: Path
) -> None:
    """Byte for byte, the files included."""
    person = served.about["people"][2]
    asked = asking(
        served.about, sampler=sampler, eta=eta, count=count, draw=draw, seed=11, steps=3,
        map=None if said == "attributes" else person["map"], guidance={"mask": 1.5, "attributes": 3.0},
        signs=[0] * NUM_ATTRIBUTES if said == "map" else person["signs"],
    )  # fmt: skip
    *steps, done = ask(client, asked)
    words = [
        "run=drawn64-multicond", "device=cpu", f"workspace={tmp_path}", "seed=11", f"count={count}", f"sampler={sampler}",
        "sampler.steps=3", f"sampler.eta={eta}", "guidance.mask=1.5", "guidance.attributes=3", "name=same",
    ]  # fmt: skip
    if said != "attributes":
        write_label_map(tmp_path / "map.png", labels_of(person["map"], 64))
        words.append(f"mask={tmp_path / 'map.png'}")
    if said != "map":
        signed = zip(person["signs"], ATTRIBUTES, strict=True)
        words.append("attr='" + ",".join(f"{'-0+'[sign + 1]}{name}" for sign, name in signed if sign) + "'")
    call("sample", *words, *([] if draw else ["maps=none"]))
    for index, picture in enumerate(done["pictures"]):
        file = tmp_path / "samples" / "same" / "images" / f"{index:06}.png"
        assert base64.b64decode(picture["png"]) == file.read_bytes()
    assert {step["what"] for step in steps} == ({"maps", "pictures"} if draw else {"pictures"})


def test_previews_come_while_it_is_made(served: Served, client: httpx.Client) -> None:
    *steps, done = ask(client, asking(served.about, count=2))
    assert [step["step"] for step in steps] == [1, 2, 3]
    image = Image.open(io.BytesIO(base64.b64decode(steps[0]["pictures"][1])))
    assert image.size == (64, 64)
    assert "pictures" not in steps[-1]  # the picture itself follows
    assert done["kind"] == "done"


def test_a_record_says_what_to_ask_for_again(served: Served, client: httpx.Client) -> None:
    first = ask(client, asking(served.about, count=2, eta=0.3))[-1]["pictures"][1]
    kept = dict(first["record"]["asked"])
    index = kept.pop("index")
    words = kept.pop("attributes")
    assert "+Young" in words
    again = ask(client, {**kept, "page": "b", "run": 0})[-1]["pictures"][index]
    assert again["png"] == first["png"]
    assert again["record"] == first["record"]
    assert first["record"]["told"]["mask"]["value"] == served.about["people"][0]["map"]


@pytest.mark.bundled
def test_a_photograph_becomes_a_map(served: Served, client: httpx.Client) -> None:
    """Of a drawn person whose map is known."""
    person = served.about["people"][1]
    picture = base64.b64decode(person["picture"].partition(",")[2])
    answer = client.post("/api/parse", content=picture, headers={"Content-Type": "image/png"})
    (done,) = events(answer.text)
    truth, found = labels_of(person["map"], 64), labels_of(done["map"], 64)
    assert float(np.mean(truth == found)) > 0.9
    assert np.mean(np.array(done["signs"]) == np.array(person["signs"])) > 0.9


# The newest request wins


def test_a_newer_request_ends_the_one_before(served: Served) -> None:
    seen: list[list[dict[str, Any]]] = [[], []]
    under_way = threading.Event()

    def stream(place: int, steps: int) -> None:
        asked = asking(served.about, steps=steps, page="newest")
        with httpx.stream("POST", f"{served.address}/api/sample", json=asked, headers=HEADERS, timeout=60) as answer:
            for line in answer.iter_lines():
                seen[place].append(json.loads(line))
                under_way.set()

    first = threading.Thread(target=stream, args=(0, 250))
    first.start()
    assert under_way.wait(20)
    stream(1, 2)
    first.join(20)
    assert seen[0][-1] == {"kind": "superseded"}
    assert seen[0][-2]["step"] < 100
    assert seen[1][-1]["kind"] == "done"


def test_a_page_that_goes_away_leaves_nothing_running(served: Served) -> None:
    with httpx.stream(
        "POST", f"{served.address}/api/sample", json=asking(served.about, steps=250), headers=HEADERS, timeout=60
    ) as answer:
        next(answer.iter_lines())
        before = served.engine.state()["steps"]
    state = settled(served.engine, 5)
    assert state["steps"] - before < 100
    time.sleep(0.3)
    assert served.engine.state()["steps"] == state["steps"]


def test_two_pages_do_not_end_one_another(served: Served) -> None:
    async def both() -> list[list[dict[str, Any]]]:
        async with httpx.AsyncClient(base_url=served.address, headers=HEADERS, timeout=60) as client:
            answers = [client.post("/api/sample", json=asking(served.about, page=page)) for page in ("one", "two")]
            return [events(answer.text) for answer in await asyncio.gather(*answers)]

    for answer in asyncio.run(both()):
        assert answer[-1]["kind"] == "done"


@pytest.mark.parametrize("pages", [1, 100])
def test_a_hundred_requests_at_once(pages: int, served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Of one page the last one is answered; of many, as many as may wait; the others are told so in one line."""

    async def all_of_them() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=served.address, headers=HEADERS, timeout=120, limits=limits) as client:
            asked = [asking(served.about, page=f"many-{number % pages}", steps=2) for number in range(100)]
            return await asyncio.gather(*(client.post("/api/sample", json=each) for each in asked))

    with caplog.at_level(logging.ERROR):
        answers = asyncio.run(all_of_them())
    ends = [events(each.text)[-1]["kind"] for each in answers if each.status_code == 200]
    refused = [each for each in answers if each.status_code != 200]
    assert all(each.status_code == 503 and len(each.text.splitlines()) == 1 for each in refused)
    assert set(ends) <= {"done", "superseded"}
    assert ends.count("done") >= 1
    if pages == 1:
        assert not refused
    else:
        assert len(ends) >= MOST_WAITING
    assert not caplog.records
    settled(served.engine)


# What is refused


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X-Facecond-Token": ""}, "token"),
        ({"X-Facecond-Token": "wrong"}, "token"),
        ({"X-Facecond-Token": "wröng".encode()}, "token"),
        ({"Origin": "http://evil.example"}, "another page"),
        ({"Origin": "null"}, "another page"),
        ({"Origin": "https://127.0.0.1"}, "another page"),
        ({"Sec-Fetch-Site": "cross-site"}, "another page"),
        ({"Sec-Fetch-Site": "same-site"}, "another page"),
        ({"Host": "evil.example"}, "another host"),
        ({"Host": "evil.example:{port}"}, "another host"),
        ({"Host": "127.0.0.1"}, "another host"),
        ({"Host": "127.0.0.1:1"}, "another host"),
        ({"Host": ""}, "another host"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/studio.json", "/api/state", "/api/sample"])
def test_strangers_are_refused_in_one_line(path: str, headers: dict[str, Any], words: str, served: Served) -> None:
    sent = {**HEADERS, **headers}
    if isinstance(sent.get("Host"), str):
        sent["Host"] = sent["Host"].format(port=served.port)
    method = "POST" if path == "/api/sample" else "GET"
    answer = httpx.request(method, served.address + path, headers=sent, content=b"{}" if method == "POST" else None)
    assert answer.status_code in (400, 403) if headers.get("Host") == "" else answer.status_code == 403
    assert len(answer.text.splitlines()) == 1
    if answer.status_code == 403:
        assert words in answer.text


def test_a_foreign_name_gets_not_even_the_page(served: Served) -> None:
    assert httpx.get(served.address, headers={"Host": f"evil.example:{served.port}"}).status_code == 403
    assert httpx.get(served.address, headers={"Host": f"localhost:{served.port}"}).status_code == 200


def test_every_answer_says_what_the_page_may_load(served: Served, client: httpx.Client) -> None:
    for path in ("/", "/studio.js", "/studio.json", "/nothing", "/api/sample"):
        headers = client.get(path).headers
        policy = dict(piece.strip().split(" ", 1) for piece in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for name, content in page_files().items():
        text = content.decode()
        for scheme in ("http://", "https://", "//cdn", "@import"):
            assert scheme not in text.replace("http://www.w3.org/2000/svg", ""), name


PATHS = [
    "/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/page/../engine.py",
    "/studio.js/../../engine.py", "/%00", "/index.html%00.png", "/engine.py", "/__init__.py", "/api/", "/api/sample/../state/x",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_a_file(path: str, served: Served) -> None:
    """Sent as it stands, over a plain socket."""
    import socket

    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as plain:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nX-Facecond-Token: {TOKEN}\r\nConnection: close\r\n\r\n"
        plain.sendall(head.encode())
        answer = b""
        while piece := plain.recv(65536):
            answer += piece
    head_line, _, body = answer.partition(b"\r\n")[0], *answer.partition(b"\r\n\r\n")[1:]
    assert head_line.split()[1] in (b"403", b"404", b"400"), head_line
    assert b"root:" not in body
    assert b"import" not in body


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"map": [0, 64]}, "4096"),
    ({"map": [0, 4096, 1]}, "pairs"),
    ({"map": [19, 4096]}, "19"),
    ({"map": [256, 4096]}, "4096"),
    ({"map": [0, 1 << 40]}, "map"),
    ({"map": [0, -1, 1, 4097]}, "map"),
    ({"map": [0, 1] * 5000}, "pairs"),
    ({"map": "../../etc/passwd"}, "map"),
    ({"map": {"0": 4096}}, "map"),
    ({"map": [0.5, 4096]}, "map"),
    ({"signs": [0] * 39}, "signs"),
    ({"signs": [2] * 40}, "signs"),
    ({"signs": ["x"] * 40}, "signs"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**53}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"seed": True}, "seed"),
    ({"seed": "0"}, "seed"),
    ({"count": 5}, "count"),
    ({"count": 0}, "count"),
    ({"steps": 251}, "steps"),
    ({"steps": 10**30}, "steps"),
    ({"eta": 1.1}, "eta"),
    ({"eta": None}, "eta"),
    ({"sampler": "/etc/passwd"}, "sampler"),
    ({"sampler": ["ddim"]}, "sampler"),
    ({"guidance": {"mask": 1e9}}, "guidance"),
    ({"guidance": [1]}, "guidance"),
    ({"run": 1}, "run"),
    ({"run": -1}, "run"),
    ({"page": "x" * 65}, "page"),
    ({"draw": "yes"}, "draw"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_of_the_wrong_type_is_one_line(
    change: dict[str, Any], words: str, served: Served, client: httpx.Client
) -> None:
    answer = client.post("/api/sample", json=asking(served.about, **change))
    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 1
    assert words in answer.text
    assert served.engine.state()["running"] == 0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"[" * 50000, b'{"eta": NaN}', b"\xff\xfe", b'{"page": "\\ud800"}'], ids=repr
)
def test_what_is_no_request_is_one_line(content: bytes, client: httpx.Client) -> None:
    answer = client.post("/api/sample", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 1


def test_a_key_that_is_missing_is_named(served: Served, client: httpx.Client) -> None:
    for key in asking(served.about):
        asked = asking(served.about)
        del asked[key]
        answer = client.post("/api/sample", json=asked)
        assert answer.status_code == 400
        assert key in answer.text


def test_large_requests_are_refused_whatever_they_claim(served: Served, client: httpx.Client) -> None:
    kind = {"Content-Type": "application/json"}
    assert client.post("/api/sample", content=b" " * (1 << 20), headers=kind).status_code == 413

    def pieces() -> Any:  # of unknown length
        for _ in range(64):
            yield b" " * (1 << 16)

    assert client.post("/api/sample", content=pieces(), headers=kind).status_code == 413
    assert client.get("/api/state").status_code == 200


def _bomb(side: int) -> bytes:
    """A small file that unpacks to side * side pixels."""
    content = io.BytesIO()
    Image.new("1", (side, side)).save(content, format="PNG")
    return content.getvalue()


HOSTILE = {
    "bomb": _bomb(12000),
    "text": b"#!/bin/sh\nexit 1\n",
    "nothing": b"",
    "cut": _bomb(64)[:60],
    "gif": b"GIF89a" + b"\0" * 100,
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_photographs_are_one_line(name: str, client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.post("/api/parse", content=HOSTILE[name], headers={"Content-Type": "image/png"})
        (event,) = events(answer.text)
    assert event["kind"] == "error"
    assert "the photograph" in event["message"]
    assert "\n" not in event["message"]
    assert not caplog.records


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_kinds_that_a_foreign_page_may_send_are_refused(kind: str, client: httpx.Client) -> None:
    for path in ("/api/sample", "/api/parse"):
        answer = client.post(path, content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert len(answer.text.splitlines()) == 1


def test_nothing_is_written(
    served: Served, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Path(served.engine.sessions[0].config.workspace)
    before = sorted(workspace.rglob("*"))
    ask(client, asking(served.about))
    for content in HOSTILE.values():
        client.post("/api/parse", content=content, headers={"Content-Type": "image/png"})
    assert sorted(workspace.rglob("*")) == before == []
    assert list(tmp_path.iterdir()) == []


# What the page is told


def test_every_attribute_stands_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(ATTRIBUTES)


def test_runs_of_a_map_and_back() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        labels = generator.choice(np.array([0, 1, 13, 255], dtype=np.uint8), size=(16, 16))
        np.testing.assert_array_equal(labels_of(runs_of(labels), 16), labels)


# The command


def test_without_its_server_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from facecond.errors import ConfigError
    from facecond.studio import command

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    with pytest.raises(ConfigError, match="studio needs uvicorn, not installed here") as refused:
        command.prepare([])
    assert refused.value.hint == "pip install 'facecond[studio]'"


def test_a_port_that_is_taken_is_named() -> None:
    from facecond.errors import ConfigError
    from facecond.studio.command import listening

    with listening("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="port="):
        listening("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ConfigError, match="host=no such host"):
        listening("no such host", 0)


@pytest.mark.bundled
@pytest.mark.parametrize("stop", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_signal_ends_it_also_while_it_samples(stop: str, tmp_path: Path) -> None:
    """As a person starts it; the address that it prints works, and nothing is left in the folder."""
    import re
    import signal
    import subprocess
    import sys

    words = ["-m", "facecond", "studio", "browser=false", "port=0", "device=cpu"]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    # What a shell starts in the background ignores SIGINT, and its children with it.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=here)
    signal.signal(signal.SIGINT, heard)
    assert process.stderr is not None
    try:
        address, token = "", ""
        for line in process.stderr:
            if found := re.search(r"(http://127\.0\.0\.1:\d+)/#token=(\S+)", line):
                address, token = found.groups()
                break
        assert len(token) >= 32
        headers = {"X-Facecond-Token": token}
        about = httpx.get(f"{address}/studio.json", headers=headers).json()
        with httpx.stream(
            "POST", f"{address}/api/sample", json=asking(about, steps=250), headers=headers, timeout=60
        ) as answer:
            next(answer.iter_lines())
            process.send_signal(getattr(signal, stop))
            said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 128 + getattr(signal, stop)
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
