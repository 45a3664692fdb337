"""The demo: minutes become images, and a demo that is interrupted goes on where it was."""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facecond.config.compose import compose
from facecond.demo import command as demo
from facecond.demo.growing import Growing
from facecond.demo.plan import LEAST, PACES, TITLES, Plan, divide, make_plan
from facecond.errors import DataError
from tests.reports.test_page import Reader

SECTIONS = (
    "In numbers", "Samples beside their conditions", "Other attributes, same noise", "Other attributes on a map",
    "Parts exchanged between people", "Maps edited by hand", "Several samples of one condition", "What the models learnt from",
    "Curves", "Runs", "All figures", "Steps", "Versions",
)  # fmt: skip
"""Headings of the page."""

SPEEDS = {
    "draw": 0.001,
    "encode": 0.002,
    "look": 0.002,
    "vq": 0.012,
    "parser": 0.004,
    "classifier": 0.003,
    "multicond": 0.007,
    "predict": 0.0017,
}


def test_minutes_become_images_that_fit() -> None:
    for minutes in (5.0, 14.0, 40.0):
        plan = divide(compose("demo", [f"minutes={minutes}"]).config, SPEEDS, overhead=30)
        assert plan.total <= minutes * 60
        assert plan.total >= minutes * 60 * 0.97
    assert all(abs(sum(pace.shares.values()) - 1) < 1e-9 for pace in PACES.values())


def test_a_slow_machine_gets_models_worth_having_and_an_honest_duration() -> None:
    slow = {name: 20 * seconds for name, seconds in SPEEDS.items()}
    plan = divide(compose("demo", ["minutes=5"]).config, slow, overhead=30)
    assert plan.images == LEAST
    assert plan.total > 5 * 60


def test_what_is_left_follows_what_was_taken() -> None:
    plan = divide(compose("demo", ["minutes=14"]).config, SPEEDS, overhead=30)
    assert plan.left({}, []) == pytest.approx(plan.total - 30)  # the timing is over
    assert sum(plan.of_step(step) for step in plan.steps) == pytest.approx(plan.total - 30)
    vq, rest = plan.of_step("vq"), sum(plan.of_step(step) for step in plan.steps if step not in ("draw", "vq"))
    twice = {"draw": 2 * plan.of_step("draw"), "vq": 2 * vq}
    done, quarter = plan.of_step("draw") + vq, (plan.total - 30) / 4
    pace = (2 * done + quarter) / (done + quarter)
    assert 1.5 < pace < 2
    assert plan.left(twice, ["draw", "vq"]) == pytest.approx(pace * rest)
    assert plan.left({"vq": vq / 2}, []) == pytest.approx(plan.total - 30 - vq / 2)
    assert plan.left({**twice, "parser": 1e6}, ["draw", "vq"]) == pytest.approx(pace * (rest - plan.of_step("parser")))
    assert plan.left({"draw": 0.0}, ["draw"]) > 0.9 * (plan.total - 30)


