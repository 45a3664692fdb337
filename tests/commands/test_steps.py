"""Steps: done once with the same words, again with others, counted when interrupted, shared between commands."""

from pathlib import Path

import pytest

from facecond.commands.steps import Steps


def test_a_step_is_done_once_with_the_same_words(tmp_path: Path) -> None:
    made, calls = tmp_path / "made", []

    def work() -> dict[str, str]:
        calls.append(1)
        made.touch()
        return {"file": str(made)}

    for words, again, expected in [
        (["a=1"], False, 1),
        (["a=1"], False, 1),  # done
        (["a=2"], False, 2),  # other words
        (["a=2"], True, 3),  # asked for again
    ]:
        assert Steps(tmp_path / "steps.json", 1).call("one", "a step", work, words=words, again=again) == {
            "file": str(made)
        }
        assert len(calls) == expected
    made.unlink()  # what it made is gone
    Steps(tmp_path / "steps.json", 1).call("one", "a step", work, words=["a=2"])
    assert len(calls) == 4


def test_an_interrupted_step_is_not_done(tmp_path: Path) -> None:
    def stopped() -> dict[str, str]:
        raise KeyboardInterrupt

    steps = Steps(tmp_path / "steps.json", 1)
    with pytest.raises(KeyboardInterrupt):
        steps.call("one", "a step", stopped)
    again = Steps(tmp_path / "steps.json", 1)
    assert not again.is_done("one", [])
    assert again.seconds == steps.seconds > 0


def test_two_commands_keep_account_in_one_file(tmp_path: Path) -> None:
    one, two = (Steps(tmp_path / "steps.json", 2) for _ in range(2))
    one.call("a", "a step", dict)
    two.call("b", "another step", dict)
    one.call("c", "a third step", dict)
    assert set(Steps(tmp_path / "steps.json", 3).entries) == {"a", "b", "c"}
