"""Figures of trained models: what they show beside samples."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facecond.config.compose import compose
from facecond.config.reproduce import Kind
from facecond.experiments import command, figures
from facecond.reports.layouts import Shown
from facecond.sampling.plans import Prompt
from tests.experiments.test_plan import EVERY

LABELS = np.full((8, 8), 3, dtype=np.uint8)


def test_a_map_stands_beside_the_models_that_were_told_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = command.prepare(["paper=figure5"]).found
    pack = SimpleNamespace(
        images=np.zeros((1, 8, 8, 3), np.uint8), labels=LABELS[None], indices=lambda split: [0], resolution=64
    )
    values = {"attributes": np.ones(40, np.int8), "mask": LABELS}

    def session(plan: Any, place: int) -> Any:
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


FIGURES = [name for name in EVERY if name.startswith("figure")]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", FIGURES)
def test_what_is_drawn_is_what_the_caption_says(
    name: str, eta: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever a run's own eta is, and whatever samples: a command or a session."""

    class ToldError(Exception):
        """What samples was told."""

    def prepare(*about: Any) -> None:
        raise ToldError(*about[-1])

    plan = command.prepare([f"paper={name}", f"paper.etas=[{eta}]", 'scale.sampling=["sampler=dpmpp"]']).found
    for module in (figures.sample, figures.swap_masks, figures.evaluate):
        monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(figures, "prepare_generation", prepare)
    with pytest.raises(ToldError) as told:
        figures._FIGURES[plan.paper.kind](plan, tmp_path)
    used_by = {Kind.swaps: "swap-masks", Kind.worst: "eval", Kind.again: "eval"}.get(plan.paper.kind, "sample")
    config = compose(used_by, list(told.value.args), beneath=["sampler.eta=0.25"]).config
    assert config.sampler.eta == eta
    assert figures._caption(plan).endswith(f"eta {config.sampler.eta:g}")
