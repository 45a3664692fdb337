"""An exported folder, served by Python's own server and opened in Chromium, samples what `facecond sample` does.

The tolerance: drawn label maps are equal in 999 of 1000 pixels; of a picture of the same map no byte differs by more than 2, and 99
of 100 are equal. (Found: all pixels but one of a map; at most 1, 99.9 of 100.)

Where a network holds two classes for equally likely the last digit of a sum decides (decision 0014): the pixel found is one that
the program itself draws otherwise with one thread than with two.
"""

import functools
import http.server
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecond.assembly.session import Session
from facecond.assembly.session import open as open_run
from facecond.data.pack import Pack
from facecond.errors import FacecondError

pytestmark = [pytest.mark.bundled, pytest.mark.slow, pytest.mark.timeout(1800)]

MOST_APART, SHARE_EQUAL, LABELS_EQUAL = 2, 0.99, 0.999


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class Isolating(Handler):
    """Sends the headers that allow threads."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@pytest.fixture(scope="module")
def exported(came_along: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript", reason="no exporter: pip install 'facecond[web]'")
    from facecond.export import command, runtime
    from facecond.workspace import find

    named = os.environ.get("ONNXRUNTIME_WEB")
    try:
        runtime.read_runtime(named)
    except FacecondError as error:
        pytest.skip(f"no onnxruntime-web: {error}; or ONNXRUNTIME_WEB=its file")
    hidden, find.BUNDLED = find.BUNDLED, came_along
    try:
        workspace = tmp_path_factory.mktemp("export")
        words = [
            f"workspace={workspace}",
            "run=drawn64-multicond",
            "sampler.steps=6",
            *([f"runtime={named}"] if named else []),
        ]
        made: Path = command.run(command.prepare(words)).made["folder"]
    finally:
        find.BUNDLED = hidden
    return made


@pytest.fixture(scope="module")
def session(came_along: Path) -> Iterator[Session[Any]]:
    from facecond.workspace import find

    hidden, find.BUNDLED = find.BUNDLED, came_along
    yield open_run("drawn64-multicond", device="cpu")
    find.BUNDLED = hidden


class Willing(Handler):
    """Lets every page load what it has."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        super().end_headers()


