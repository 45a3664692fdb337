"""What each table and figure of the paper consists of."""

from functools import cache
from pathlib import Path

import pytest

from facecond.config.catalogue import options_of
from facecond.config.compose import compose
from facecond.config.reproduce import Kind
from facecond.errors import ConfigError
from facecond.experiments.command import prepare
from facecond.experiments.plan import Plan, Work, check_once, fits
from facecond.measuring.table import MEASURES

EVERY = sorted(options_of("paper"))


def plan(*words: str) -> Plan:
    return prepare([*words]).found


@cache
def shared(name: str) -> Plan:
    """The plan of a table or figure at the demo's scale, to be looked at only."""
    return plan(f"paper={name}")


def test_there_are_five_tables_and_eleven_figures() -> None:
    assert set(EVERY) == {f"table{n}" for n in range(1, 6)} | {f"figure{n}" for n in range(2, 13)}


@pytest.mark.parametrize("name", EVERY)
def test_every_plan_does_each_thing_once(name: str) -> None:
    found = shared(name)
    works = [*found.common(), *found.models(), *found.measurings()]
    keys = [work.key for work in works]
    assert len(set(keys)) == len(keys)
    assert bool(found.measurings()) == (found.paper.kind in (Kind.table, Kind.curve, Kind.worst, Kind.again))


def test_every_kind_of_command_of_a_plan_composes() -> None:
    of_kinds = {}
    for name in ("table1", "table4"):
        found = shared(name)
        for work in [*found.common(), *found.models(), *found.measurings()]:
            of_kinds[work.module, tuple(word.partition("=")[0] for word in work.words)] = work
    assert len(of_kinds) >= 8
    for work in of_kinds.values():
        command = work.module.__name__.rpartition(".")[2].replace("data_draw", "data draw")
        compose(command, work.words)


def test_tables_share_what_they_train() -> None:
    trained = {name: {work.run for work in shared(name).models()} for name in EVERY}
    assert trained["table3"] | trained["table4"] < trained["table5"]
    assert trained["table1"] == trained["table2"] == trained["figure2"]
    assert trained["table1"] & trained["table5"] == {"paper-demo-uncond-s0"}


def test_a_scale_with_seeds_trains_each_model_once_with_each() -> None:
    runs = [work.run for work in plan("paper=table4", "scale=small").models()]
    assert sorted(runs) == sorted(
        f"paper-small-{model}-s{seed}" for model in ("mask", "mask_pooled") for seed in range(3)
    )


def variants(*each: str) -> list[str]:
    """Words of a curve of FID over unconditional models with these overrides, called a, b, ..."""
    rows = [f"{{name: {chr(97 + place)}, model: uncond, words: {words}}}" for place, words in enumerate(each)]
    return ["paper=table1", "paper.orderings=[]", f"paper.variants=[{', '.join(rows)}]"]


def test_other_overrides_are_other_runs() -> None:
    lists = ['["weighting.gamma=1"]', '["weighting.k=1"]', '["weighting.gamma=1","weighting.k=1"]', '["trainer.warmup_images=1"]',
             '["model.schedule.level_mean=1"]', '["model.schedule.level_mean=-1"]', '["size=paper"]', '["experiment=paper"]',
             '["model.attributes.hidden=[8]"]', '["model.attributes.hidden=[8,8]"]', "[]"]  # fmt: skip
    runs = [work.run for work in plan(*variants(*lists)).models()]
    assert len(set(runs)) == len(lists)
    assert runs[0] == "paper-demo-uncond-weighting.gamma-1-s0"
    assert runs[-1] == "paper-demo-uncond-s0"


def test_rows_of_one_model_share_its_training() -> None:
    found = plan(*variants('["weighting=uniform"]', '["weighting=uniform"]'))
    assert [work.run for work in found.models()] == ["paper-demo-uncond-uniform-s0"]


def test_other_noisy_conditions_are_other_measurings() -> None:
    rows = ", ".join(f"{{name: {name}, model: multicond, noisy: [{name}]}}" for name in ("mask", "attributes"))
    found = plan(
        "paper=table4", f"paper.variants=[{rows}]", "paper.orderings=[]", "paper.measures=[fid]", "paper.etas=[0]"
    )
    assert len({work.key for work in found.measurings()}) == 2


def test_two_works_of_one_key_with_different_words_are_refused() -> None:
    one, same, other = (
        Work(key="a", title=title, module=None, words=[title[-1]]) for title in ("do 1", "again 1", "do 2")
    )
    assert check_once([one, same]) == [one]
    with pytest.raises(ConfigError, match="'do 1' and 'do 2' would both be called 'a'"):
        check_once([one, same, other])


def test_a_model_is_measured_by_what_fits_it() -> None:
    assert not fits(MEASURES["miou"], ["attributes"], 1.0)
    assert fits(MEASURES["miou"], ["mask"], 0.0)
    assert not fits(MEASURES["lpips"], ["mask"], 0.0)  # diversity is that of stochastic sampling
    assert fits(MEASURES["lpips"], ["mask"], 1.0)
    assert not fits(MEASURES["lpips"], [], 1.0)
    assert fits(MEASURES["fid"], [], 0.0)


def test_an_equal_run_takes_the_place_of_a_training() -> None:
    found = plan("paper=table3")
    (work,) = found.models()
    found.instead[work.run] = Path("elsewhere/attr")
    assert all("run=elsewhere/attr" in measuring.words for measuring in found.measurings())


def test_an_equal_first_stage_is_what_encodes() -> None:
    found = plan("paper=table3")
    for work in found.common():
        if work.run:
            found.instead[work.run] = Path("elsewhere") / work.key
        if work.key == "encode":
            assert "first_stage=elsewhere/vq" in work.words
    assert all("first_stage=elsewhere/vq" in model.words for model in found.models())
    assert all("classifier=elsewhere/classifier" in measuring.words for measuring in found.measurings())


def test_weights_are_kept_where_a_curve_looks_for_them() -> None:
    found = plan("paper=table1", "scale.snapshots=7")  # 4800 images in batches of 32: 685 is no whole batch
    (every,) = {word for work in found.models() for word in work.words if word.startswith("trainer.snapshot_every=")}
    assert every == "trainer.snapshot_every=672"
    asked = {work.about["snapshot"] for work in found.measurings()} - {None}
    assert asked == set(range(672, 4800, 672)) == set(found.snapshots(found.models()[0]))


def test_what_no_measure_fits_is_not_measured() -> None:
    found = plan("paper=table5", "paper.measures=[attributes,lpips]", "paper.orderings=[]")
    assert {work.about["variant"] for work in found.measurings()} == {
        "attr",
        "mask, pooled",
        "mask, not pooled",
        "multicond",
    }
    assert ("mask, pooled", 0.0) not in {(work.about["variant"], work.about["eta"]) for work in found.measurings()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no table or figure named"),
        (["paper=table5", "scale=paper"], "scale=paper needs a pack of real faces"),
        (["paper=table5", "paper.measures=[fidd]"], "'fidd' is not a measure"),
        (["paper=table3", "paper.measures=[]"], "no measure named"),
        (["paper=table5", "paper.etas=[]"], "samples nothing"),
        (["paper=table5", "scale.seeds=[]"], "trains nothing"),
        (["paper=figure7", "paper.measures=[fid]"], "the measure miou expected"),
        (["paper=table6"], "did you mean 'table5'|table"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        prepare(words)
