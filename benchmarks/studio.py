"""Seconds from the end of a stroke to the first preview and to the finished face, in a browser on this machine; and screenshots.

    python -m benchmarks.studio [--strokes 60] [--steps 10] [--pictures docs/pictures [--every]]
    python -m benchmarks.studio --strokes 0 --pictures docs/pictures --sketches RUN [--pack PACK]

The second takes a screenshot of sketches: of a run of `model=sketch_attr`, which does not come with the program. Server and
browser share the machine, as they do where a person uses them. A stroke is drawn with the mouse on a whole map; the clock starts in
the page when the button is let go. Needs Playwright (`pip install playwright`) and Chromium (`apt-get install chromium`).
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
READY = "body[data-ready]"
IDLE = "body[data-state=idle][data-made]"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@contextmanager
def studio(*words: str) -> Iterator[tuple[str, int]]:
    """Start `facecond studio`; yield its address and the number of its process."""
    command = [sys.executable, "-m", "facecond", "studio", "browser=false", "port=0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://\S+", line):
                yield found[0], process.pid
                return
        raise SystemExit("".join(said))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@contextmanager
def browser() -> Iterator[Any]:
    """Start Chromium."""
    from playwright.sync_api import sync_playwright

    place = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=place, args=ARGUMENTS)
        yield started
        started.close()


def made(page: Any, count: int, within: float = 60) -> None:
    """Wait until `count` faces were finished, and nothing is under way."""
    page.wait_for_selector(f"body[data-state=idle][data-made='{count}']", timeout=within * 1000)


def open_page(started: Any, address: str, size: dict[str, int], scheme: str = "light") -> Any:
    """Open the page and wait for its first face."""
    page = started.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1).new_page()
    page.goto(address)
    page.wait_for_selector(READY)
    made(page, 1)
    return page


def stroke(page: Any, points: list[tuple[float, float]]) -> None:
    """Draw through points of the canvas that is on show, as shares of its sides."""
    box = page.locator("#canvas:visible, #sketch-canvas:visible").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def processor_seconds(process: int) -> float:
    """Seconds of processor time that a process has had, of all its threads (Linux)."""
    user, system = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def quantiles(seconds: Sequence[float]) -> str:
    """Seconds in words: the middle one, the 95th of a hundred, the most."""
    return f"median {np.median(seconds):.2f} s, p95 {np.quantile(seconds, 0.95):.2f} s, most {max(seconds):.2f} s"


def timed(page: Any, strokes: int, steps: int, process: int | None = None) -> None:
    """Draw strokes, one after another; print the seconds of each stage, and the processor time of a server's `process`."""
    page.fill("#steps", str(steps))
    page.press("#steps", "Tab")
    page.wait_for_selector(IDLE)
    generator = np.random.default_rng(0)
    for _ in range(3):
        page.wait_for_timeout(300)
    before, spent = page.evaluate("() => studio.timings.length"), processor_seconds(process) if process else 0.0
    for number in range(strokes):
        page.locator("#legend label").nth(int(generator.choice([13, 13, 1, 12, 11, 0]))).click()
        x, y = generator.uniform(0.25, 0.75, 2)
        stroke(page, [(x, y), (x + 0.04, y + 0.02), (x + 0.08, y - 0.01)])
        page.wait_for_timeout(40)
        page.wait_for_selector("body[data-state=idle]", timeout=60000)
        if number % 10 == 9:
            page.keyboard.press("Control+z")
            page.wait_for_timeout(40)
            page.wait_for_selector("body[data-state=idle]", timeout=60000)
    times = page.evaluate("() => studio.timings")[before:]
    print(f"{len(times)} faces, {steps} steps")
    if process:
        print(f"{(processor_seconds(process) - spent) / len(times):.2f} processor seconds of the server a face")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, words in (("first", "first preview"), ("total", "finished")):
        print(f"{words}: {quantiles([each[name] / 1000 for each in times if each[name] is not None])}")


SHOWN = (("wide", "painted"), ("wide", "people"), ("wide-dark", "compare"), ("wide-dark", "lasso"), ("narrow", "moved"))
"""Screenshots that docs/studio.md shows."""


def screenshot(page: Any, file: Path) -> None:
    """Write what the page shows, in 256 colours."""
    from PIL import Image

    page.evaluate("() => { document.getElementById('timing').value = ''; }")  # of this machine, at this moment
    page.screenshot(path=file)
    Image.open(file).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)


