"""Every test file is collected: pytest skips folders called build, dist, venv, *.egg and hidden ones without a word."""

from pathlib import Path

import pytest

from tests.conftest import COLLECTED

HERE = Path(__file__).parent


def test_every_test_file_is_collected(request: pytest.FixtureRequest) -> None:
    if request.config.option.file_or_dir:
        pytest.skip("only some files were asked for")
    collected = request.config.stash[COLLECTED]
    assert set(HERE.rglob("test_*.py")) - collected == set()
    assert len(collected) > 50
