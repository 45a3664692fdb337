"""The table of conditions: which tokens, in which order, and what is kept."""

import pytest
import torch

from facecond.conditions.conditioner import Conditioner
from facecond.conditions.table import CONDITIONS
from facecond.errors import ConfigError
from facecond.types import Values
from tests.conditions.makers import SIZE, all_said, settings, unsaid

BOTH = ["attributes", "mask"]


def conditioner(names: list[str], *, optional: bool = True) -> Conditioner:
    torch.manual_seed(0)
    chosen = {name: settings(name) for name in names}
    return Conditioner(chosen, token_width=16, optional=optional, resolution=SIZE).eval()


def batch() -> Values:
    return all_said(3)


def unspecified() -> Values:
    return unsaid(3)


def test_paper_has_65_tokens_of_512_and_no_extra_parameters() -> None:
    chosen = {name: CONDITIONS[name].settings() for name in BOTH}
    net = Conditioner(chosen, token_width=512, optional=False, resolution=256)
    assert net.places().shape == (65, 3)
    assert net.places()[0].tolist() == [0.0, 0.0, 0.0]
    assert sum(p.numel() for p in net.parameters()) == 283_648 + 11_223_552  # the MLP; ResNet-18 with 18 channels
    assert not [name for name, _ in net.named_parameters() if "null" in name or "project" in name]


@pytest.mark.parametrize("order", [BOTH, BOTH[::-1]])
def test_tokens_stand_in_the_order_of_the_table(order: list[str]) -> None:
    net = conditioner(order)
    context = net(batch())
    assert context is not None
    assert context.tokens_BTD.shape == (3, 17, 16)
    assert torch.equal(context.tokens_BTD[:, :1], net.encoders["attributes"](batch()["attributes"]))
    assert torch.equal(context.tokens_BTD[:, 1:], net.encoders["mask"](batch()["mask"]))
    assert context.places_TP[:, 2].tolist() == [0.0] + [1.0] * 16


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_every_condition_stands_alone(name: str) -> None:
    net = conditioner([name])
    context = net(batch())
    assert context is not None
    assert context.tokens_BTD.shape[1] == len(context.places_TP) == len(net.places())
    context.tokens_BTD.sum().backward()
    assert all(p.grad is not None for n, p in net.named_parameters() if "null" not in n)


def test_no_conditions_no_context() -> None:
    net = conditioner([])
    assert net(batch()) is None
    assert net.places().shape == (0, 3)
    with pytest.raises(ConfigError, match="none"):
        net.chain(batch())


def test_keep_withholds_per_item_and_per_condition() -> None:
    net = conditioner(BOTH)
    keep = {"mask": torch.tensor([True, False, True])}
    whole, nothing = net(batch()), net(unspecified())
    kept = net(batch(), keep)
    assert whole is not None
    assert nothing is not None
    assert kept is not None
    assert torch.equal(kept.tokens_BTD[[0, 2]], whole.tokens_BTD[[0, 2]])
    assert torch.equal(kept.tokens_BTD[1, :1], whole.tokens_BTD[1, :1])
    assert torch.equal(kept.tokens_BTD[1, 1:], nothing.tokens_BTD[1, 1:])


def test_withheld_and_unspecified_are_the_same() -> None:
    net = conditioner(BOTH)
    nobody = torch.zeros(3, dtype=torch.bool)
    withheld, nothing = net(batch(), {"mask": nobody, "attributes": nobody}), net(unspecified())
    assert withheld is not None
    assert nothing is not None
    assert torch.equal(withheld.tokens_BTD, nothing.tokens_BTD)


def test_chain_adds_the_mask_and_then_the_attributes() -> None:
    net = conditioner(BOTH)
    assert net.guidance_order == ["mask", "attributes"]
    chain = [context.tokens_BTD for context in net.chain(batch())]
    nobody = torch.zeros(3, dtype=torch.bool)
    for found, keep in zip(chain, [{"mask": nobody, "attributes": nobody}, {"attributes": nobody}, {}], strict=True):
        expected = net(batch(), keep)
        assert expected is not None
        assert torch.equal(found, expected.tokens_BTD)


def test_a_model_without_null_tokens_says_so() -> None:
    net = conditioner(BOTH, optional=False)
    with pytest.raises(ConfigError, match="cannot be left out"):
        net(batch(), {"mask": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(ConfigError, match="cannot be left out"):
        net.chain(batch())
    net.check_specified(batch())
    with pytest.raises(ConfigError, match="some attributes are not specified"):
        net.check_specified(unspecified())
    with pytest.raises(ConfigError, match="regions of the mask"):
        net.check_specified({**batch(), "mask": unspecified()["mask"]})
    channels = torch.zeros(3, 19, SIZE, SIZE, dtype=torch.bool)
    net.check_specified({**batch(), "mask": channels})
    channels[1, 18, 5, 5] = True
    with pytest.raises(ConfigError, match="regions of the mask"):
        net.check_specified({**batch(), "mask": channels})
    conditioner(BOTH).check_specified(unspecified())
