"""The page's second layer in a real browser: a sketch holds lines, paper and nothing, and makes the face that the program makes."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from facecond.conditions.table import CONDITIONS
from facecond.io.images import read_label_map
from facecond.studio.about import about
from facecond.studio.requests import sketch_of
from tests.commands.conftest import call
from tests.studio.conftest import TOKEN, Served, Sketching, serving
from tests.studio.test_page import STROKES, picture, ready, values

pytestmark = pytest.mark.slow

SIZE = 64


@pytest.fixture
def open_page(sketch_served: Served, chromium: Any) -> Iterator[Any]:
    """A function that opens the page of a studio; errors of the page fail the test."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def opened(studio: Served = sketch_served) -> Any:
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 860}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto(f"{studio.address}/#token={TOKEN}")
        page.wait_for_selector("body[data-ready]")
        ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def sketch(page: Any) -> np.ndarray:
    """The sketch, as it stands in the page."""
    return np.array(page.evaluate("() => [...studio.sketch]"), dtype=np.uint8).reshape(SIZE, SIZE)


def draw(page: Any, *cells: tuple[float, float]) -> None:
    """A stroke through cells of the sketch."""
    box = page.locator("#sketch-canvas").bounding_box()
    places = [
        (box["x"] + (x + 0.5) * box["width"] / SIZE, box["y"] + (y + 0.5) * box["height"] / SIZE) for x, y in cells
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def still(page: Any) -> None:
    """Wait until the face is that of what is drawn."""
    page.wait_for_timeout(50)
    page.wait_for_selector("body[data-state=idle]")


def test_each_tool_puts_down_its_ink_and_undo_is_the_layers_own(open_page: Any) -> None:
    page = open_page()
    page.uncheck("#live")
    map_before = values(page)
    assert page.locator("#sketch-canvas").is_hidden()
    page.keyboard.press("k")
    assert page.locator("#canvas").is_hidden()
    assert page.get_by_role("radio", name="Sketch", exact=True).is_checked()
    page.click("#clear")
    assert set(np.unique(sketch(page))) == {255}
    draw(page, (10, 20), (40, 20))
    expected = np.zeros((SIZE, SIZE), dtype=np.uint8)
    expected[20, 10:41] = 1
    np.testing.assert_array_equal(sketch(page), expected)  # one cell wide, on paper
    page.keyboard.press("e")
    draw(page, (30, 20))
    expected[20, 30] = 0
    np.testing.assert_array_equal(sketch(page), expected)
    page.keyboard.press("n")
    assert page.locator('#legend input[value="255"]').is_checked()
    page.locator("#brush").fill("2")
    draw(page, (50, 50))
    opened = np.argwhere(sketch(page) == 255)
    assert len(opened) == 4
    assert np.abs(opened - 50).max() <= 1
    page.keyboard.press(".")  # round to the line, with its tool
    assert page.locator('#tool-list input[value="pencil"]').is_checked()
    page.keyboard.press("k")
    assert page.locator("#undo").is_disabled()  # nothing was done to the map
    page.keyboard.press("Control+z")
    page.keyboard.press("k")
    assert (sketch(page) == 255).any()
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(sketch(page), expected)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert set(np.unique(sketch(page))) == {255}  # the line took the paper with it
    np.testing.assert_array_equal(values(page), map_before)


def test_with_the_keyboard_alone(open_page: Any) -> None:
    page = open_page()
    page.uncheck("#live")
    page.keyboard.press("k")
    page.click("#clear")
    page.focus("#sketch-canvas")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    drawn = np.argwhere(sketch(page) == 1).tolist()
    assert drawn == [[32, 32], [32, 33], [33, 33]]
    assert "33, 33" in (page.locator("#status").text_content() or "")
    page.keyboard.press("k")
    assert page.evaluate("() => document.activeElement.id") == "canvas"


def test_hundreds_of_strokes_leave_no_other_value(open_page: Any) -> None:
    page = open_page()
    page.uncheck("#live")
    page.keyboard.press("k")
    generator = np.random.default_rng(3)
    for tool, ink in (("b", 1), ("e", 0), ("n", 255), ("b", 1)) * 2:
        page.keyboard.press(tool)
        page.locator("#brush").fill(str(int(generator.integers(1, 9))))
        before = sketch(page)
        strokes = generator.uniform(-2, SIZE + 2, size=(30, 3, 2)).tolist()
        page.evaluate(STROKES.replace('"canvas"', '"sketch-canvas"'), [strokes])
        changed = sketch(page)
        assert set(np.unique(changed[changed != before])) == {ink}
    assert set(np.unique(sketch(page))) == {0, 1, 255}


def test_what_is_painted_is_what_is_made_saved_and_opened_again(
    sketching: Sketching, open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page()
    page.keyboard.press("k")
    page.click("#clear")
    draw(page, (12, 12), (50, 12), (32, 55), (12, 12))
    page.keyboard.press("n")
    page.locator("#brush").fill("9")
    draw(page, (5, 60), (30, 60))
    page.locator("#guidance-sketch").fill("3.25")
    page.wait_for_timeout(200)
    still(page)
    painted, face = sketch(page), picture(page)
    assert set(np.unique(painted)) == {0, 1, 255}
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "face.png")
    record = json.loads(Image.open(tmp_path / "face.png").text["facecond"])
    np.testing.assert_array_equal(sketch_of(record["asked"]["sketch"], SIZE), painted)
    np.testing.assert_array_equal(sketch_of(record["told"]["sketch"]["value"], SIZE), painted)
    with page.expect_download() as download:
        page.click("#save-map")
    assert download.value.suggested_filename == "sketch.png"
    download.value.save_as(tmp_path / "sketch.png")
    np.testing.assert_array_equal(CONDITIONS["sketch"].read(str(tmp_path / "sketch.png"), SIZE), painted)
    words = shlex.split(page.evaluate("() => studio.command()"))
    page.keyboard.press("k")
    with page.expect_download() as download:
        page.click("#save-map")
    download.value.save_as(tmp_path / "map.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "map.png"), values(page))

    # The line that is copied makes the same picture.
    monkeypatch.chdir(tmp_path)
    assert words[:7] == ["facecond", "sample", "run=lines", "--mask", "map.png", "--sketch", "sketch.png"]
    given = [f"attr='{words[7].partition('=')[2]}'", "mask=map.png", "sketch=sketch.png", "run=lines", *words[8:]]
    made = call("sample", *given, "device=cpu", f"workspace={sketching.workspace}", "name=again")
    (file,) = made.made["images"].glob("*.png")
    np.testing.assert_array_equal(np.array(Image.open(file)), face)

    # A reload keeps the sketch; the saved picture, and the saved sketch, set it back on another page.
    page.keyboard.press("k")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.locator("#sketch-canvas").is_visible()
    np.testing.assert_array_equal(sketch(page), painted)
    other = open_page()
    other.set_input_files("#map-file", tmp_path / "face.png")
    still(other)
    np.testing.assert_array_equal(sketch(other), painted)
    np.testing.assert_array_equal(picture(other), face)
    assert other.input_value("#guidance-sketch") == "3.25"
    other.keyboard.press("k")
    other.click("#clear")
    other.set_input_files("#sketch-file", tmp_path / "sketch.png")
    other.wait_for_function("() => document.getElementById('status').textContent !== '' && studio.sketch.includes(1)")
    np.testing.assert_array_equal(sketch(other), painted)


def test_a_drawing_of_any_size_is_read_as_the_program_reads_it(open_page: Any, tmp_path: Path) -> None:
    smooth = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(smooth).ellipse((60, 40, 240, 270), outline=(40, 30, 60), width=7)
    smooth.save(tmp_path / "drawing.jpg")
    page = open_page()
    page.keyboard.press("k")
    page.set_input_files("#sketch-file", tmp_path / "drawing.jpg")
    page.wait_for_function("() => studio.drawing.painters.sketch.history.before.length === 1")
    np.testing.assert_array_equal(sketch(page), CONDITIONS["sketch"].read(str(tmp_path / "drawing.jpg"), SIZE))
    still(page)
    Image.new("L", (80, 64), 255).save(tmp_path / "wide.png")
    page.set_input_files("#sketch-file", tmp_path / "wide.png")
    page.wait_for_selector("#status.wrong")
    assert "80x64" in (page.locator("#status").text_content() or "")


def test_the_switch_is_there_where_there_is_something_to_choose(sketching: Sketching, open_page: Any) -> None:
    page = open_page()
    assert page.locator("#layers").is_visible()
    (run,) = sketching.about["runs"]
    for told, layer, canvas in (("map", "Map", "#canvas"), ("sketch", "Sketch", "#sketch-canvas")):
        only = {**run, "map": False, "sketch": False, told: True}
        with serving(sketching.engine, {**sketching.about, "runs": [only]}) as studio:
            page = open_page(studio)
            assert page.locator("#layers").is_hidden()
            assert page.locator("#map-title").text_content() == layer
            assert page.locator(canvas).is_visible()
            assert page.locator("#draw").is_visible() == (told == "map")
            page.keyboard.press("k")
            assert page.locator(canvas).is_visible()
            record = page.evaluate("() => studio.pictures[0][0].record")
            assert [name for name in ("map", "sketch") if record["asked"][name] is not None] == [told]
            page.context.close()
    told = about(sketching.engine.sessions, engine="server", steps=2, people=2, parse=False, sketches=False)
    with serving(sketching.engine, told) as studio:  # as the page of `facecond export web`
        page = open_page(studio)
        assert page.locator("#layers").is_hidden()
        assert page.locator("#canvas").is_visible()
        assert page.locator("#guidance-sketch").count() == 0
        assert page.evaluate("() => studio.pictures[0][0].record.asked.sketch") is None
        page.context.close()
