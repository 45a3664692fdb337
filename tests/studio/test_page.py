"""The page in a real browser: maps hold what was painted and nothing else, and what a person does comes out as it should."""

import base64
import io
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from facecond.editing.swap import swap_parts
from facecond.faces.labels import CLASSES, PALETTE, PART_GROUPS, UNSPECIFIED, flip_labels, resize_labels
from facecond.io.images import read_label_map, write_label_map
from facecond.studio.requests import labels_of, runs_of
from tests.commands.conftest import call
from tests.studio.conftest import TOKEN, Served, settled

pytestmark = pytest.mark.slow

SIZE = 64
VALUES = [*range(19), UNSPECIFIED]

Open = Callable[..., Any]


@pytest.fixture
def open_page(served: Served, chromium: Any) -> Iterator[Open]:
    """A function that opens the page; what it asks for and what goes wrong in it is looked at in the end."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def opened(*, context: Any = None, live: bool = True, address: str = "", **more: Any) -> Any:
        own = context or chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, **more})
        contexts.append(own)
        page = own.new_page()
        page.set_default_timeout(30_000)
        here = address or served.address
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on(
            "request", lambda asked: None if asked.url.startswith((here, "data:", "blob:")) else wrong.append(asked.url)
        )
        if not live:
            stop = "document.getElementById('live').checked = false"
            page.add_init_script(f"window.addEventListener('DOMContentLoaded', () => {{ {stop}; }})")
        page.goto(f"{here}/#token={TOKEN}")
        page.wait_for_selector("body[data-ready]")
        if live:
            ready(page)
        return page

    yield opened
    for context in dict.fromkeys(contexts):
        context.close()
    assert wrong == []


def ready(page: Any, more_than: int = 0) -> None:
    """Wait until a face was made, more than `more_than` of them, and nothing is under way."""
    page.wait_for_selector("body[data-state=idle][data-made]")
    while page.evaluate("() => studio.timings.length") <= more_than:
        page.wait_for_timeout(20)
    page.wait_for_selector("body[data-state=idle]")


def count(page: Any) -> int:
    made: int = page.evaluate("() => studio.timings.length")
    return made


def values(page: Any) -> np.ndarray:
    """The map, as it stands in the page."""
    return np.array(page.evaluate("() => [...studio.values]"), dtype=np.uint8).reshape(SIZE, SIZE)


def spot(page: Any, x: float, y: float) -> tuple[float, float]:
    """A point of the canvas, given in cells."""
    box = page.locator("#canvas").bounding_box()
    return box["x"] + (x + 0.5) * box["width"] / SIZE, box["y"] + (y + 0.5) * box["height"] / SIZE


def draw(page: Any, *cells: tuple[float, float]) -> None:
    """A stroke through cells."""
    page.mouse.move(*spot(page, *cells[0]))
    page.mouse.down()
    for cell in cells[1:]:
        page.mouse.move(*spot(page, *cell))
    page.mouse.up()


def choose(page: Any, value: int) -> None:
    page.locator(f'#legend input[value="{value}"]').check(force=True)


def picture(page: Any, place: int = 0) -> np.ndarray:
    """A finished face, uint8 (64, 64, 3)."""
    content = page.evaluate("place => btoa(String.fromCharCode(...studio.pictures[0][place].png))", place)
    return np.array(Image.open(io.BytesIO(base64.b64decode(content))))


# Maps as arrays, beside the program's own functions


def on_maps(page: Any, function: str, **given: Any) -> Any:
    """What a function of what map.js and png.js export, and of what is given, returns; arrays come out as lists."""
    whole = f"async (given) => await ({function})({{...await import('./map.js'), ...await import('./png.js')}}, given)"
    return page.evaluate(whole, given)


def some_maps(number: int) -> list[np.ndarray]:
    generator = np.random.default_rng(number)
    blocks = [generator.choice(np.array(VALUES, dtype=np.uint8), size=(8, 8)) for _ in range(4)]
    return [np.kron(each, np.ones((8, 8), dtype=np.uint8)) for each in blocks]


def test_mirror_exchange_and_runs_are_the_programs_own(served: Served, open_page: Open) -> None:
    page = open_page(live=False)
    maps = [*some_maps(0), *[labels_of(each["map"], SIZE) for each in served.about["people"][:6]]]
    pairs = served.about["flip_pairs"]
    for labels, other in zip(maps, maps[::-1], strict=True):
        given = {"a": runs_of(labels), "b": runs_of(other), "pairs": pairs}
        turned = on_maps(page, "(m, g) => m.toRuns(m.mirror(m.fromRuns(g.a, 64), 64, g.pairs))", **given)
        np.testing.assert_array_equal(labels_of(turned, SIZE), flip_labels(labels))
        for part in served.about["parts"]:
            mixed = on_maps(
                page, "(m, g) => m.toRuns(m.exchanged(m.fromRuns(g.a, 64), m.fromRuns(g.b, 64), g.classes))",
                classes=part["classes"], **given,
            )  # fmt: skip
            names = [CLASSES[number] for number in part["classes"]]
            np.testing.assert_array_equal(labels_of(mixed, SIZE), swap_parts(labels, other, names).labels_a_HW)


def test_parts_are_those_that_the_program_knows(served: Served) -> None:
    known = {tuple(sorted(CLASSES.index(each) for each in group)) for group in PART_GROUPS.values()}
    known |= {(number,) for number in range(1, 19)}
    assert {tuple(sorted(part["classes"])) for part in served.about["parts"]} <= known


@pytest.mark.parametrize("shape", [(64, 64), (128, 128), (100, 80), (37, 53), (256, 64)])
def test_a_map_is_brought_to_size_as_the_program_does(shape: tuple[int, int], open_page: Open) -> None:
    from facecond.faces.checks import central_square

    labels = np.random.default_rng(1).choice(np.array(VALUES, dtype=np.uint8), size=shape)
    page = open_page(live=False)
    brought = on_maps(page, "(m, g) => m.toRuns(m.brought(Uint8Array.from(g.values), g.width, g.height, 64))",
                      values=labels.ravel().tolist(), width=shape[1], height=shape[0])  # fmt: skip
    np.testing.assert_array_equal(labels_of(brought, SIZE), resize_labels(central_square(labels), SIZE))


def test_shapes_are_what_they_should_be(open_page: Open) -> None:
    """Against distances, and against Pillow's rectangle."""
    page = open_page(live=False)
    for diameter in range(1, 25):
        cells = {tuple(cell) for cell in on_maps(page, "(m, g) => m.disc(g.d)", d=diameter)}
        middle = 0.5 if diameter % 2 == 0 else 0.0
        for x in range(-14, 15):
            for y in range(-14, 15):
                far = ((x - middle) ** 2 + (y - middle) ** 2) ** 0.5
                if far <= diameter / 2 - 0.71:
                    assert (x, y) in cells
                if far > diameter / 2 + 0.5:
                    assert (x, y) not in cells
    corners = [[5, 7], [20, 7], [20, 30], [5, 30]]
    filled = "(m, g) => { const v = m.empty(64); m.polygon(v, 64, g.corners, 3); return m.toRuns(v); }"
    box = on_maps(page, filled, corners=corners)
    expected = np.full((SIZE, SIZE), UNSPECIFIED, dtype=np.uint8)
    expected[7:31, 5:21] = 3
    np.testing.assert_array_equal(labels_of(box, SIZE), expected)
    drawn = "(m, g) => { const v = m.empty(64); m.line(v, 64, [2, 3], [50, 20], 1, 4); return m.toRuns(v); }"
    line = labels_of(on_maps(page, drawn), SIZE)
    rows, columns = np.nonzero(line == 4)
    assert sorted(columns) == list(range(2, 51))  # one cell in each column
    assert (np.abs(rows - (3 + (columns - 2) * 17 / 48)) <= 0.5).all()  # the nearest to the line


