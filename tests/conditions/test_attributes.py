"""The attribute condition."""

import numpy as np
import pytest
import torch

from facecond.conditions.table import CONDITIONS
from facecond.errors import ConfigError
from facecond.faces.attributes import ATTRIBUTES
from tests.conditions.makers import encoder, said

ATTR = CONDITIONS["attributes"]


def test_one_token_by_the_formula_of_an_mlp() -> None:
    net, values = encoder("attributes", hidden=[32]), said("attributes", 5)
    first, _, last = net.network.layers
    hidden = values.float() @ first.weight.T + first.bias
    expected = (hidden * torch.sigmoid(hidden)) @ last.weight.T + last.bias
    torch.testing.assert_close(net(values), expected[:, None])


def test_paper_has_two_layers_and_nothing_else() -> None:
    net = encoder("attributes", hidden=[512], token_width=512)
    assert sum(p.numel() for p in net.parameters()) == 40 * 512 + 512 + 512 * 512 + 512


def test_fresh_tokens_have_unit_variance() -> None:
    tokens = encoder("attributes", hidden=[512, 512])(said("attributes", 2000)).detach()
    assert float(tokens.var()) == pytest.approx(1.0, rel=0.3)


def test_an_unspecified_attribute_lies_between_the_two_before_the_first_nonlinearity() -> None:
    net = encoder("attributes", optional=True)
    values = said("attributes", 1).repeat(3, 1)
    values[:, 7] = torch.tensor([-1, 0, 1])
    low, none, high = net.network.layers[0](values.float())
    torch.testing.assert_close(none, (low + high) / 2)


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.attributes\.hidden"):
        encoder("attributes", hidden=[0])


def test_a_value_by_hand_changes_what_it_names() -> None:
    own = said("attributes", 1)[0].numpy()
    given = ATTR.read("+Smiling,-Male", 64)
    smiling, male = ATTRIBUTES.index("Smiling"), ATTRIBUTES.index("Male")
    changed = ATTR.change(own, given)
    assert (changed[smiling], changed[male]) == (1, -1)
    others = [i for i in range(40) if i not in (smiling, male)]
    np.testing.assert_array_equal(changed[others], own[others])
    assert changed.dtype == np.int8
    assert ATTR.leaves_open("+Smiling")
    assert not ATTR.leaves_open(",".join(ATTRIBUTES))
    assert ATTR.describe(given, "unused") == "-Male,+Smiling"
    assert ATTR.record(given, own, "")[smiling] == "+"  # type: ignore[arg-type]
