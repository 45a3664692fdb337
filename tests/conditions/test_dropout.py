"""What training withholds: rates, what is hidden, and independence of how the batch is cut."""

import pytest
import torch

from facecond.conditions.dropout import Withheld, draw
from facecond.config.diffusion import DiffusionConfig
from facecond.rng import torch_generator
from facecond.types import Batch


def withheld(count: int, **changes: object) -> Withheld:
    return draw(DiffusionConfig(**changes), count, torch_generator(0, "withheld"))


def test_rates() -> None:
    found = withheld(20_000, condition_dropout=0.1, partial_dropout=0.3)
    assert list(found.keep) == ["attributes", "mask"]
    away = [1 - keep.float().mean() for keep in found.keep.values()]
    assert [float(rate) for rate in away] == pytest.approx([0.1, 0.1], abs=0.01)
    both = (~found.keep["attributes"] & ~found.keep["mask"]).float().mean()
    assert float(both) == pytest.approx(0.01, abs=0.004)  # apart from each other
    # Of the 30 % that lose a part, the share lost is even on [0, 1]: a half on average.
    assert float((~found.attributes_BA).float().mean()) == pytest.approx(0.15, abs=0.01)
    # Half of them lose classes of the map, the other half a box of such an area.
    assert float((~found.classes_BK).float().mean()) == pytest.approx(0.075, abs=0.01)
    top, bottom, left, right = found.boxes_B4.T
    area = (bottom - top) * (right - left)
    assert float((area > 0).float().mean()) == pytest.approx(0.15, abs=0.01)
    assert float(area.mean()) == pytest.approx(0.075, abs=0.01)
    assert not ((area > 0) & (~found.classes_BK).any(dim=1)).any()
    assert 0 <= float(found.boxes_B4.min()) <= float(found.boxes_B4.max()) <= 1.0001


def test_nothing_is_withheld_in_the_papers_configuration() -> None:
    found = withheld(1000)
    assert all(bool(keep.all()) for keep in found.keep.values())
    assert bool(found.attributes_BA.all())
    assert bool(found.classes_BK.all())
    assert not found.boxes_B4.any()


def test_hide_puts_0_and_255() -> None:
    labels = torch.arange(19, dtype=torch.uint8).repeat(4, 2, 1)
    labels[0, 0, 0] = 255
    batch = Batch(torch.zeros(4, 3, 2, 2), torch.full((4, 40), -1, dtype=torch.int8), labels)
    found = withheld(4, partial_dropout=1.0)
    hidden = found.hide(batch)
    assert hidden.attributes_BA.dtype == torch.int8
    assert torch.equal(hidden.attributes_BA == 0, ~found.attributes_BA)
    expected = torch.where(found.classes_BK, torch.arange(19), 255).to(torch.uint8)
    for i, (top, bottom, left, right) in enumerate(found.boxes_B4.tolist()):
        columns = [top <= 0.75 < bottom and left <= (column + 0.5) / 19 < right for column in range(19)]
        expected[i, columns] = 255
    assert found.boxes_B4.any()
    assert torch.equal(hidden.labels_BHW[:, 1], expected)
    assert hidden.labels_BHW[0, 0, 0] == 255
    assert torch.equal(batch.attributes_BA, torch.full((4, 40), -1, dtype=torch.int8))


def test_rows_hide_what_the_whole_batch_hides() -> None:
    found = withheld(6, condition_dropout=0.5, partial_dropout=1.0)
    labels = torch.randint(0, 19, (6, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    batch = Batch(torch.zeros(6, 3, 2, 2), torch.ones(6, 40, dtype=torch.int8), labels)
    part = Batch(*(values[2:5] for values in batch))
    rows = found.rows(slice(2, 5))
    for whole, some in zip(found.hide(batch), rows.hide(part), strict=True):
        assert torch.equal(whole[2:5], some)
    assert torch.equal(rows.keep["mask"], found.keep["mask"][2:5])


def test_draws_do_not_depend_on_which_conditions_there_are() -> None:
    one, two = withheld(50, condition_dropout=0.5, conditions=["mask"]), withheld(50, condition_dropout=0.5)
    assert list(one.keep) == ["mask"]
    assert torch.equal(one.keep["mask"], two.keep["mask"])


def test_the_mask_may_have_a_rate_of_its_own() -> None:
    found = withheld(20_000, condition_dropout=0.1, mask_dropout=0.4)
    assert abs(float((~found.keep["attributes"]).float().mean()) - 0.1) < 0.01
    assert abs(float((~found.keep["mask"]).float().mean()) - 0.4) < 0.01


def test_a_box_hides_its_pixels_and_no_others() -> None:
    keep = torch.ones(2, 40, dtype=torch.bool), torch.ones(2, 19, dtype=torch.bool)
    boxes = torch.tensor([[0.25, 0.5, 0.125, 0.75], [0.0, 0.0, 0.0, 0.0]])
    labels = torch.full((2, 16, 8), 3, dtype=torch.uint8)
    batch = Batch(torch.zeros(2, 3, 4, 2), torch.ones(2, 40, dtype=torch.int8), labels)
    expected = labels.clone()
    expected[0, 4:8, 1:6] = 255
    assert torch.equal(Withheld({}, *keep, boxes).hide(batch).labels_BHW, expected)