def test_a_part_that_moves_is_whole_and_leaves_no_hole(served: Served, open_page: Open) -> None:
    page = open_page(live=False)
    for person in served.about["people"][:5]:
        labels = labels_of(person["map"], SIZE)
        where = np.flatnonzero(labels == CLASSES.index("nose")).tolist()
        moved = labels_of(on_maps(page, "(m, g) => m.toRuns(m.moved(m.fromRuns(g.a, 64), 64, g.places, 3, -2, 100))",
                                  a=person["map"], places=where), SIZE)  # fmt: skip
        np.testing.assert_array_equal(
            np.argwhere(moved == CLASSES.index("nose")),
            np.argwhere(labels == CLASSES.index("nose")) + np.array([-2, 3]),
        )
        assert set(np.unique(moved)) <= set(np.unique(labels))
        grown = labels_of(on_maps(page, "(m, g) => m.toRuns(m.moved(m.fromRuns(g.a, 64), 64, g.places, 0, 0, 200))",
                                  a=person["map"], places=where), SIZE)  # fmt: skip
        assert 3.2 < (grown == CLASSES.index("nose")).sum() / len(where) < 4.8


def test_label_maps_and_records_in_png_files(open_page: Open, tmp_path: Path) -> None:
    """What the page writes Pillow and the program read, and the other way round."""
    page = open_page(live=False)
    labels = some_maps(3)[0]
    colours = ["#" + "".join(f"{int(value):02x}" for value in colour) for colour in PALETTE]
    written = on_maps(page, "async (m, g) => [...await m.labelPng(m.fromRuns(g.a, 64), 64, g.colours)]",
                      a=runs_of(labels), colours=colours)  # fmt: skip
    (tmp_path / "map.png").write_bytes(bytes(written))
    np.testing.assert_array_equal(read_label_map(tmp_path / "map.png"), labels)
    words = "Größe ½ {}"
    with_text = on_maps(
        page, "(m, g) => [...m.withText(Uint8Array.from(g.png), 'facecond', g.text)]", png=written, text=words
    )
    reread = Image.open(io.BytesIO(bytes(with_text)))
    reread.load()
    assert reread.text["facecond"] == words
    write_label_map(tmp_path / "ours.png", labels)
    Image.fromarray(labels).save(tmp_path / "grey.png")
    Image.fromarray(np.repeat(labels[..., None], 3, axis=2)).save(tmp_path / "rgb.png")
    Image.fromarray((labels % 2).astype(bool)).save(tmp_path / "bits.png")
    for name in ("ours", "grey", "rgb", "bits"):
        found = on_maps(page, "async (m, g) => { const r = await m.labelsOf(Uint8Array.from(g.png)); return [...r.values]; }",
                        png=list((tmp_path / f"{name}.png").read_bytes()))  # fmt: skip
        np.testing.assert_array_equal(np.array(found).reshape(SIZE, SIZE), labels % 2 if name == "bits" else labels)
    content = PngImagePlugin.PngInfo()
    content.add_itxt("facecond", words)
    Image.fromarray(labels).save(tmp_path / "text.png", pnginfo=content)
    text = on_maps(
        page, "(m, g) => m.textOf(Uint8Array.from(g.png), 'facecond')", png=list((tmp_path / "text.png").read_bytes())
    )
    assert text == words


