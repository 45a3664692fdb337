"""Every number stands beside its ceiling, floor and count."""

import csv
import dataclasses
import io
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecond.io.results import ClassValue, Figure
from facecond.reports.tables import (
    LATEX,
    class_rows,
    figure_rows,
    latex,
    markdown,
    report_markdown,
    results_csv,
    results_tex,
    share,
    value_text,
)

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
    [
        (0.5, "", "0.500"),
        (27.42, "dB", "27.4 dB"),
        (8.2, "", "8.20"),
        (0.031, "", "0.031"),
        (0.0029, "", "0.0029"),
        (-0.00042, "", "-0.00042"),
        (0.0, "", "0.000"),
        (None, "dB", "-"),
        (math.nan, "", "-"),
    ],
)
def test_numbers_for_people(value: float | None, unit: str, words: str) -> None:
    assert value_text(value, unit) == words


def test_csv_keeps_every_digit_and_is_read_by_others() -> None:
    odd = Figure(name="odd", title='a "quoted", one\nof two lines', value=math.nan, count=3, spread=math.inf)
    rows = list(csv.DictReader(io.StringIO(results_csv([MIOU, FID, odd]), newline="")))
    assert [row["name"] for row in rows] == ["miou", "fid", "odd"]
    for row, figure in zip(rows[:2], (MIOU, FID), strict=True):
        numbers = (figure.value, figure.ceiling, figure.floor, figure.count)
        assert tuple(float(row[name]) for name in ("value", "ceiling", "floor", "count")) == numbers
    assert (rows[0]["half_interval"], rows[1]["half_interval"], rows[1]["better"]) == ("0.012", "", "lower")
    assert (rows[0]["marks"], rows[0]["detector"], rows[0]["note"]) == (
        "reconstructions=0.721", "parser", "One confusion matrix.",
    )  # fmt: skip
    assert (rows[1]["floor_of"], rows[2]["ceiling_of"]) == ("noise", "")
    assert (rows[2]["title"], rows[2]["value"], rows[2]["half_interval"]) == (odd.title, "", "")


def test_latex_rows_and_what_stands_below() -> None:
    doubtful = dataclasses.replace(FID, name="f_2", title="R&D 50% #1", caution="few_pictures & a {judge}")
    lines = results_tex([MIOU, doubtful, dataclasses.replace(doubtful, name="other", title="x")]).splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert body[0] == (
        r"Mask mIoU & 0.684 $\pm$ 0.012 & 0.849 (real images) & 0.209 (shuffled conditions) & 1256 & parser \\"
    )
    assert body[1].startswith(r"R\&D 50\% \#1 (lower is better)\textsuperscript{1} & 8.20 & ")
    assert body[1].endswith(r" & 5000 & -- \\")
    assert body[2].startswith(r"x (lower is better)\textsuperscript{1} &")
    below = lines[lines.index(r"\bottomrule") + 1 : -1]
    assert len(below) == 1  # the same caution once
    assert below[0].endswith(r"\textsuperscript{1} few\_pictures \& a \{judge\}} \\")
    assert lines[1] == r"\begin{tabular}{lrrrrl}"
    assert all(line.replace(r"\&", "").count("&") == 5 for line in body)


@given(st.text(alphabet=st.characters(max_codepoint=126, min_codepoint=32)))
def test_latex_shows_any_text(text: str) -> None:
    """Reading the escapes back gives the text, and nothing else in it means anything to LaTeX."""
    escaped = latex(text)
    left = escaped
    for written in sorted(LATEX.values(), key=len, reverse=True):
        left = left.replace(written, "")
    assert not set(left) & set(LATEX)
    names = {written: character for character, written in LATEX.items()}
    pattern = "|".join(re.escape(written) for written in sorted(names, key=len, reverse=True))
    assert re.sub(pattern, lambda found: names[found.group()], escaped) == text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_latex_compiles(tmp_path: Path) -> None:
    figures = [dataclasses.replace(MIOU, title="".join(LATEX), caution="".join(LATEX)), FID]
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}"
    (tmp_path / "a.tex").write_text(f"{head}\n{results_tex(figures)}\n\\end{{document}}\n", encoding="utf-8")
    subprocess.run(["pdflatex", "-halt-on-error", "a.tex"], cwd=tmp_path, check=True, capture_output=True)
