"""The demo: minutes become images, and a demo that is interrupted goes on where it was."""

import dataclasses
import json
from pathlib import Path

import pytest

from facecond.commands import demo, demo_edits
from facecond.commands.demo_plan import LEAST, SHARES, Plan, divide, make_plan
from facecond.config.compose import compose
from facecond.errors import DataError

SPEEDS = {"draw": 0.001, "encode": 0.002, "vq": 0.012, "parser": 0.004, "classifier": 0.003, "multicond": 0.007}


def test_minutes_become_images_that_fit() -> None:
    for minutes in (5.0, 14.0, 40.0):
        plan = divide(compose("demo", [f"minutes={minutes}"]).config, SPEEDS, overhead=30)
        assert plan.total <= minutes * 60
        assert plan.total >= minutes * 60 * 0.97
    assert abs(sum(SHARES.values()) - 1) < 1e-9


def test_a_slow_machine_gets_models_worth_having_and_an_honest_duration() -> None:
    slow = {name: 20 * seconds for name, seconds in SPEEDS.items()}
    plan = divide(compose("demo", ["minutes=5"]).config, slow, overhead=30)
    assert plan.images == LEAST
    assert plan.total > 5 * 60


def test_a_plan_is_kept(tmp_path: Path) -> None:
    config = compose("demo", ["minutes=14"]).config
    plan = divide(config, SPEEDS, overhead=30)
    (tmp_path / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    assert make_plan(config, tmp_path) == plan
    with pytest.raises(DataError, match="minutes"):
        make_plan(compose("demo", ["minutes=3"]).config, tmp_path)


@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize("interrupted", ["train", "draw_edits"])
def test_an_interrupted_demo_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: str) -> None:
    images = dict.fromkeys(SHARES, 32)
    plan = Plan(14.0, 0, 16, 40, 16, images, dict.fromkeys(["all"], 60.0), "test")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    words = [f"workspace={tmp_path}", "count=16"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "STEPS", 2)
    with monkeypatch.context() as broken:
        broken.setattr(
            demo_edits if interrupted == "draw_edits" else demo.train,
            "draw_edits" if interrupted == "draw_edits" else "run",
            stop,
        )
        with pytest.raises(KeyboardInterrupt):
            demo.run(demo.prepare(words))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix in (".npy", ".safetensors")}
    assert before
    result = demo.run(demo.prepare(words))
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    page = result.made["page"].read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'src="http' not in page
    assert "facecond swap-masks" in page
    steps = json.loads((tmp_path / "demo" / "steps.json").read_text())
    assert len(steps) == 13
    assert all(step["done"] for step in steps.values())
    again = demo.run(demo.prepare(words))
    assert again.figures == result.figures
