"""Figures of trained models: what they show beside samples."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facecond.experiments import figures
from facecond.experiments.command import prepare
from facecond.reports.layouts import Shown
from facecond.sampling.plans import Prompt

LABELS = np.full((8, 8), 3, dtype=np.uint8)


def test_a_map_stands_beside_the_models_that_were_told_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = prepare(["paper=figure5"]).found
    pack = SimpleNamespace(
        images=np.zeros((1, 8, 8, 3), np.uint8), labels=LABELS[None], indices=lambda split: [0], resolution=64
    )
    values = {"attributes": np.ones(40, np.int8), "mask": LABELS}

    def session(plan: Any, place: int, eta: float) -> Any:
        told = {name: values[name] for name in plan.conditions[plan.paper.variants[place].name]}
        prompt = Prompt(values=told, description={}, source="0")
        made = SimpleNamespace(images=np.zeros((figures.VARIATIONS, 8, 8, 3), np.uint8))
        return SimpleNamespace(
            pack=pack, config=SimpleNamespace(seed=0), prompt=lambda item: prompt, generate=lambda *about: made
        ), lambda *items, **about: "samples"

    drawn: list[Shown] = []
    monkeypatch.setattr(figures, "_session", session)
    monkeypatch.setattr("facecond.reports.layouts.samples_figure", lambda shown, **about: drawn.extend(shown))
    monkeypatch.setattr(figures, "_written", lambda folder, picture: {})
    figures._variations(plan, tmp_path)
    assert [row.name for row in drawn] == ["attr", "mask", "multicond"]
    assert [[picture.tolist() for picture in row.given.values()] for row in drawn] == [
        [],
        [LABELS.tolist()],
        [LABELS.tolist()],
    ]
    assert [row.image is not None for row in drawn] == [True, False, False]
    assert [len(row.samples) for row in drawn] == [figures.VARIATIONS] * 3
