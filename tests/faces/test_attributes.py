import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecond.errors import ConfigError
from facecond.faces import attributes as fa


def test_forty_names_in_celeba_order():
    assert len(fa.ATTRIBUTES) == 40
    assert list(fa.ATTRIBUTES) == sorted(fa.ATTRIBUTES)  # CelebA lists them alphabetically
    assert (fa.ATTRIBUTES[0], fa.ATTRIBUTES[20], fa.ATTRIBUTES[39]) == ("5_o_Clock_Shadow", "Male", "Young")


def test_parse_signs_case_and_unspecified():
    values = fa.parse_attributes("+smiling, -MALE ,Eyeglasses")
    assert values.dtype == np.int8
    assert {fa.ATTRIBUTES[i]: int(values[i]) for i in np.flatnonzero(values)} == {
        "Smiling": 1, "Male": -1, "Eyeglasses": 1,
    }  # fmt: skip
    assert fa.parse_attributes("5 o'clock shadow".replace("'", " "))[0] == 1
    assert not fa.parse_attributes("").any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+Smilling", "did you mean 'Smiling'"),
        ("eyeglases", "did you mean 'Eyeglasses'"),
        ("blond hiar", "did you mean 'Blond_Hair'"),
        ("+Male,-Male", "both signs"),
        ("+-Male", "cannot read"),
        ("+", "cannot read"),
    ],
)
def test_parse_errors_help(text, expected):
    with pytest.raises(ConfigError, match=expected):
        fa.parse_attributes(text)


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=40, max_size=40))
def test_format_and_parse_invert(values):
    assert fa.parse_attributes(fa.format_attributes(values)).tolist() == values


def test_format_refuses_other_values():
    with pytest.raises(ValueError, match="shape"):
        fa.format_attributes(np.zeros(39))
    with pytest.raises(ValueError, match="-1, 0, 1"):
        fa.format_attributes(np.full(40, 2))


def test_mask_implied_and_free_divide_the_attributes():
    assert set(fa.ATTRIBUTES) == fa.MASK_IMPLIED | fa.MASK_FREE
    assert not fa.MASK_IMPLIED & fa.MASK_FREE
    assert {"Eyeglasses", "Wearing_Hat", "Mouth_Slightly_Open", "Bald"} <= fa.MASK_IMPLIED
    assert {"Blond_Hair", "Goatee", "Wearing_Lipstick", "Wearing_Necktie"} <= fa.MASK_FREE