@contextmanager
def served(folder: Path, handler: type[Handler]) -> Iterator[str]:
    """Serve a folder at the address that is returned."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def elsewhere(exported: Path) -> Iterator[str]:
    """Another origin, whose files any page may load."""
    with served(exported, Willing) as address:
        yield address


@pytest.fixture(scope="module", params=[Handler, Isolating], ids=["plain", "isolated"])
def page(request: pytest.FixtureRequest, exported: Path, chromium: Any) -> Iterator[Any]:
    """A blank page of the folder with the engine in `engine`; requests to elsewhere are noted in `page.elsewhere`."""
    with served(exported, request.param) as address:
        context = chromium.new_context()
        opened = context.new_page()
        opened.elsewhere, opened.address = [], address
        opened.on(
            "request",
            lambda each: (
                opened.elsewhere.append(each.url) if not each.url.startswith((address, "data:", "blob:")) else None
            ),
        )
        opened.goto(f"{address}model.json")
        opened.evaluate("""async () => {
          const about = await (await fetch("studio.json")).json();
          globalThis.engine = await (await import("./engine-browser.js")).open(about);
        }""")
        yield opened
        context.close()


SAMPLE = """async ({map, signs, ...asked}) => {
  const steps = [];
  const request = {...asked, run: 0, map: map && Uint8Array.from(map), signs: Int8Array.from(signs)};
  const made = await engine.sample(request, ({what, step, of, pictures}) => steps.push([what, step, of, pictures?.length ?? 0]));
  return {steps, made: made.map(({imageData, map, record}) => ({pixels: [...imageData.data], map: map && [...map], record}))};
}"""


def people(session: Session[Any]) -> Pack:
    pack = session.own_pack
    assert pack is not None
    return pack


CASES: dict[str, tuple[bool, bool, dict[str, Any]]] = {
    "map and attributes": (True, True, {"seed": 3, "count": 2}),
    "attributes alone": (False, True, {"seed": 2**53 - 1, "count": 1}),
    "a part of a map": (True, False, {"seed": 5, "count": 1}),
    "fresh noise": (True, True, {"seed": 6, "count": 1, "eta": 1.0, "steps": 18}),
    "another sampler and guidance": (
        True, True, {"seed": 7, "count": 1, "sampler": "dpmpp", "steps": 5, "guidance": {"attributes": 3.0, "mask": 1.5}},
    ),
    "guidance that costs one evaluation": (True, True, {"seed": 8, "count": 1, "guidance": {"attributes": 1.0, "mask": 1.0}}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_pictures_are_those_of_the_program(case: str, page: Any, session: Session[Any]) -> None:
    mapped, signed, asked = CASES[case]
    pack, item = people(session), list(CASES).index(case)
    labels, signs = np.array(pack.labels[item]), np.array(pack.attributes[item])
    if case == "a part of a map":
        labels[:30] = 255
    asked = {"steps": 6, "eta": 0.0, "draw": True, **asked}
    told = {**({"mask": labels} if mapped else {}), **({"attributes": signs} if signed else {})}
    found = page.evaluate(SAMPLE, {
        "map": labels.flatten().tolist() if mapped else None,
        "signs": signs.tolist() if signed else [0] * 40,
        **asked,
    })  # fmt: skip
    keys = {key: value for key, value in asked.items() if key != "draw"}
    expected = session.sample(precision="float32", **keys, **told)
    assert len(found["made"]) == asked["count"]
    for index, made in enumerate(found["made"]):
        record, own = made["record"], expected.records[index]
        labels_HW = np.array(made["map"], dtype=np.uint8).reshape(64, 64)
        equal = labels_HW == own["told"]["mask"]["value"]
        assert equal.mean() >= LABELS_EQUAL
        images = expected.images
        if not equal.all():
            images = session.sample(precision="float32", **keys, **{**told, "mask": labels_HW}).images
        pixels = np.array(made["pixels"]).reshape(64, 64, 4)
        apart = np.abs(pixels[..., :3] - images[index].astype(int))
        assert apart.max() <= MOST_APART
        assert (apart == 0).mean() >= SHARE_EQUAL
        assert (pixels[..., 3] == 255).all()
        if equal.all():
            assert {name: told["sha256"] for name, told in record["told"].items()} == {
                name: told["sha256"] for name, told in own["told"].items()
            }
        assert int(record["seed"]) == own["seed"]
        for key in ("index", "weights", "first_stage", "sampler", "guidance", "precision"):
            assert record[key] == own[key], key
        assert record["asked"]["seed"] == asked["seed"]
    assert page.elsewhere == []


def test_without_drawing_an_open_map_stays_open(page: Any, session: Session[Any]) -> None:
    signs = np.array(people(session).attributes[7])
    found = page.evaluate(
        SAMPLE, {"map": None, "signs": signs.tolist(), "seed": 9, "count": 1, "draw": False, "steps": 6}
    )
    assert found["made"][0]["map"] is None
    open_maps = open_run("drawn64-multicond", device="cpu", maps="none")
    expected = open_maps.sample(precision="float32", attributes=signs, seed=9, steps=6).images[0].astype(int)
    apart = np.abs(np.array(found["made"][0]["pixels"]).reshape(64, 64, 4)[..., :3] - expected)
    assert apart.max() <= MOST_APART


def test_previews_come_first_and_steps_are_told(page: Any) -> None:
    steps = page.evaluate(SAMPLE, {"map": None, "signs": [0] * 40, "seed": 1, "count": 1, "draw": True, "steps": 6})[
        "steps"
    ]
    steps = [each for each in steps if each[0] != "loading"]
    assert [each[:3] for each in steps] == [
        *(["maps", step, 20] for step in range(1, 21)), *(["pictures", step, 6] for step in range(1, 7)),
    ]  # fmt: skip
    assert steps[20][3] == 1


def test_aborting_ends_the_work_before_its_next_step(page: Any) -> None:
    found = page.evaluate("""async () => {
      const abort = new AbortController();
      let steps = 0;
      const first = engine.sample({run: 0, map: null, signs: new Int8Array(40), seed: 1, count: 4, draw: false, steps: 200}, () => {
        if (++steps === 2) abort.abort();
      }, abort.signal).catch((error) => error.name);
      const began = performance.now();
      const second = engine.sample({run: 0, map: null, signs: new Int8Array(40), seed: 2, count: 1, draw: false, steps: 1});
      const name = await first;
      const made = await second;
      const over = AbortSignal.abort();
      const early = await engine.sample({run: 0, signs: new Int8Array(40)}, () => {}, over).catch((error) => error.name);
      return {name, steps, early, made: made.length, seconds: (performance.now() - began) / 1000};
    }""")
    assert (found["name"], found["early"], found["made"]) == ("AbortError", "AbortError", 1)
    assert found["steps"] == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"steps": 0}, "0 steps: expected at least 1"),
        ({"eta": 2}, "eta 2: expected 0 to 1"),
        ({"sampler": "euler"}, "sampler euler: expected ddim or dpmpp"),
        ({"guidance": {"mask": -1}}, "guidance of mask: expected a number from 0"),
        ({"map": [0] * 12}, "mask has 12 entries, expected 4096"),
        ({"map": [77] * 4096}, "mask holds 77, expected 0, 1"),
    ],
)
def test_what_the_engine_refuses(asked: dict[str, Any], said: str, page: Any) -> None:
    request = {"map": None, "signs": [0] * 40, "seed": 1, "count": 1, "draw": False, "steps": 1, **asked}
    told = page.evaluate(f"(asked) => ({SAMPLE})(asked).then(() => 'made', (error) => error.message)", request)
    assert said in told


REFUSED = "Content Security Policy"
"""What Chromium says on the console of what a page's policy forbids."""

