import pytest

from facecond.config.settings import completed, difference, flatten

RECORDED = {"a": {"b": 1, "c": [1, 2]}, "d": None}


@pytest.mark.parametrize(
    ("now", "text"),
    [
        ({"a": {"b": 1, "c": (1, 2)}, "d": None}, None),
        ({"a": {"b": 2, "c": [1, 2]}, "d": None}, "a.b=1, not a.b=2"),
        ({"a": {"b": 1, "c": [1, 2]}, "d": "x" * 64}, "d=nothing, not d=xxxxxxxxxxxx..."),
        ({"a": {"b": 1}, "d": None}, "a.c=[1, 2], a setting this version does not have"),
        ({"a": {"b": 1, "c": [1, 2], "new": 7}, "d": None}, None),
        ({"a": {"b": 1, "c": [1, 2], "new": 8}, "d": None}, "a.new=7, not a.new=8"),
        ({"a": {"b": 1, "c": [1, 2]}, "d": None, "e": 5}, "e=nothing, not e=5"),
    ],
)
def test_the_first_difference_in_words(now: dict, text: str | None) -> None:
    found = difference(RECORDED, now, defaults={"a": {"new": 7, "b": 99}, "unused": 1})
    assert (None if found is None else str(found)) == text


def test_what_is_ignored_may_differ() -> None:
    now = {"a": {"b": 2}, "d": None}
    assert difference(RECORDED, now, ignoring={"a.b", "a.c"}) is None


def test_completed_fills_every_depth_and_keeps_what_is_there() -> None:
    assert completed(RECORDED, {"a": {"b": 9, "new": 7}, "e": {"f": 1}}) == {
        "a": {"b": 1, "c": [1, 2], "new": 7}, "d": None, "e": {"f": 1}
    }  # fmt: skip
    assert RECORDED["a"] == {"b": 1, "c": [1, 2]}


def test_flatten() -> None:
    assert flatten({"a": {"b": {"c": (1,)}}, "d": []}) == {"a.b.c": [1], "d": []}