def sketched(started: Any, address: str, folder: Path) -> None:
    """Write a screenshot of a sketch: a drawn person's, with a line of glasses drawn upon it, and four faces of it."""
    page = open_page(started, address, WIDE)
    page.keyboard.press("g")
    page.locator("#people button").nth(2).click()
    page.wait_for_timeout(200)
    page.wait_for_selector("body[data-state=idle]", timeout=60000)
    for centre in (0.39, 0.61):
        turns = np.linspace(0, 2 * np.pi, 13)
        stroke(page, [(centre + 0.085 * np.cos(turn), 0.46 + 0.065 * np.sin(turn)) for turn in turns])
    stroke(page, [(0.475, 0.45), (0.525, 0.45)])
    page.select_option("#count", "4")
    page.wait_for_timeout(200)
    page.wait_for_selector("body[data-state=idle]", timeout=60000)
    page.mouse.move(10, 10)
    page.wait_for_timeout(200)
    screenshot(page, folder / "studio-wide-sketch.png")
    page.context.close()
    print(f"screenshot: {folder / 'studio-wide-sketch.png'}")


def photographed(started: Any, address: str, folder: Path, every: bool) -> None:
    """Write screenshots of the page's states: those that are shown, or `every` one, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, scheme, name in (
        (WIDE, "light", "wide"), (WIDE, "dark", "wide-dark"), (NARROW, "light", "narrow"), (NARROW, "dark", "narrow-dark"),
    ):  # fmt: skip
        states = {state for shown, state in SHOWN if shown == name}
        if not (every or states):
            continue
        page = open_page(started, address, size, scheme)

        def take(state: str, page: Any = page, name: str = name) -> None:
            if every or (name, state) in SHOWN:
                screenshot(page, folder / f"studio-{name}-{state}.png")

        take("first")
        page.keyboard.press("g")
        page.wait_for_timeout(150)
        take("people")
        page.locator("#people button").nth(5).click()
        page.wait_for_timeout(100)
        page.wait_for_selector("body[data-state=idle]")
        page.locator("#legend label", has_text="hair").click()
        page.locator("#brush").fill("6")
        stroke(page, [(0.2, 0.75), (0.16, 0.5), (0.2, 0.3), (0.35, 0.12), (0.6, 0.1), (0.78, 0.25), (0.84, 0.6)])
        page.select_option("#count", "4")
        page.wait_for_timeout(100)
        page.wait_for_selector("body[data-state=idle]", timeout=30000)
        page.wait_for_timeout(200)
        take("painted")
        page.keyboard.press("m")
        stroke(page, [(0.5, 0.6), (0.55, 0.56)])
        page.wait_for_timeout(100)
        page.wait_for_selector("body[data-state=idle]", timeout=30000)
        take("moved")
        page.keyboard.press("p")
        for x, y in ((0.3, 0.3), (0.6, 0.25), (0.5, 0.5)):
            stroke(page, [(x, y)])
        page.mouse.move(10, 10)
        take("lasso")
        page.keyboard.press("b")
        page.keyboard.press("v")
        page.wait_for_selector(".three figure:last-child[data-ready]", timeout=30000)
        take("compare")
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        page.wait_for_timeout(150)
        take("exchange")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        page.wait_for_timeout(150)
        take("keys")
        page.keyboard.press("Escape")
        page.fill("#search", "wear")
        page.wait_for_timeout(100)
        take("search")
        page.context.close()
    print(f"screenshots: {folder}")


def main() -> None:
    """Measure, and take screenshots where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=int, default=60)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--sketches", metavar="RUN", help="a run that is told sketches: a screenshot of its page alone")
    parser.add_argument("--pack", help="whose people the page of --sketches offers")
    given = parser.parse_args()
    if given.sketches:
        people = [f"pack={given.pack}"] if given.pack else []
        with studio("device=cpu", f"run={given.sketches}", *people) as (address, _), browser() as started:
            sketched(started, address, given.pictures or Path("docs/pictures"))
        return
    with studio("device=cpu", "run=drawn64-multicond") as (address, process), browser() as started:
        if given.strokes:
            timed(open_page(started, address, WIDE), given.strokes, given.steps, process)
        if given.pictures:
            photographed(started, address, given.pictures, given.every)


if __name__ == "__main__":
    main()
