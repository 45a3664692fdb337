"""The attribute encoder."""

import pytest
import torch

from facecond.conditions.attributes import AttributesCondition
from facecond.config.diffusion import AttributesConditionConfig
from facecond.errors import ConfigError


def encoder(*, optional: bool, hidden: list[int] | None = None) -> AttributesCondition:
    torch.manual_seed(0)
    return AttributesCondition(AttributesConditionConfig(hidden=hidden or [32]), token_width=16, optional=optional)


def faces(count: int = 256) -> torch.Tensor:
    return torch.randint(0, 2, (count, 40), generator=torch.Generator().manual_seed(1), dtype=torch.int8) * 2 - 1


def test_one_token_by_the_formula_of_an_mlp() -> None:
    net = encoder(optional=False)
    values = faces(5)
    first, _, last = net.layers
    hidden = values.float() @ first.weight.T + first.bias
    expected = (hidden * torch.sigmoid(hidden)) @ last.weight.T + last.bias
    torch.testing.assert_close(net(values), expected[:, None])


def test_paper_has_two_layers_and_nothing_else() -> None:
    net = AttributesCondition(AttributesConditionConfig(), token_width=512, optional=False)
    assert sum(p.numel() for p in net.parameters()) == 40 * 512 + 512 + 512 * 512 + 512


def test_fresh_tokens_have_unit_variance() -> None:
    assert float(encoder(optional=False, hidden=[512, 512])(faces(2000)).detach().var()) == pytest.approx(1.0, rel=0.3)


def test_nothing_specified_is_the_null_token_and_something_is_not() -> None:
    net = encoder(optional=True)
    assert net.null_tokens is not None
    values = torch.zeros(2, 40, dtype=torch.int8)
    values[1, 31] = 1
    tokens = net(values)
    assert torch.equal(tokens[0], net.null_tokens)
    assert not torch.allclose(tokens[1], net.null_tokens)


def test_an_unspecified_attribute_lies_between_the_two_before_the_first_nonlinearity() -> None:
    net = encoder(optional=True)
    values = faces(1).repeat(3, 1)
    values[:, 7] = torch.tensor([-1, 0, 1])
    low, none, high = net.layers[0](values.float())
    torch.testing.assert_close(none, (low + high) / 2)


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="hidden"):
        encoder(optional=False, hidden=[0])


def test_place_is_nowhere() -> None:
    assert encoder(optional=False).places().tolist() == [[0.0, 0.0, 0.0]]
