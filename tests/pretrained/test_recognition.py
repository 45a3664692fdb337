"""Face recognition, where it is installed: a person is nearer to their own picture, changed, than to others."""

import importlib.util

import numpy as np
import pytest

from facecond.drawn.painter import draw
from facecond.errors import CheckpointError
from facecond.pretrained import recognition
from facecond.pretrained.recognition import SAME, WIDTH, Recogniser, is_installed

needed = pytest.mark.skipif(not is_installed(), reason="pip install 'facecond[identity]'")


@needed
def test_people_are_told_apart() -> None:
    images = draw(0, range(8), 64).images
    recogniser = Recogniser()
    found, again = recogniser(images), recogniser(np.ascontiguousarray(images[:, :, ::-1]))
    assert found.shape == (8, WIDTH)
    apart = np.linalg.norm(found[:, None] - again[None], axis=-1)
    assert (apart.argmin(axis=1) == np.arange(8)).all()  # the mirrored picture of the same person is nearest
    assert (apart.diagonal() < SAME).all()
    np.testing.assert_array_equal(recogniser(images[:2]), found[:2])


@needed
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "_FILES", dict.fromkeys(recognition._FILES, "0" * 64))
    with pytest.raises(CheckpointError, match="is not the released file"):
        Recogniser()


def test_without_it_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not is_installed()
    with pytest.raises(CheckpointError, match="not installed") as refused:
        Recogniser()
    assert "facecond[identity]" in str(refused.value.hint)
