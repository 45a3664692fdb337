"""What each table and figure of the paper consists of."""

import hashlib
import re
from functools import cache
from pathlib import Path

import pytest

from facecond.commands.timing import predictions
from facecond.config.catalogue import options_of
from facecond.config.compose import compose, quoted
from facecond.config.reproduce import Kind
from facecond.data.pack import FORMAT, VERSION
from facecond.errors import ConfigError
from facecond.experiments import figures
from facecond.experiments.command import prepare
from facecond.experiments.plan import Plan, Work, check_once, fits, in_name
from facecond.experiments.timing import seconds_of
from facecond.io.documents import write_json
from facecond.measuring.table import MEASURES
from facecond.workspace.names import check_name

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
def test_titles_and_claims_are_true_of_any_features(name: str) -> None:
    """Which measure a number is, FID or a distance in other features, is known when it was measured."""
    paper = shared(name).paper
    words = " ".join([paper.title, *(claim.claim for claim in paper.orderings)])
    assert not re.search(r"\b(FID|KID|LPIPS|Inception)\b", words, re.IGNORECASE)


@pytest.mark.parametrize("name", EVERY)
def test_every_plan_does_each_thing_once(name: str) -> None:
    found = shared(name)
    works = [*found.common(), *found.models(), *found.measurings()]
    keys = [work.key for work in works]
    assert len(set(keys)) == len(keys)
    assert bool(found.measurings()) == (found.paper.kind in (Kind.table, Kind.curve, Kind.worst, Kind.again))


def test_what_two_tables_measure_is_measured_once() -> None:
    """The same measures of the same model in the same words, so that the second finds it done."""
    words: dict[str, set[tuple[str, ...]]] = {}
    of_tables: dict[str, int] = {}
    for name in ("table2", "table3", "table4", "table5"):
        for work in shared(name).measurings():
            words.setdefault(work.key, set()).add(tuple(work.words))
            of_tables[work.key] = of_tables.get(work.key, 0) + 1
    assert sum(times > 1 for times in of_tables.values()) == 8  # all of tables 2 to 4 that is in table 5
    assert {len(each) for each in words.values()} == {1}


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


ODD = "/data/José's, out(1)/[a]"


@pytest.mark.parametrize("workspace", ["/data/José", ODD])
def test_paths_of_any_name_reach_every_command(workspace: str) -> None:
    found = plan("paper=table3", f"workspace={quoted(workspace)}")
    for work in found.works():
        command = work.module.__name__.rpartition(".")[2].replace("data_draw", "data draw")
        config = compose(command, work.words).config
        assert config.workspace == workspace
        assert getattr(config, "pack", found.pack) == found.pack == f"{workspace}/packs/paper-demo-faces"


def test_paths_of_any_name_reach_the_samplings_of_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class ToldError(Exception):
        """What a command was told."""

    def prepare(words: list[str]) -> None:
        raise ToldError(*words)

    monkeypatch.setattr(figures.sample, "prepare", prepare)
    found = plan("paper=figure2", f"workspace={quoted(ODD)}")
    with pytest.raises(ToldError) as told:
        figures._FIGURES[found.paper.kind](found, tmp_path)
    words = list(told.value.args)
    config = compose("sample", words).config
    assert config.run == f"{ODD}/runs/paper-demo-uncond-s0"
    assert config.compare == [f"{ODD}/runs/paper-demo-uncond-uniform-s0"]
    assert config.pack == found.pack


def test_sampling_is_timed_as_the_model_that_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    paces = {"model=uncond": 1.0, "model=attr": 3.0}
    monkeypatch.setattr("facecond.experiments.timing.seconds_per_image", lambda words, *about: (0.0, paces[words[0]]))
    two = "[{name: a, model: uncond}, {name: b, model: attr}]"
    found = plan("paper=table2", f"paper.variants={two}", "paper.orderings=[]", "paper.etas=[0]", f"workspace={quoted(ODD)}",
                 "scale.count=384", 'scale.sampling=["guidance.scale=1"]')  # fmt: skip
    one, other = seconds_of(found.measurings(), found, found.config.device).values()
    assert other == 3 * one


def test_what_decides_a_step_s_time_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[list[str]] = []
    monkeypatch.setattr(
        "facecond.experiments.timing.seconds_per_image", lambda words, *about: timed.append(list(words)) or (1.0, 1.0)
    )
    found = plan("paper=table4", "scale=demo", f"workspace={quoted(ODD)}")
    seconds_of(found.models(), found, found.config.device)
    of_diffusion = [words for words in timed if any(word in words for word in ("model=mask", "model=mask_pooled"))]
    assert of_diffusion
    for words in of_diffusion:
        assert "trainer.optimizer=adamw" in words
        assert not any(word.startswith(("trainer.images=", "trainer.seed=")) for word in words)


