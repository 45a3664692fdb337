"""Composition: what is offered composes, what is wrong is refused in one line with the nearest valid name."""

from pathlib import Path

import pytest

from facecond.config.catalogue import groups_of, kind_of, options_of
from facecond.config.commands.table import COMMANDS
from facecond.config.compose import compose
from facecond.config.diffusion import DiffusionConfig, SamplerConfig
from facecond.config.models import MODELS
from facecond.config.networks import DENOISERS, TransformerConfig
from facecond.config.settings import plain, restore
from facecond.config.sweep import expand
from facecond.config.training import TrainerConfig
from facecond.errors import ConfigError

NEEDED = {"data pack": ["data.root=faces"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes(command: str) -> None:
    composed = compose(command, NEEDED.get(command, []))
    assert isinstance(composed.config, COMMANDS[command])


@pytest.mark.parametrize("option", options_of("model"))
@pytest.mark.parametrize("size", options_of("size"))
def test_every_model_has_every_size(option: str, size: str) -> None:
    composed = compose("train", [f"model={option}", f"size={size}"])
    assert isinstance(composed.config.model, MODELS[kind_of(option)])
    assert composed.choices["size"] == size


@pytest.mark.parametrize(
    ("command", "group", "option"),
    [
        (command, group, option)
        for command in COMMANDS
        for group in groups_of(command)
        for option in options_of(group)
        if group != "size"
    ],
)
def test_every_option_composes(command: str, group: str, option: str) -> None:
    assert compose(command, [*NEEDED.get(command, []), f"{group}={option}"]).choices[group] == option


@pytest.mark.parametrize(
    "group", ["model", "denoiser", "weighting", "sampler", "size", "experiment", "debug", "data", "launcher"]
)
def test_every_option_says_what_it_is(group: str) -> None:
    for option, meaning in options_of(group).items():
        assert len(meaning) > 10, f"conf/{group}/{option}.yaml opens with no comment"


def test_paper_values() -> None:
    """Settings the paper states (sections 3.2, 4): P2 with k 1 and gamma 0.5, 500 DDIM steps, tokens 512 wide, batch 48."""
    config = compose("train", ["experiment=paper"]).config
    assert (config.weighting.name.name, config.weighting.k, config.weighting.gamma) == ("p2", 1.0, 0.5)
    assert (config.sampler.name.name, config.sampler.steps, config.sampler.eta) == ("ddim", 500, 0.0)
    assert config.model.token_width == 512
    assert config.model.conditions == ["attributes", "mask"]
    assert config.trainer.learning_rate == pytest.approx(2e-6 * 48)
    assert config.model.condition_dropout == 0.0
    assert compose("train", ["experiment=baseline"]).config.weighting.name.name == "uniform"


def test_person_has_the_last_word() -> None:
    composed = compose("train", ["trainer.images=77", "size=tiny"], size="paper")
    assert composed.config.trainer.images == 77
    assert composed.choices["size"] == "tiny"
    beneath = compose("sample", ["sampler.steps=9"], beneath=["sampler.steps=7", "sampler.eta=0.5"]).config.sampler
    assert (beneath.steps, beneath.eta) == (9, 0.5)


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        ("sample", ["sampler.stesp=3"], "did you mean 'sampler.steps'?"),
        ("sample", ["steps=3"], "did you mean 'sampler.steps'?"),
        ("sample", ["sampler=ddin"], "did you mean 'ddim'?"),
        ("sample", ["sampler.steps=abc"], "is not a whole number"),
        ("sample", ["sampler.steps=0"], "expected at least 1"),
        ("sample", ["sampler.steps=1,2"], "add -m"),
        ("sample", ["sampler.name=foo"], "sampler.name=foo is not an option of sampler.name (choose from ddim, dpmpp)"),
        ("sample", ["sampler=null"], "choose from ddim, dpmpp"),
        ("sample", ["+new=1"], "cannot be added or deleted"),
        ("sample", ["~sampler"], "cannot be added or deleted"),
        ("sample", ["=1"], "has no key"),
        ("sample", ["sampler"], "is not an override"),
        ("sample", ["hydra.run.dir=x"], "Hydra's own settings"),
        ("sample", ["items=[1"], "cannot be read"),
        ("sample", ["items=3"], "items"),
        ("eval", ["metrics=[fid]"], "it is called measures now"),
        ("sample", ["metrics=[fid]"], "'metrics' is not a key of sample (see:"),
        ("sample", ["run=${oc.env:SURELY_NOT_SET}"], "SURELY_NOT_SET"),
        ("sample", ["guidance.mask=nan"], "not a finite number"),
        ("data pack", [], "data.root has no value"),
        ("train", ["model=multicon"], "did you mean 'multicond'?"),
        ("train", ["model=vq", "guidance.mask=2"], "has no meaning for a vq model"),
        ("train", ["model=parser", "experiment=paper"], "has no meaning for a parser model"),
        ("train", ["model=vq", "denoiser=unet"], "has no meaning for a vq model"),
        ("train", ["denoiser=transfomer"], "did you mean 'transformer'?"),
        ("train", ["denoiser=null"], "choose from transformer, unet"),
        (
            "train",
            ["denoiser=transformer", "model.denoiser.model_channels=3"],
            "'model.denoiser.model_channels' is not a key",
        ),
        ("train", ["model.denoiser.kind=transformer"], "write denoiser=transformer"),
    ],
)
def test_wrong_words_are_one_clear_line(command: str, words: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(command, words)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [None, *options_of("size")])
@pytest.mark.parametrize("denoiser", DENOISERS)
def test_a_denoiser_has_the_size_that_is_chosen(denoiser: str, size: str | None) -> None:
    words = [f"denoiser={denoiser}", *([] if size is None else [f"size={size}"])]
    composed = compose("train", words)
    assert isinstance(composed.config.model.denoiser, DENOISERS[denoiser])
    assert composed.choices["denoiser"] == denoiser
    assert compose("train", [words[0]], size=size).config == composed.config
    assert (composed.config.model.denoiser == DENOISERS[denoiser]()) == (size in (None, "paper"))
    if denoiser == "unet":
        assert compose("train", words[1:]).config == composed.config