FETCH = "(address) => fetch(address, {mode: 'no-cors'}).then(() => 'went', () => 'refused')"


def test_the_page_paints_and_samples(page: Any) -> None:
    shown = page.context.new_page()
    faults: list[str] = []
    shown.on("pageerror", lambda error: faults.append(str(error)))
    shown.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    shown.goto(page.address)
    shown.wait_for_selector("body[data-made]", timeout=120_000)
    before = shown.evaluate("document.body.dataset.made")
    picture = shown.get_attribute("#faces img", "src")
    box = shown.query_selector("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.mouse.move(x - 40, y)
    shown.mouse.down()
    shown.mouse.move(x + 40, y, steps=5)
    shown.mouse.up()
    began = time.monotonic()
    shown.wait_for_selector(f'body:not([data-made="{before}"])', timeout=120_000)
    assert time.monotonic() - began < 120
    assert shown.get_attribute("#faces img", "src") != picture
    assert shown.text_content("#status") == "Face ready"
    shown.click("#open-people")
    shown.click("#people-dialog button.plain")
    assert not shown.is_visible("#people-dialog")
    assert faults == []
    shown.close()


def test_the_page_loads_nothing_from_elsewhere_and_sends_nothing_there(page: Any, elsewhere: str) -> None:
    """Neither does its worker. What the policy forbids shows on the console, whose silence in the test before so says something."""
    shown = page.context.new_page()
    refused: list[str] = []
    shown.on("console", lambda said: refused.append(said.text) if REFUSED in said.text else None)
    assert page.evaluate(FETCH, elsewhere) == "went"  # from a page without a policy
    shown.goto(page.address)
    shown.wait_for_selector("body[data-made]", timeout=120_000)
    assert refused == []
    assert shown.evaluate(FETCH, elsewhere) == "refused"
    assert any("connect-src" in each for each in refused)
    (worker,) = [each for each in shown.workers if each.url.startswith("blob:")]
    assert worker.evaluate(FETCH, elsewhere) == "refused"
    assert worker.evaluate(FETCH, page.address) == "went"
    for tried in (
        "(address) => new Promise((end) => { const made = new Image(); made.onload = made.onerror = (event) => end(event.type);"
        " made.src = address + 'icon.svg'; })",
        "(address) => import(address + 'map.js').then(() => 'load', () => 'error')",
        "() => new Promise((end) => setTimeout(() => { try { end(eval('\"load\"')); } catch { end('error'); } }, 10))",
        "() => new Promise((end) => { const made = document.createElement('script'); made.textContent = 'globalThis.ran = true';"
        " document.body.append(made); setTimeout(() => end(globalThis.ran ? 'load' : 'error'), 50); })",
    ):
        assert shown.evaluate(tried, elsewhere) == "error", tried
    assert shown.text_content("#status") == "Face ready"
    shown.close()


def test_threads_need_an_isolated_page(page: Any) -> None:
    isolated, threads, cores = page.evaluate("[crossOriginIsolated, engine.threads, navigator.hardwareConcurrency]")
    assert threads == (min(4, cores) if isolated else 1)
