"""Tables over seeds against their definitions: means, Student's intervals, pairs, verdicts."""

import csv
import dataclasses
import io
import math

import numpy as np
import pytest
from scipy import stats

from facecond.config.reproduce import OrderingConfig, PaperConfig, VariantConfig
from facecond.errors import DataError
from facecond.experiments import table
from facecond.io.results import Figure
from facecond.measuring.measure import RECONSTRUCTIONS
from facecond.metrics.figures import diversity_figure
from facecond.metrics.resampling import mean_spread

PAPER = PaperConfig(
    title="All",
    variants=[VariantConfig(name="one"), VariantConfig(name="two, pooled")],
    etas=[0.0, 1.0],
    measures=["fid", "miou"],
)


def figures(fid: float, miou: float, spread: float | None = 0.5) -> list[Figure]:
    return [
        Figure(name="frechet_distance", measure="fid", title="Frechet distance", value=fid, count=9, better="lower",
               spread=spread, ceiling=1.25, ceiling_of="real halves, 4 each", marks={RECONSTRUCTIONS: 2.5}),
        Figure(name="miou", measure="miou", title="Mask mIoU", value=miou, count=9, ceiling=0.75, floor=0.25),
        Figure(name="mean_of_image_ious", measure="miou", value=0.9, count=9),
    ]  # fmt: skip


MEASURED: table.Measured = {
    ("one", 0.0, None): {0: figures(10, 0.5), 1: figures(12, 0.25), 2: figures(11, 0.375)},
    ("two, pooled", 0.0, None): {0: figures(9, 0.5), 1: figures(11.5, 0.25), 2: figures(9.5, 0.375)},
    ("one", 1.0, None): {0: figures(8, 0.125)},
}


def test_a_number_over_seeds_has_student_s_interval() -> None:
    found = table.number(MEASURED["one", 0.0, None], "fid")
    assert found is not None
    low, high = stats.t.interval(0.95, 2, loc=11, scale=stats.sem([10, 12, 11]))
    assert found.value == 11
    assert found.half == pytest.approx((high - low) / 2)
    assert found.over == "3 seeds"


def test_a_number_of_one_seed_keeps_its_own_interval() -> None:
    assert table.number(MEASURED["one", 1.0, None], "fid") == table.Number(8, 0.5, "conditions")


def test_rows_are_the_paper_s_with_what_they_are_compared_with() -> None:
    rows = table.table_rows(PAPER, MEASURED)
    assert rows[0] == ["", "sampling", "images", "Frechet distance (lower is better)", "Mask mIoU (higher is better)"]
    assert [row[:3] for row in rows[1:4]] == [["one", "d.", "9"], ["one", "s.", "9"], ["two, pooled", "d.", "9"]]
    assert rows[2][3:] == ["8.00 ± 0.500", "0.125"]
    assert rows[4:] == [
        ["ceiling: real halves, 4 each", "", "", "1.250", "-"],
        ["ceiling: real images", "", "", "-", "0.750"],
        ["reconstructions", "", "", "2.50", "-"],
        ["floor: shuffled conditions", "", "", "-", "0.250"],
    ]


def test_a_mark_that_rows_do_not_share_is_a_range() -> None:
    measured: table.Measured = {
        (name, 1.0, None): {seed: [
            Figure(name="fid", measure="fid", value=9, count=9, ceiling=24.61, marks={RECONSTRUCTIONS: mark + seed}),
            Figure(name="miou", measure="miou", value=0.5, count=9, floor=mark / 100),
        ] for seed in range(2)}
        for name, mark in (("one", 69.21), ("two, pooled", 77.48))
    }  # fmt: skip
    marks = {title: cells for title, _, _, *cells in table.table_rows(PAPER, measured)[3:]}
    assert marks["ceiling: real images"] == ["24.6", "-"]
    assert marks["reconstructions"] == ["69.2 to 78.5", "-"]
    assert marks["floor: shuffled conditions"] == ["-", "0.692 to 0.775"]


def test_ceilings_and_floors_have_the_words_of_their_figures() -> None:
    paper = dataclasses.replace(PAPER, measures=["lpips"])
    figure = diversity_figure(np.array([0.5, 0.7]), name="lpips", title="LPIPS diversity", samples=20, apart=0.8)
    figure = dataclasses.replace(figure, measure="lpips")
    rows = table.table_rows(paper, {("one", 1.0, None): {0: [figure]}})
    assert [row[0] for row in rows[2:]] == [
        "ceiling: real pictures of different people", "floor: one picture again and again"
    ]  # fmt: skip


def test_a_row_says_how_many_pictures_it_rests_on() -> None:
    titles = {"lpips": "Perceptual diversity, EfficientNet-Lite0 features"}

    def of(**counts: int) -> list[Figure]:
        return [
            Figure(name=name, measure=name, title=titles.get(name, ""), value=0.5, count=count)
            for name, count in counts.items()
        ]

    paper = dataclasses.replace(PAPER, measures=["fid", "miou", "lpips"], etas=[1.0])
    measured = {
        ("one", 1.0, None): {0: of(fid=384)},
        ("two, pooled", 1.0, None): {0: of(fid=192, miou=192, lpips=160), 1: of(fid=192, miou=192, lpips=150)},
    }
    rows = table.table_rows(paper, measured)
    assert [row[2] for row in rows] == ["images", "384", "192 (Perceptual diversity 150 to 160)"]