def test_an_experiment_decides_the_size_of_its_denoiser() -> None:
    for experiment in options_of("experiment"):
        composed = compose("train", [f"experiment={experiment}", "denoiser=transformer"])
        assert plain(composed.config.model.denoiser) == plain(TransformerConfig())
        smaller = compose("train", [f"experiment={experiment}", "size=tiny"])
        assert smaller.config == compose("train", ["size=tiny", f"experiment={experiment}"]).config
        assert smaller.config.model.denoiser.model_channels == 64


@pytest.mark.parametrize("words", [["model=mask_pooled", "size=tiny"], ["denoiser=transformer", "size=small"]])
def test_plain_and_restore_are_inverse(words: list[str]) -> None:
    config = compose("train", words).config
    parts = {DiffusionConfig: config.model, TrainerConfig: config.trainer, SamplerConfig: config.sampler}
    for schema, part in parts.items():
        assert plain(restore(schema, plain(part), "test")) == plain(part)
    with pytest.raises(ConfigError, match=r"run\.json"):
        restore(TrainerConfig, {"imagse": 3}, "run.json")


def test_sweeps_expand_to_every_combination() -> None:
    assert expand(["model=attr,mask", "trainer.seed=range(0,2)", "size=tiny"]) == [
        ["model=attr", "trainer.seed=0", "size=tiny"],
        ["model=attr", "trainer.seed=1", "size=tiny"],
        ["model=mask", "trainer.seed=0", "size=tiny"],
        ["model=mask", "trainer.seed=1", "size=tiny"],
    ]
    with pytest.raises(ConfigError):
        expand(["model=attr,"])


def test_a_program_that_uses_hydra_itself_keeps_its_state(tmp_path: Path) -> None:
    from hydra import compose as outer_compose
    from hydra import initialize_config_dir

    (tmp_path / "own.yaml").write_text("answer: 42\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        compose("sample", [])
        assert outer_compose("own").answer == 42


def test_two_compositions_do_not_touch_one_another() -> None:
    """What groups make is kept for the next one; what is typed is put over a copy."""
    first = compose("train", ["model=attr", "size=tiny", "model.attributes.hidden=[7]", "trainer.images=77"]).config
    second = compose("train", ["model=attr", "size=tiny"]).config
    assert (first.model.attributes.hidden, first.trainer.images) == ([7], 77)
    assert second.model.attributes.hidden != [7]
    assert second.trainer.images != 77


def test_the_last_word_about_a_group_counts() -> None:
    assert compose("train", ["model=attr", "size=null", "size=tiny"]).choices["size"] == "tiny"
    assert compose("train", ["model=attr", "size=tiny", "size=null"]).choices.get("size") is None
