"""Every number stands beside its ceiling, floor and count."""

import math

import pytest

from facecond.io.results import ClassValue, Figure
from facecond.reports.tables import class_rows, figure_rows, markdown, report_markdown, share, value_text

MIOU = Figure(
    name="miou", title="Mask mIoU", value=0.6841, count=1256, ceiling=0.849, floor=0.209, spread=0.012,
    marks={"reconstructions": 0.721}, judge="parser", judge_hash="ab12" * 16, note="One confusion matrix.",
    classes=(ClassValue(name="nose", value=0.9, ceiling=0.95), ClassValue(name="hat", value=None, ceiling=None)),
)  # fmt: skip
FID = Figure(name="fid", value=8.2, count=5000, better="lower", ceiling=2.0, floor=302.0, floor_of="noise")


def test_a_row_holds_the_circumstances() -> None:
    head, miou, fid = figure_rows([MIOU, FID])
    assert head == ["figure", "value", "ceiling", "floor", "other", "images"]
    assert miou == [
        "Mask mIoU", "0.684 ± 0.012", "0.849 (real images)", "0.209 (shuffled conditions)",
        "reconstructions 0.721", "1 256",
    ]  # fmt: skip
    assert fid == ["fid (lower is better)", "8.20", "2.00 (real images)", "302.0 (noise)", "-", "5 000"]


def test_share_is_the_way_from_floor_to_ceiling() -> None:
    assert share(MIOU) == pytest.approx((0.6841 - 0.209) / (0.849 - 0.209))
    assert share(FID) == pytest.approx((302 - 8.2) / 300)
    assert share(Figure(name="psnr", value=27.0, count=1)) is None
    assert share(Figure(name="a", value=math.nan, count=1, ceiling=1, floor=0)) is None


def test_columns_no_class_fills_are_left_out() -> None:
    assert class_rows(MIOU.classes) == [["class", "value", "ceiling"], ["nose", "0.900", "0.950"], ["hat", "-", "-"]]


def test_markdown_escapes_bars() -> None:
    assert markdown([["a|b", "n"], ["x", "1"]]) == "| a\\|b | n |\n| --- | ---: |\n| x | 1 |\n"


def test_the_report_names_the_judge_and_lists_classes() -> None:
    text = report_markdown([MIOU, FID])
    assert "- **Mask mIoU**: One confusion matrix. Judge: parser (ab12ab12ab12).\n" in text
    assert "**fid**" not in text  # nothing was said of how it was measured
    assert "### Mask mIoU per class" in text
    assert "| nose | 0.900 | 0.950 |" in text


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.5, "", "0.500"), (27.42, "dB", "27.4 dB"), (8.2, "", "8.20"), (None, "dB", "-"), (math.nan, "", "-")],
)
def test_numbers_for_people(value: float | None, unit: str, words: str) -> None:
    assert value_text(value, unit) == words