# Painting


STROKES = """([strokes]) => {
  // As the mouse does it, without waiting for the screen after every move.
  const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect(), cell = box.width / 64;
  for (const cells of strokes) {
    const at = ([x, y]) => ({
      clientX: box.left + (x + 0.5) * cell, clientY: box.top + (y + 0.5) * cell, pointerId: 1, bubbles: true, cancelable: true,
    });
    canvas.dispatchEvent(new PointerEvent("pointerdown", { ...at(cells[0]), button: 0, buttons: 1 }));
    for (const next of cells.slice(1)) canvas.dispatchEvent(new PointerEvent("pointermove", { ...at(next), buttons: 1 }));
    canvas.dispatchEvent(new PointerEvent("pointerup", at(cells[cells.length - 1])));
  }
}"""


def test_a_thousand_strokes_leave_no_stray_label(open_page: Open) -> None:
    page = open_page(live=False)
    page.mouse.move(*spot(page, 1, 1))
    start = values(page)
    generator = np.random.default_rng(7)
    painted = set(np.unique(start).tolist())
    drawn = 0
    for _ in range(40):
        tool = str(generator.choice(["b", "b", "b", "e", "f", "p"]))
        page.keyboard.press(tool)
        label = int(generator.choice([1, 2, 4, 10, 13, 14, 18]))
        if tool != "e":
            choose(page, label)
        painted.add(UNSPECIFIED if tool == "e" else label)
        page.locator("#brush").fill(str(int(generator.integers(1, 25))))
        strokes = generator.uniform(-2, SIZE + 2, size=(25, 1 if tool == "f" else 3, 2)).tolist()
        before = values(page)
        page.evaluate(STROKES, [strokes])
        drawn += len(strokes)
        changed = values(page)
        new = changed[changed != before]
        assert set(np.unique(new).tolist()) <= {UNSPECIFIED if tool == "e" else label}
    assert drawn == 1000
    end = values(page)
    assert set(np.unique(end).tolist()) <= painted <= set(VALUES)
    assert (end != start).mean() > 0.3
    assert page.evaluate("() => studio.painter.history.before.length") > 300  # strokes that changed something
    while page.locator("#undo").is_enabled():
        page.evaluate("() => { for (let time = 0; time < 100; time++) studio.painter.undo(); }")
    np.testing.assert_array_equal(values(page), start)
    while page.locator("#redo").is_enabled():
        page.evaluate("() => { for (let time = 0; time < 100; time++) studio.painter.redo(); }")
    np.testing.assert_array_equal(values(page), end)