def test_a_plan_is_kept(tmp_path: Path) -> None:
    config = compose("demo", ["minutes=14"]).config
    plan = divide(config, SPEEDS, overhead=30)
    (tmp_path / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    assert make_plan(config, tmp_path) == plan
    with pytest.raises(DataError, match="minutes"):
        make_plan(compose("demo", ["minutes=3"]).config, tmp_path)


@pytest.mark.parametrize(
    ("moments", "which"),
    [
        pytest.param({"after"}, ("measure", "page"), marks=pytest.mark.slow, id="some"),
        pytest.param(
            {"before", "after"}, tuple(key for key in TITLES if key != "shipped"), marks=pytest.mark.slow, id="every"
        ),
    ],
)
def test_a_demo_interrupted_at_steps_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: set[str], which: tuple[str, ...]
) -> None:
    """Steps are interrupted before their work, or after it but before it is noted as done."""
    images = dict.fromkeys(PACES["usual"].shares, 32)
    plan = Plan(14.0, 0, 16, "usual", 40, 16, images, dict.fromkeys(["all"], 60.0), "test")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    words = [f"workspace={tmp_path}", "count=16"]
    attempts: Counter[str] = Counter()
    order = dict(enumerate(sorted(moments, reverse=True), 1))
    call = demo.Demo.call

    def interrupted(self: demo.Demo, key: str, work: Callable[[], dict[str, str]], **more: Any) -> Any:
        def once() -> dict[str, str]:
            attempts[key] += 1
            moment = order.get(attempts[key]) if key in which else None
            if moment == "before":
                raise KeyboardInterrupt
            made = work()
            if moment == "after":
                raise KeyboardInterrupt
            return made

        return call(self, key, once, **more)

    usual = PACES["usual"]
    network = (*usual.network, "model.denoiser.model_channels=32", "model.denoiser.head_channels=32")
    quick = dataclasses.replace(usual, network=network, sampling=("sampler=ddim", "sampler.steps=2"))
    monkeypatch.setitem(PACES, "usual", quick)
    monkeypatch.setattr(demo.Demo, "call", interrupted)
    before: dict[Path, int] = {}
    pages: list[Reader] = []
    for _ in range(len(moments) * len(which)):
        with pytest.raises(KeyboardInterrupt):
            demo.run(demo.prepare(words))
        pages.append(Reader((tmp_path / "demo" / "index.html").read_text(encoding="utf-8")))
        now = made_by_work(tmp_path)
        assert before.items() <= now.items()  # nothing lost, nothing made twice
        before = now
    pages.pop()  # the last step writes the page itself
    assert all(any(text.startswith("Stopped after") for text in page.words) for page in pages)
    places = [list(plan.steps).index(key) for key in which for _ in moments]
    assert [page.words.count("done") for page in pages] == places[:-1]
    assert pages[-1].all("id", "h2") == ["Steps", "Samples-while-training", "Curves", "What-the-models-learn-from"]
    result = demo.run(demo.prepare(words))
    assert before == made_by_work(tmp_path)
    assert attempts == {key: len(moments) + 1 if key in which else 1 for key in plan.steps}
    page = result.made["page"].read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'src="http' not in page
    assert "facecond swap-masks" in page
    assert Reader(page).all("id", "h2") == [title.replace(" ", "-") for title in SECTIONS]
    steps = json.loads((tmp_path / "demo" / "steps.json").read_text())
    assert len(steps) == 13
    assert all(step["done"] for step in steps.values())
    again = demo.run(demo.prepare(words))
    assert again.figures == result.figures


def test_the_page_grows_while_the_demo_runs(tmp_path: Path) -> None:
    images = dict.fromkeys(PACES["usual"].shares, 32)
    plan = Plan(14.0, 0, 16, "usual", 40, 16, images, dict.fromkeys(["draw", "vq"], 60.0), "test")
    shown = demo.Demo(compose("demo", [f"workspace={tmp_path}"]).config, "demo", tmp_path / "demo", plan)
    (tmp_path / "demo").mkdir()
    file = tmp_path / "demo" / "index.html"

    def wait(text: str) -> Reader:
        deadline = time.monotonic() + 60
        while not file.is_file() or text not in file.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return Reader(file.read_text(encoding="utf-8"))

    def under_way() -> dict[str, str]:
        page = wait("under way")
        assert page.all("http-equiv", "meta") == ["refresh"]
        assert "about 1 min 00 s" in page.words
        return {}

    with Growing(shown, tmp_path / "demo", seconds=0.02):
        shown.call("draw", under_way)
        wait("done")
    with pytest.raises(DataError), Growing(shown, tmp_path / "demo", seconds=60):
        raise DataError("something is wrong")
    assert not wait("Stopped after").all("http-equiv", "meta")
    file.unlink()
    file.mkdir()
    with Growing(shown, tmp_path / "demo"):
        pass  # a page that cannot be written stops nothing


def made_by_work(folder: Path) -> dict[Path, int]:
    """Arrays, weights and pictures, and when each was written."""
    kinds = (".npy", ".safetensors", ".png")
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix in kinds and path.name not in ("grid.png", "swap.png", "edits.png")
    ]
    return {path: path.stat().st_mtime_ns for path in files if "checkpoints" not in path.parts}