def test_a_claim_is_tested_in_pairs_of_seeds() -> None:
    claim = OrderingConfig(claim="two is better", measure="fid", better="two, pooled", worse="one", eta=0.0)
    found = table.difference(claim, MEASURED)
    assert found is not None
    number, lower = found
    paired = stats.ttest_rel([9, 11.5, 9.5], [10, 12, 11])
    assert lower
    assert number.value == pytest.approx(-1)
    assert number.half == pytest.approx(stats.t.ppf(0.975, 2) * stats.sem([-1, -0.5, -1.5]))
    assert (table.verdict(number, lower=True) == "yes") == (paired.pvalue < 0.05)


def test_a_claim_of_one_seed_is_tested_in_pairs_of_conditions() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, 200)
    values = [hard + rng.normal(0, 0.01, 200), hard + 0.1 + rng.normal(0, 0.01, 200)]
    measured = {
        (name, 1.0, None): {0: [Figure(name="miou", measure="miou", value=float(v.mean()), count=200, spread=mean_spread(v))]}
        for name, v in zip(("one", "two, pooled"), values, strict=True)
    }  # fmt: skip
    claim = OrderingConfig(measure="miou", better="two, pooled", worse="one")
    found = table.difference(claim, measured)
    assert found is not None
    assert found[0].half == pytest.approx(1.96 * np.std(values[1] - values[0]) / math.sqrt(200), rel=0.15)
    assert table.verdict(found[0], lower=found[1]) == "yes"


@pytest.mark.parametrize("title", ["FID", "Frechet distance, EfficientNet-Lite0 features"])
def test_claims_call_a_measure_what_was_measured(title: str) -> None:
    """The published name only where the figure has it."""
    measured: table.Measured = {
        (name, 1.0, None): {0: [Figure(name="a", measure="fid", title=title, value=1.0, count=9, better="lower")]}
        for name in ("one", "two, pooled")
    }
    about = {"better": "one", "worse": "two, pooled"}
    orderings = [OrderingConfig(measure=measure, eta=eta, **about) for measure in ("fid", "miou") for eta in (1.0, 0.0)]
    rows = table.orderings(dataclasses.replace(PAPER, orderings=orderings), measured)[1:]
    assert [row[1] for row in rows] == [title, title, "-", "-"]
    assert [row[-1] for row in rows] == ["no interval", *["not measured"] * 3]


@pytest.mark.parametrize(
    ("value", "half", "lower", "expected"),
    [
        (-2, 1, True, "yes"),
        (-2, 1, False, "no: the other way round"),
        (2, 1, False, "yes"),
        (0.5, 1, False, "not decided"),
        (2, None, False, "no interval"),
        (2, math.nan, False, "no interval"),
    ],
)
def test_what_an_interval_says(value: float, half: float | None, lower: bool, expected: str) -> None:
    assert table.verdict(table.Number(value, half, ""), lower=lower) == expected


def test_a_curve_has_a_row_for_each_number_of_images() -> None:
    paper = dataclasses.replace(PAPER, measures=["fid"], etas=[0.0])
    measured = {
        ("one", 0.0, 100): {0: figures(30, 0.5)},
        ("one", 0.0, None): {0: figures(20, 0.5)},
        ("two, pooled", 0.0, 100): {0: figures(28, 0.5)},
        ("two, pooled", 0.0, None): {0: figures(19, 0.5)[:1]},
    }
    rows = table.curve_rows(paper, measured, {"one": 250, "two, pooled": 250})
    assert [row[:2] for row in rows] == [
        ["images seen", "images"], ["100", "9"], ["250", "9"], ["ceiling: real halves, 4 each", ""], ["reconstructions", ""]
    ]  # fmt: skip
    assert [row[2:] for row in rows[1:]] == [
        ["30.0 ± 0.500", "28.0 ± 0.500"], ["20.0 ± 0.500", "19.00 ± 0.500"], ["1.250", "1.250"], ["2.50", "2.50"]
    ]  # fmt: skip


def test_every_number_can_be_read_from_the_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(table.as_csv(table.long_rows(MEASURED)))))
    assert len(rows) == 3 * 7
    assert {(row["variant"], row["seed"], float(row["value"])) for row in rows if row["measure"] == "fid"} >= {
        ("two, pooled", "1", 11.5), ("one", "0", 8.0)
    }  # fmt: skip


def test_a_column_of_different_distances_is_refused() -> None:
    other = [Figure(name="fid", measure="fid", title="FID", value=3.0, count=9, better="lower", judge="Inception")]
    mixed = {**MEASURED, ("two, pooled", 1.0, None): {0: other}}
    with pytest.raises(DataError, match=r"Frechet distance was measured with .*, and FID with Inception"):
        table.table_rows(PAPER, mixed)