def test_every_tool_does_its_work(open_page: Open) -> None:
    page = open_page(live=False)
    page.click("#clear")
    assert set(np.unique(values(page))) == {UNSPECIFIED}
    choose(page, 13)
    page.locator("#brush").fill("1")
    page.keyboard.press("b")
    draw(page, (10, 10), (20, 10))
    assert (values(page)[10, 10:21] == 13).all()
    assert (values(page) == 13).sum() == 11
    page.keyboard.press("p")
    choose(page, 1)
    for cell in ((30, 30), (50, 30), (50, 50), (30, 50), (30, 30)):
        draw(page, cell)
    np.testing.assert_array_equal(np.argwhere(values(page) == 1).min(axis=0), [30, 30])
    assert (values(page)[30:51, 30:51] == 1).all()
    page.keyboard.press("f")
    choose(page, 0)
    draw(page, (2, 2))
    assert (values(page) == 0).sum() == SIZE * SIZE - 11 - 21 * 21
    page.keyboard.press("m")
    draw(page, (40, 40), (36, 41))
    page.keyboard.press("Enter")
    assert (values(page)[31:52, 26:47] == 1).all()
    assert (values(page) == 1).sum() == 21 * 21
    page.keyboard.press("e")
    draw(page, (10, 10))
    assert values(page)[10, 10] == UNSPECIFIED
    page.keyboard.press("x")
    assert (values(page)[31:52, SIZE - 47 : SIZE - 26] == 1).all()
    page.keyboard.press("+")
    assert (page.locator("#zoom").text_content() or "").startswith("1.5")
    page.keyboard.press("0")
    page.click("#canvas", button="right", position={"x": 3, "y": 3})
    assert page.locator('#legend input[value="0"]').is_checked()


def test_with_the_keyboard_alone(open_page: Open) -> None:
    page = open_page(live=False)
    page.keyboard.press("?")
    assert page.locator("#help-dialog").is_visible()
    page.keyboard.press("Escape")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "canvas":
            break
    else:
        pytest.fail("the canvas is not reached with Tab")
    page.keyboard.press("[")
    page.keyboard.press("[")
    before = values(page)
    page.keyboard.press(".")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    after = values(page)
    assert after[33, 33] == after[32, 33] == after[32, 32] == 2
    assert "33, 33" in (page.locator("#status").text_content() or "")
    for _ in range(3):
        page.keyboard.press("Control+z")
    np.testing.assert_array_equal(values(page), before)
    page.keyboard.press("/")
    page.keyboard.type("smil")
    assert page.locator(".attribute:visible").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => studio.signs[31]") in (0, 1)


# Faces


