"""What training withholds: rates, and independence of how the batch is cut and of which conditions there are."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from facecond.conditions.conditioner import Rates, withhold
from facecond.conditions.table import CONDITIONS
from facecond.training.learner import Draws
from facecond.types import Values
from tests.conditions.makers import said

COUNT = 20_000


def rates(names: Mapping[str, float] | None = None, joint: float = 0.0, partial: float = 0.0) -> Rates:
    return Rates(names or dict.fromkeys(CONDITIONS, 0.0), joint, partial)


def keep_of(asked: Rates, count: int = COUNT) -> dict[str, Tensor]:
    values = {name: CONDITIONS[name].nothing(count, 2) for name in asked.whole}
    return withhold(values, asked, Draws(0, 0, count).once)[1]


def test_each_condition_is_withheld_apart_and_all_of_them_together() -> None:
    keep = keep_of(rates({"attributes": 0.1, "mask": 0.4}, joint=0.2))
    gone = {name: ~each for name, each in keep.items()}
    # P(gone) = joint + (1 - joint) whole; both: joint + (1 - joint) product.
    assert float(gone["attributes"].float().mean()) == pytest.approx(0.2 + 0.8 * 0.1, abs=0.01)
    assert float(gone["mask"].float().mean()) == pytest.approx(0.2 + 0.8 * 0.4, abs=0.012)
    both = (gone["attributes"] & gone["mask"]).float().mean()
    assert float(both) == pytest.approx(0.2 + 0.8 * 0.04, abs=0.01)


def test_without_a_joint_share_being_told_nothing_is_rare() -> None:
    keep = keep_of(rates({"attributes": 0.1, "mask": 0.1}))
    assert float((~keep["attributes"] & ~keep["mask"]).float().mean()) == pytest.approx(0.01, abs=0.004)


def test_nothing_is_withheld_in_the_papers_configuration() -> None:
    values: Values = {name: said(name, 50) for name in CONDITIONS}
    shown, keep = withhold(values, rates(), Draws(0, 0, 50).once)
    assert all(bool(each.all()) for each in keep.values())
    assert all(torch.equal(shown[name], values[name]) for name in values)


def test_parts_are_hidden_for_the_share_of_items_asked_for() -> None:
    values: Values = {"attributes": said("attributes", COUNT)}
    shown, keep = withhold(values, rates({"attributes": 0.0}, partial=0.3), Draws(0, 0, COUNT).once)
    hidden = shown["attributes"] == 0
    assert bool(keep["attributes"].all())
    # Of the 30 % that lose a part, the share lost is even on [0, 1]: a half on average.
    assert float(hidden.float().mean()) == pytest.approx(0.15, abs=0.01)
    assert float(hidden.any(dim=1).float().mean()) == pytest.approx(0.3, abs=0.02)


def test_rows_are_withheld_as_in_the_whole_batch() -> None:
    asked = rates(dict.fromkeys(CONDITIONS, 0.3), joint=0.2, partial=1.0)
    values: Values = {name: said(name, 6) for name in CONDITIONS}
    draws = Draws(0, 0, 6)
    whole, keep = withhold(values, asked, draws.once)
    part = {name: each[2:5] for name, each in values.items()}
    some, kept = withhold(part, asked, draws.once, slice(2, 5))
    for name in CONDITIONS:
        assert torch.equal(whole[name][2:5], some[name])
        assert torch.equal(keep[name][2:5], kept[name])


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_draws_do_not_depend_on_which_other_conditions_there_are(name: str) -> None:
    alone = keep_of(rates({name: 0.5}), 50)
    together = keep_of(rates(dict.fromkeys(CONDITIONS, 0.5)), 50)
    assert list(alone) == [name]
    assert torch.equal(alone[name], together[name])
