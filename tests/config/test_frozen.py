"""A composed configuration cannot be changed, and is otherwise what it was."""

import copy
import dataclasses
import pickle

import pytest

from facecond.config.commands.train import TRAINING, TrainDiffusionConfig
from facecond.config.compose import compose
from facecond.config.diffusion import DiffusionConfig
from facecond.config.models import GENERATIVE, MODELS
from facecond.config.settings import plain


def test_nothing_can_be_set_at_any_depth() -> None:
    config = compose("train", ["size=tiny"]).config
    before = plain(config)
    for part, name in ((config, "name"), (config.trainer, "seed"), (config.model.schedule, "timesteps")):
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            setattr(part, name, 7)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(part, name)
    assert plain(config) == before


def test_it_is_still_of_its_class_and_can_be_copied() -> None:
    config = compose("train", ["size=tiny"]).config
    assert isinstance(config, TrainDiffusionConfig)
    assert isinstance(config.model, DiffusionConfig)
    for again in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert plain(again) == plain(config)
        with pytest.raises(dataclasses.FrozenInstanceError):
            again.model.token_width = 3


def test_what_is_made_of_it_is_not_frozen() -> None:
    config = compose("train", ["size=tiny"]).config
    other = dataclasses.replace(config.trainer, seed=5)
    other.images = 7
    assert (other.seed, other.images, config.trainer.seed) == (5, 7, 0)


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_has_a_training_configuration(kind: str) -> None:
    model = {"diffusion": "multicond"}.get(kind, kind)
    config = compose("train", [f"model={model}", "size=tiny"]).config
    assert isinstance(config, TRAINING[kind])
    assert isinstance(config.model, MODELS[kind])
    assert hasattr(config, "weighting") == (kind in GENERATIVE)


def test_what_was_typed_is_told_from_what_was_chosen() -> None:
    composed = compose("sample", ["guidance.mask=2", "seed=1", "sampler=dpmpp"], beneath=["count=3"])
    asked = {
        key: composed.given(key)
        for key in ("guidance", "guidance.mask", "guidance.scale", "seed", "sampler", "count", "see")
    }
    assert asked == {
        "guidance": True, "guidance.mask": True, "guidance.scale": False, "seed": True, "sampler": True,
        "count": False, "see": False,
    }  # fmt: skip


def test_what_is_settled_has_more_say_than_what_was_typed() -> None:
    composed = compose("train", ["init=name"], above=["init='some/where'"])
    assert composed.config.init == "some/where"
    assert composed.overrides == ["init=name"]