def test_photograph_in_face_out(served: Served, open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    person = served.about["people"][3]
    file = tmp_path / "person.png"
    file.write_bytes(base64.b64decode(person["picture"].partition(",")[2]))
    before = count(page)
    page.set_input_files("#photo-file", file)
    ready(page, before)
    assert np.mean(values(page) == labels_of(person["map"], SIZE)) > 0.9
    assert picture(page).shape == (SIZE, SIZE, 3)


def test_a_saved_picture_opens_again(open_page: Open, tmp_path: Path) -> None:
    """On another page, with everything that was set."""
    page = open_page()
    page.keyboard.press("b")
    choose(page, 13)
    draw(page, (10, 20), (20, 40))
    page.fill("#seed", "77")
    page.press("#seed", "Tab")
    page.fill("#steps", "3")
    page.press("#steps", "Tab")
    page.select_option("#count", "2")
    page.locator("input[name=sign-15][value='1']").check(force=True)
    page.wait_for_selector(".grid[data-count='2'] .face[data-passing=false]")
    ready(page)
    page.locator(".face").nth(1).click()
    with page.expect_download() as download:
        page.click("#save")
    file = tmp_path / "saved.png"
    download.value.save_as(file)
    record = json.loads(Image.open(file).text["facecond"])
    assert record["asked"]["seed"] == 77
    kept, signs, face = values(page), page.evaluate("() => [...studio.signs]"), picture(page, 1)
    np.testing.assert_array_equal(np.array(Image.open(file)), face)
    other = open_page()
    before = count(other)
    other.set_input_files("#map-file", file)
    ready(other, before)
    np.testing.assert_array_equal(values(other), kept)
    assert other.evaluate("() => [...studio.signs]") == signs
    assert (other.input_value("#seed"), other.input_value("#steps"), other.input_value("#count")) == ("77", "3", "2")
    np.testing.assert_array_equal(picture(other, 1), face)


@pytest.mark.bundled
def test_the_command_that_is_copied_makes_the_picture(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page()
    write_label_map(tmp_path / "map.png", values(page))
    words = shlex.split(page.evaluate("() => studio.command()"))
    assert words[:2] == ["facecond", "sample"]
    monkeypatch.chdir(tmp_path)
    given = []
    for word in words[2:]:
        if word.startswith("--attr="):
            given.append(f"attr='{word.partition('=')[2]}'")
        elif word != "--mask":
            given.append(f"mask={word}" if word == "map.png" else word)
    made = call("sample", *given, "device=cpu", f"workspace={tmp_path}", "name=again")
    (file,) = made.made["images"].glob("*.png")
    np.testing.assert_array_equal(np.array(Image.open(file)), picture(page))


def test_a_stroke_ends_the_sampling_before_it(served: Served, open_page: Open) -> None:
    page = open_page()
    page.fill("#steps", "250")
    page.press("#steps", "Tab")
    page.wait_for_selector("body[data-state=sampling]")
    page.keyboard.press("b")
    choose(page, 13)
    page.mouse.move(*spot(page, 20, 20))
    page.mouse.down()
    settled(served.engine, 5)  # already while the button is down
    page.mouse.move(*spot(page, 25, 25))
    page.mouse.up()
    page.wait_for_selector("body[data-state=sampling]")
    page.uncheck("#live")
    state = settled(served.engine, 5)
    page.wait_for_timeout(300)
    assert served.engine.state()["steps"] == state["steps"]


def test_a_page_that_is_closed_leaves_nothing_running(served: Served, open_page: Open) -> None:
    page = open_page()
    page.fill("#steps", "250")
    page.press("#steps", "Tab")
    page.wait_for_selector("body[data-state=sampling]")
    page.close()
    settled(served.engine, 5)


def test_reload_keeps_the_work(open_page: Open) -> None:
    page = open_page(live=False)
    page.keyboard.press("b")
    choose(page, 14)
    draw(page, (5, 5), (50, 12))
    page.fill("#seed", "5")
    page.press("#seed", "Tab")
    page.locator("input[name=sign-31][value='1']").check(force=True)
    kept = values(page)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    np.testing.assert_array_equal(values(page), kept)
    assert (kept == 14).any()
    assert page.input_value("#seed") == "5"
    assert page.evaluate("() => studio.signs[31]") == 1
    assert page.locator('#legend input[value="14"]').is_checked()


def test_two_tabs_do_not_mix(open_page: Open) -> None:
    one = open_page()
    two = open_page(context=one.context)
    for page, label in ((one, 14), (two, 3)):
        page.bring_to_front()
        before = count(page)
        page.keyboard.press("b")
        choose(page, label)
        draw(page, (5, 5), (50, 12))
        ready(page, before)
    assert (values(one) == 14).any()
    assert not (values(two) == 14).any()
    kept = values(one)
    one.reload()
    one.wait_for_selector("body[data-ready]")
    np.testing.assert_array_equal(values(one), kept)


def test_a_part_of_another_person_at_a_click(served: Served, open_page: Open) -> None:
    page = open_page(live=False)
    start = values(page)
    page.click("#exchange")
    page.select_option("#part", label="hair")
    page.locator("#others button").nth(4).click()
    other = labels_of(served.about["people"][4]["map"], SIZE)
    np.testing.assert_array_equal(values(page), swap_parts(start, other, ["hair"]).labels_a_HW)


def test_same_noise_other_attribute(open_page: Open) -> None:
    page = open_page()
    page.click("#vary")
    page.wait_for_selector(".three figure:nth-child(3)[data-ready]")
    before = count(page)
    page.locator(".three .face").nth(2).click()
    ready(page, before - 1)
    assert page.evaluate("() => studio.signs[31]") == 1
    assert page.input_value("#seed") == "0"


def test_two_runs_beside_one_another(served: Served, open_page: Open) -> None:
    import socket
    import threading
    import time

    import uvicorn

    from facecond.studio.about import about
    from facecond.studio.engine import Engine
    from facecond.studio.server import make_app

    sessions = [*served.engine.sessions, served.engine.sessions[0].without_maps()]
    engine = Engine(sessions)
    told = about(sessions, engine="server", steps=2, people=3, parse=False, cannot_parse="no parser here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        app = make_app(engine, told, token=TOKEN, host="127.0.0.1", port=port)
        serving = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [server]}, daemon=True)
        thread.start()
        while not serving.started:
            time.sleep(0.01)
        page = open_page(address=f"http://127.0.0.1:{port}")
        assert page.locator(".faces figure").count() == 2
        assert page.evaluate("() => studio.pictures.map((each) => each.length)") == [1, 1]
        assert page.locator("#open-photo").is_disabled()
        page.context.close()
        serving.should_exit = True
        thread.join(10)
    engine.close()


# What it looks like, and to whom


@pytest.mark.parametrize("width", [1280, 800, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_lies_beyond_the_edge(width: int, scheme: str, open_page: Open) -> None:
    page = open_page(live=False, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("() => document.scrollingElement.scrollWidth") <= width
    box = page.locator("#canvas").bounding_box()
    assert abs(box["width"] - box["height"]) < 1
    assert box["width"] > (300 if width < 1000 else 380)
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, dark[4:-1].split(","))) < 150) == (scheme == "dark")


def test_everything_that_can_be_used_has_a_name(open_page: Open) -> None:
    page = open_page(live=False)
    nameless = page.evaluate("""() => [...document.querySelectorAll("button, input, select, canvas, progress")].filter((each) => {
        const labelled = each.getAttribute("aria-label") || each.labels?.[0]?.textContent.trim() || each.textContent.trim()
          || (each.getAttribute("aria-labelledby") && document.getElementById(each.getAttribute("aria-labelledby")));
        return !labelled && each.type !== "file" && !each.querySelector?.("img[alt]:not([alt=''])");
    }).map((each) => each.outerHTML.slice(0, 120))""")
    assert nameless == []
    assert page.locator("[role=status][aria-live=polite]").count() == 1


def test_words_can_be_read_in_light_and_dark(open_page: Open) -> None:
    """Contrast of quiet words on their ground by WCAG 2.2, at least 4.5."""

    def luminance(colour: str) -> float:
        parts = [int(colour.lstrip("#")[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for scheme in ("light", "dark"):
        page = open_page(live=False, color_scheme=scheme)
        names = ("--ink", "--quiet", "--accent", "--wrong", "--yes", "--no", "--card", "--field", "--soft")
        found = page.evaluate(
            "names => names.map((name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim())",
            list(names),
        )
        long = [each if len(each) == 7 else "#" + "".join(2 * digit for digit in each[1:]) for each in found]
        colours = dict(zip(names, long, strict=True))
        for words in names[:6]:
            for ground in names[6:]:
                high, low = sorted((luminance(colours[words]), luminance(colours[ground])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, words, ground)


def test_a_wrong_token_is_said_on_the_page(served: Served, chromium: Any) -> None:
    page = chromium.new_page()
    page.goto(f"{served.address}/#token=wrong")
    page.wait_for_selector("#status.wrong")
    assert "token" in (page.locator("#status").text_content() or "")
    page.close()