def test_a_sample_takes_as_many_answers_as_guidance_has_contexts() -> None:
    words = ["model=multicond", "size=tiny", "sampler.steps=10"]
    for guidance, answers in {
        ("guidance.scale=1",): 10,
        ("guidance.scale=2",): 20,
        ("guidance.attributes=2", "guidance.mask=3"): 30,
        ("guidance.attributes=1", "guidance.mask=3"): 20,
    }.items():
        assert predictions(compose("train", [*words, *guidance]).config) == answers


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
    runs = [work.run for work in plan(*variants('["weighting.gamma=1"]', '["weighting.k=1"]')).models()]
    assert runs == ["paper-demo-uncond-weighting.gamma-1-s0", "paper-demo-uncond-weighting.k-1-s0"]


def test_no_two_lists_of_overrides_have_one_name() -> None:
    lists = [
        [], ["weighting=uniform"], ["weighting.gamma=1"], ["weighting.k=1"], ["weighting.gamma=1", "weighting.k=1"],
        ["trainer.warmup_images=1"], ["model.schedule.level_mean=1"], ["model.schedule.level_mean=-1"], ["size=paper"],
        ["experiment=paper"], ["model.attributes.hidden=[8]"], ["model.attributes.hidden=[8,8]"],
        [f"weighting.gamma={n}" for n in range(9)], [f"weighting.gamma={n}" for n in range(8)],
    ]  # fmt: skip
    names = ["-".join(in_name(words)) for words in lists]
    assert len(set(names)) == len(lists)
    assert names[:4] == ["", "uniform", "weighting.gamma-1", "weighting.k-1"]
    for name in names:
        check_name(f"paper-small-mask_pooled-{name}-s0-01234567")


OTHERWISE = {
    "draw": ['scale.draw=["data.count=600","data.validation=512"]'],
    "pack": ["pack={folder}/one"],
    "another pack": ["pack={folder}/two"],
    "first stage words": ['scale.first_stage=["trainer.images=3200"]'],
    "first stage": ["first_stage={folder}/one.ckpt"],
    "another first stage": ["first_stage={folder}/two.ckpt"],
    "both": ["pack={folder}/one", "first_stage={folder}/one.ckpt"],
    "size": ["scale.size=small"],
    "model words": ['scale.diffusion=["trainer.images=9600"]'],
    "snapshots": ["scale.snapshots=7"],
}


def write_pack(folder: Path, content: str) -> None:
    """As much of a pack as a plan looks at."""
    write_json(
        folder / "manifest.json",
        {
            "format": FORMAT, "version": VERSION, "resolution": 64, "ids": ["a"], "splits": {"train": [[0, 1]]}, "source": {},
            "classes": {}, "attributes": {}, "suspicious": [],
            "sha256": {"images.npy": hashlib.sha256(content.encode()).hexdigest()},
        },
    )  # fmt: skip


def made(*words: str) -> list[str]:
    """Names of the pack and the runs of table 3 at the demo's scale, in order: pack, (first stage,) classifier, model."""
    found = plan("paper=table3", *words)
    return [Path(found.pack).name, *(work.run for work in found.works() if work.run)]


def test_what_is_made_otherwise_than_the_scale_says_has_another_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_pack(tmp_path / name, name)
        (tmp_path / f"{name}.ckpt").write_text(name)
    names = {what: made(*(word.format(folder=tmp_path) for word in words)) for what, words in OTHERWISE.items()}
    shipped = ["paper-demo-faces", "paper-demo-vq", "paper-demo-classifier", "paper-demo-attr-s0"]
    assert made() == made("scale.count=2", 'scale.sampling=["sampler.steps=2"]', "scale.seeds=[0]") == shipped
    models = [found[-1] for found in names.values()]
    assert len({shipped[-1], *models}) == len(models) + 1
    assert all(name.startswith("paper-demo-attr-s0-") for name in models)
    assert names["snapshots"][:-1] == names["model words"][:-1] == shipped[:-1]
    assert names["first stage words"][0] == shipped[0]
    assert names["first stage words"][1] != shipped[1]
    assert names["first stage words"][2] == shipped[2]


def test_a_pack_and_a_first_stage_count_by_their_content(tmp_path: Path) -> None:
    for name, content in (("one", "same"), ("two", "same"), ("three", "other")):
        write_pack(tmp_path / name, content)
        (tmp_path / f"{name}.ckpt").write_text(content)
    by_pack = [made(f"pack={tmp_path}/{name}")[1:] for name in ("one", "two", "three")]
    by_first_stage = [made(f"first_stage={tmp_path}/{name}.ckpt")[1:] for name in ("one", "two", "three")]
    assert by_pack[0] == by_pack[1] != by_pack[2]
    assert by_first_stage[0] == by_first_stage[1] != by_first_stage[2]


def test_rows_of_one_model_share_its_training() -> None:
    found = plan(*variants('["weighting=uniform"]', '["weighting=uniform"]'))
    assert [work.run for work in found.models()] == ["paper-demo-uncond-uniform-s0"]


