"""Sampling that is watched: every step is seen, pictures stay as they are, and what the watcher raises ends it."""

from typing import Any

import numpy as np
import pytest

import facecond
from facecond.assembly.session import Session
from facecond.errors import ConfigError
from facecond.sampling.generation import Step

pytestmark = pytest.mark.bundled

STEPS = 3


class EnoughError(Exception):
    """Ends a sampling."""


@pytest.fixture
def session() -> Session[Any]:
    return facecond.open("drawn64-multicond", device="cpu")


def test_every_step_is_seen_and_no_picture_changes(session: Session[Any]) -> None:
    seen: list[tuple[str, int, int]] = []
    looks = []

    def watch(step: Step) -> None:
        seen.append((step.what, step.number, step.of))
        looks.append(step.look())

    labels = np.asarray(session.pack.labels[1])
    told = {"mask": labels, "attributes": "+Smiling", "count": 2, "steps": STEPS, "seed": 5}
    watched = session.sample(**told, watch=watch)
    np.testing.assert_array_equal(watched.images, session.sample(**told).images)
    assert seen == [("pictures", number, STEPS) for number in range(STEPS)]
    assert looks[0].shape == (2, 64, 64, 3)
    assert (looks[0] != looks[-1]).any()
    # DDIM's last step goes to alpha 1, sigma 0: its x0 is the result.
    np.testing.assert_array_equal(looks[-1], watched.images)


def test_steps_of_maps_that_are_drawn_are_seen_too(session: Session[Any]) -> None:
    drawn = []

    def watch(step: Step) -> None:
        if step.what == "maps":
            drawn.append(step.look())

    _, records = session.sample(attributes="+Smiling", steps=1, watch=watch)
    assert len(drawn) == session.maps.sampler.steps
    np.testing.assert_array_equal(drawn[-1][0], records[0]["told"]["mask"]["value"])


def test_what_the_watcher_raises_ends_it(session: Session[Any]) -> None:
    numbers = []

    def watch(step: Step) -> None:
        numbers.append(step.number)
        if step.number == 1:
            raise EnoughError

    with pytest.raises(EnoughError):
        session.sample(mask=np.asarray(session.pack.labels[1]), steps=STEPS, watch=watch)
    assert numbers == [0, 1]


def test_a_folder_is_not_watched(session: Session[Any], tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="watch and folder"):
        session.sample(folder=f"{tmp_path}/made", watch=lambda step: None)
