"""What every condition of the table must be able to do, and that nobody else knows one by name."""

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.conditions.table import CONDITIONS, chosen
from facecond.errors import ConfigError, DataError
from tests.conditions.makers import SIZE, encoder, said, settings

ROOT = Path(__file__).parent.parent.parent / "facecond"
NAMES = list(CONDITIONS)

DATA = ("data", "drawn", "faces", "judges", "metrics")
"""Rooms that deal with attributes as data (a column of a pack, a judge's answer), whatever a model is told."""


@cache
def named_in(path: Path) -> tuple[set[object], set[object]]:
    """Strings (and other constants) of a file, and its attributes and keywords."""
    constants, names = set[object](), set[object]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            constants.add(node.value)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.keyword):
            names.add(node.arg)
    return constants, names


@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_knows_a_condition_by_name(name: str) -> None:
    """No string in the code is a condition's name, outside its file; names of columns and measures are data."""
    known = []
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0]
        if path == ROOT / "conditions" / f"{name}.py" or room in DATA:
            continue
        words, names = named_in(path)
        if name in words or (name == "mask" and name in names):
            known.append(str(path.relative_to(ROOT)))
    # A measure and a kind of grid have that name too.
    measures = {
        "attributes": {
            "measuring/table.py",
            "measuring/attributes.py",
            "config/commands/synthesize.py",
            "config/commands/sample.py",
        }
    }
    assert set(known) - measures.get(name, set()) == set()


@pytest.mark.parametrize("name", NAMES)
def test_words_are_there_and_differ(name: str) -> None:
    condition = CONDITIONS[name]
    assert condition.name == name
    assert all((condition.word, condition.help, condition.heading, condition.unsaid))
    words = [each.word for each in CONDITIONS.values()]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_written_down_and_read_again(name: str, tmp_path: Path) -> None:
    condition = CONDITIONS[name]
    for value in (said(name)[0].numpy(), condition.nothing(1, SIZE)[0].numpy()):
        text = condition.record(value, tmp_path, "0123456789abcdef" * 4)
        again = condition.recall(text, tmp_path)
        np.testing.assert_array_equal(again, value)
        assert again.dtype == value.dtype
        for file in tmp_path.rglob("*.*"):
            file.unlink()


@pytest.mark.parametrize("name", NAMES)
def test_an_array_is_taken_as_it_is_or_refused(name: str) -> None:
    """Shape, dtype and entries are compared, and each refusal says what was expected."""
    condition = CONDITIONS[name]
    for value in (said(name)[0].numpy(), condition.nothing(1, SIZE)[0].numpy()):
        assert condition.accept(value, SIZE) is value
    value = said(name)[0].numpy()
    other = value.copy()
    other.flat[3] = 77
    wrong = {"int64": value.astype(np.int64), f"{(1, *value.shape)}": value[None], "with 77": other}
    for words, array in wrong.items():
        with pytest.raises(DataError) as caught:
            condition.accept(array, SIZE)
        assert words in str(caught.value)
        assert f"expected {condition.column.dtype} {value.shape} of " in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_said_and_unsaid_are_told_apart(name: str) -> None:
    condition = CONDITIONS[name]
    values = torch.cat([condition.nothing(1, SIZE), said(name, 2)])
    assert condition.says_something(values).tolist() == [False, True, True]
    assert condition.says_everything(values).tolist() == [False, True, True]
    assert values.dtype == getattr(torch, condition.column.dtype)
    assert values.shape[1:] == condition.column.shape(SIZE)


@pytest.mark.parametrize("name", NAMES)
def test_mirroring_twice_changes_nothing(name: str) -> None:
    condition, values = CONDITIONS[name], said(name)
    before = values.clone()
    assert torch.equal(condition.mirror(condition.mirror(values)), values)
    assert torch.equal(values, before)
    nothing = condition.nothing(2, SIZE)
    assert torch.equal(condition.mirror(nothing), nothing)


@pytest.mark.parametrize("name", NAMES)
def test_hiding_takes_the_share_it_was_asked_for(name: str) -> None:
    condition, count = CONDITIONS[name], 400
    values = said(name, count)
    share = torch.linspace(0, 1, count)
    hidden = condition.draw_hidden(share, torch.Generator().manual_seed(0))
    assert all(len(drawn) == count for drawn in hidden)
    shown = condition.hide(values, *hidden)
    assert torch.equal(values, said(name, count))  # what was given is left alone
    gone = (shown != values).flatten(1).float().mean(dim=1)
    assert gone[0] == 0
    assert float((gone - share).mean().abs()) < 0.06
    assert float(torch.corrcoef(torch.stack([gone, share]))[0, 1]) > 0.7
    kept = shown == values
    nothing = condition.nothing(count, SIZE)
    assert torch.equal(torch.where(kept, nothing, shown), nothing)  # what is gone says nothing


@pytest.mark.parametrize("name", NAMES)
def test_what_is_hidden_of_an_item_does_not_depend_on_the_share_of_others(name: str) -> None:
    condition = CONDITIONS[name]
    shares = torch.full((8,), 0.5)
    one = condition.draw_hidden(shares, torch.Generator().manual_seed(0))
    shares = torch.tensor([0.5] * 4 + [0.0] * 4)
    two = condition.draw_hidden(shares, torch.Generator().manual_seed(0))
    for whole, part in zip(one, two, strict=True):
        assert torch.equal(whole[:4], part[:4])


@pytest.mark.parametrize("name", NAMES)
def test_tokens_places_and_null_tokens(name: str) -> None:
    plain, optional = encoder(name), encoder(name, optional=True)
    tokens = plain(said(name))
    assert tokens.shape == (3, len(plain.places_TP), 16)
    assert plain.places_TP.tolist() == [pytest.approx(place) for place in CONDITIONS[name].places(settings(name))]
    assert plain.null_tokens is None
    assert optional.null_tokens is not None
    values = torch.cat([CONDITIONS[name].nothing(1, SIZE), said(name, 1)])
    found = optional(values)
    assert torch.equal(found[0], optional.null_tokens)
    assert not torch.allclose(found[1], optional.null_tokens)


@pytest.mark.parametrize(("names", "words"), [(["masks"], "did you mean 'mask'"), (["mask", "mask"], "twice")])
def test_wrong_names_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(names)
    assert words in str(caught.value)


def test_conditions_come_in_the_order_of_the_table() -> None:
    assert [each.name for each in chosen(reversed(NAMES))] == NAMES