def test_other_noisy_conditions_are_other_measurings() -> None:
    rows = ", ".join(f"{{name: {name}, model: multicond, noisy: [{name}]}}" for name in ("mask", "attributes"))
    found = plan(
        "paper=table4", f"paper.variants=[{rows}]", "paper.orderings=[]", "paper.measures=[fid]", "paper.etas=[0]"
    )
    assert len({work.key for work in found.measurings()}) == 2


def test_noisy_masks_are_measured_by_whatever_true_ones_are() -> None:
    words = {work.about["variant"]: work.words for work in shared("table4").measurings() if work.about["eta"] == 1}
    noisy = words["mask, not pooled, noisy"]
    assert noisy[0] == words["mask, not pooled"][0] == "measures=[fid,kid,accuracy,miou,lpips]"
    assert "noisy=[mask]" in noisy


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
    found = plan("paper=table1", "scale.snapshots=7")  # 4800 images in batches of 8: 685 is no whole batch
    (every,) = {word for work in found.models() for word in work.words if word.startswith("trainer.snapshot_every=")}
    assert every == "trainer.snapshot_every=680"
    asked = {work.about["snapshot"] for work in found.measurings()} - {None}
    assert asked == set(range(680, 4800, 680)) == set(found.snapshots(found.models()[0]))


@pytest.mark.parametrize("scale", ["demo", "small"])
def test_samples_of_every_scale_are_made_without_guidance_unless_it_is_asked_for(scale: str) -> None:
    """As the paper's are; a run's own guidance, 2 for models of size tiny, has less say."""

    def guidance(*more: str) -> set[float]:
        found = plan("paper=table3", f"scale={scale}", "scale.seeds=[0]", *more)
        words = [["eval", *work.words] for work in found.measurings()] + [
            ["sample", *figures._words(plan("paper=figure3", f"scale={scale}", *more))]
        ]
        return {
            compose(command, told, beneath=["guidance.scale=2.0"]).config.guidance.weight("mask")
            for command, *told in words
        }

    assert guidance() == {1.0}
    assert guidance("scale.guidance=3.5") == {3.5}
    assert guidance('scale.sampling=["guidance.scale=1.5"]') == {1.5}
    assert not any(
        "guidance" in word for work in plan("paper=table3", f"scale={scale}").models() for word in work.words
    )


def test_only_what_measures_look_at_is_sampled() -> None:
    def amounts(measures: str) -> set[int]:
        found = plan("paper=table3", f"paper.measures={measures}", "paper.orderings=[]", "paper.etas=[1]", "scale.count=50",
                     "scale.conditions=3", "scale.variations=4")  # fmt: skip
        return {work.amount for work in found.measurings()}

    assert amounts("[psnr,lpips_reconstruction]") == {0}
    assert amounts("[fid]") == {50}
    assert amounts("[lpips]") == {12}
    assert amounts("[fid,lpips,psnr]") == {62}


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
        ([], "no table, figure or study named"),
        (["paper=table5", "scale=paper"], "scale=paper needs a pack of real faces"),
        (["paper=table5", "paper.measures=[fidd]"], "'fidd' is not a measure"),
        (["paper=table3", "paper.measures=[]"], "no measure named"),
        (["paper=table5", "paper.etas=[]"], "samples nothing"),
        (["paper=table5", "scale.seeds=[]"], "trains nothing"),
        (["paper=figure7", "paper.measures=[fid]"], "the measure miou expected"),
        (["paper=figure4", "paper.measures=[foo]"], "'foo' is not a measure"),
        (["paper=figure4", "paper.measures=[fid]"], "nothing is measured for masks beside samples"),
        (["paper=table1", "paper.measures=[miou]", "paper.orderings=[]"], "miou cannot be measured of P2, baseline"),
        (["paper=table2", "paper.measures=[fid,lpips]"], "lpips cannot be measured of P2, baseline"),
        (["paper=table3", "paper.measures=[lpips]", "paper.etas=[0]"], "say nothing of samples with"),
        (["paper=figure7", "paper.variants=[{name: a, model: attr}]"], "miou cannot be measured of a"),
        (
            ["paper=table3", 'scale.sampling=["sampler.eta=1"]'],
            r"sampler.eta=1 has no meaning beside paper.etas=\[0.0, 1.0\]",
        ),
        (["paper=figure2", "paper.etas=[0,1]"], r"one eta expected, found paper.etas=\[0.0, 1.0\]"),
        (["paper=figure9", "paper.variants=[{name: a},{name: b}]"], "one variant expected, found a, b"),
        (["paper=table1", "paper.etas=[0,1]"], "a curve is of one eta and one measure"),
        (["paper=table1", "paper.measures=[fid,kid]"], "a curve is of one eta and one measure"),
        (["paper=table3", "paper.variants=[{name: a, model: sketch, noisy: [sketch]}]"], "no judge reads that"),
        (["paper=table3", "scale.size=paper", "scale.guidance=2"], "attr is always told everything"),
        (["paper=table6"], "did you mean 'table5'|table"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        prepare(words)
