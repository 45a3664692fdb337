"""Tables over seeds against their definitions: means, Student's intervals, pairs, verdicts."""

import csv
import io
import math

import numpy as np
import pytest
from scipy import stats

from facecond.config.reproduce import OrderingConfig, PaperConfig, VariantConfig
from facecond.errors import DataError
from facecond.experiments import table
from facecond.io.results import Figure
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
               spread=spread, ceiling=1.25, marks={"reconstructions": 2.5}),
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


def test_rows_are_the_paper_s_with_ceiling_reconstructions_and_floor() -> None:
    rows = table.table_rows(PAPER, MEASURED)
    assert rows[0] == ["", "sampling", "Frechet distance (lower is better)", "Mask mIoU (higher is better)"]
    assert [row[:2] for row in rows[1:4]] == [["one", "d."], ["one", "s."], ["two, pooled", "d."]]
    assert rows[2][2:] == ["8.00 ± 0.500", "0.125"]
    assert rows[4] == ["real pictures (ceiling)", "", "1.250", "0.750"]
    assert rows[5] == ["reconstructions", "", "2.50", "-"]
    assert rows[6][2:] == ["-", "0.250"]


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
    measured = {
        ("one", 0.0, 100): {0: figures(30, 0.5)},
        ("one", 0.0, None): {0: figures(20, 0.5)},
        ("two, pooled", 0.0, 100): {0: figures(28, 0.5)},
        ("two, pooled", 0.0, None): {0: figures(19, 0.5)},
    }
    rows = table.curve_rows(PAPER, measured, {"one": 250, "two, pooled": 250})
    assert [row[0] for row in rows] == ["images", "100", "250", "real pictures (ceiling)"]
    assert rows[1][1:] == ["30.0 ± 0.500", "28.0 ± 0.500"]
    assert rows[2][1:] == ["20.0 ± 0.500", "19.00 ± 0.500"]


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
