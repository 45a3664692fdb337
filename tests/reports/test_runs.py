"""Sections about runs: lines of charts are the lines of metrics.jsonl, and figures of one measure stand together."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facecond.io.results import ClassValue, Figure
from facecond.reports.made import made_text
from facecond.reports.page import Cell, Charts, Columns, Folded, Group, Picture, Table, Words
from facecond.reports.runs import (
    Measured,
    RunShown,
    Sampled,
    by_kind,
    curve,
    curves,
    measured,
    overview,
    sampled,
    training_pictures,
)

MADE = {"sampler": {"name": "ddim", "steps": 20, "eta": 0.0}, "guidance": {"mask": 1.5}, "precision": "float32"}


def run(name: str, kind: str = "diffusion", **given: Any) -> RunShown:
    usual: dict[str, Any] = {"facts": {"images seen": "8"}, "settings": {"name": name, "trainer": {"seed": 0}}}
    return RunShown(name=name, kind=kind, **usual | given)


def logged(*values: float | None, kind: str = "training", **more: float) -> list[dict[str, Any]]:
    return [{"images_seen": 8 * i, "kind": kind, "loss": value, **more} for i, value in enumerate(values, 1)]


def texts(table: Table) -> list[list[str]]:
    """Rows of a table as words; a group is one word."""
    return [
        [row.text] if isinstance(row, Group) else [cell.text if isinstance(cell, Cell) else cell for cell in row]
        for row in table.rows
    ]


def tables(blocks: Sequence[Any]) -> list[Table]:
    """Tables of a section, folded ones included."""
    found = []
    for block in blocks:
        found += [block] if isinstance(block, Table) else tables(block.blocks) if isinstance(block, Folded) else []
    return found


def test_a_line_of_a_curve_is_what_was_logged() -> None:
    runs = [run("a", lines=logged(3.0, None, 1.0) + logged(2.5, kind="evaluation")), run("b", lines=logged(4.0))]
    chart = curve(runs, "loss", lines={"a": 0, "b": 3})
    assert [(line.name, line.line, line.thin, line.named) for line in chart.series] == [
        ("a", 0, True, False), ("a", 0, False, True), ("b", 3, True, True),
    ]  # fmt: skip
    assert (tuple(chart.series[0].x), chart.series[0].y[0], chart.series[0].y[2]) == ((8, 16, 24), 3.0, 1.0)
    assert math.isnan(chart.series[0].y[1])
    assert (tuple(chart.series[1].y), tuple(chart.series[2].y)) == ((2.5,), (4.0,))


def test_the_colours_of_one_run_tell_training_from_evaluation() -> None:
    chart = curve([run("a", lines=logged(3.0) + logged(2.5, kind="evaluation"))], "loss", title="Loss")
    assert [(line.name, line.line) for line in chart.series] == [("training", 0), ("evaluation", 1)]
    assert chart.title == "Loss"


def test_every_figure_has_a_chart_those_per_class_a_row_and_kinds_are_apart() -> None:
    first = logged(1.0, learning_rate=0.1) + logged(2.0, kind="evaluation", iou_nose=0.25)
    section = curves([run("a", lines=first), run("p", "parser", lines=logged(5.0)), run("b", lines=logged(3.0))])
    diffusion, folded, parser = section.blocks
    assert isinstance(diffusion, Charts)
    assert isinstance(parser, Charts)
    assert [chart.title for chart in diffusion.charts] == ["loss", "learning_rate, training"]
    assert {line.name for line in diffusion.charts[0].series} == {"a", "b"}
    assert [line.line for line in parser.charts[0].series] == [1]  # the colour of the run on the whole page
    assert texts(tables([folded])[0]) == [["", "a", "b"], ["iou_nose", "0.250", "-"]]


def test_settings_that_differ_are_named_within_a_kind() -> None:
    runs = [
        run("a", settings={"name": "a", "trainer": {"seed": 0, "images": 8}, "only": True}),
        run("b", settings={"name": "b", "trainer": {"seed": 3, "images": 8}}),
        run("p", "parser", settings={"name": "p", "other": 1}),
    ]
    facts, different = tables([block for block in overview(runs).blocks if isinstance(block, Table)])
    assert texts(facts) == [["", "a", "b", "p"], ["images seen", "8", "8", "8"]]
    assert texts(different)[1:] == [["trainer.seed", "0", "3"], ["only", "true", "-"]]
    folded = [block for block in overview(runs).blocks if isinstance(block, Folded)]
    assert [block.title for block in folded] == [f"Configuration of {name}" for name in "abp"]
    assert "seed: 3" in folded[1].blocks[0].text  # type: ignore[union-attr]
    same = [block for block in overview([run("a"), run("b")]).blocks if isinstance(block, Words)]
    assert same[0].text.endswith("differ: none.")


def test_the_same_measure_of_two_runs_stands_in_one_group_with_its_marks() -> None:
    def figure(value: float, **more: Any) -> Measured:
        usual: dict[str, Any] = {
            "ceiling": 0.9,
            "floor": 0.2,
            "spread": 0.01,
            "judge": "parser",
            "reference": "validation",
        }
        return Measured(figure=Figure(name="miou", value=value, count=1256, **usual | more), how=made_text(MADE))

    per_class = (ClassValue(name="nose", value=0.7, ceiling=0.95),)
    runs = [
        run("a", measured=[figure(0.5), figure(0.4, judge="another")]),
        run("b", measured=[figure(0.6, classes=per_class)]),
    ]
    section = measured(runs)
    (table, classes) = tables(section.blocks)
    assert texts(table)[1:] == [
        ["miou (higher is better)"],
        ["a", "0.500\u00a0±\u00a00.010", "0.900", "0.200", "1\u202f256"],
        ["b", "0.600\u00a0±\u00a00.010", "0.900", "0.200", "1\u202f256"],
        ["miou (higher is better)"],
        ["a", "0.400\u00a0±\u00a00.010", "0.900", "0.200", "1\u202f256"],
    ]
    assert [row.small for row in table.rows if isinstance(row, Group)] == [
        "validation; judged by parser", "validation; judged by another",
    ]  # fmt: skip
    assert table.rows[2][0].small == "ddim, 20 steps, eta 0; guidance mask 1.5; float32"  # type: ignore[index, union-attr]
    assert texts(classes) == [["class", "a", "b", "ceiling"], ["nose", "-", "0.700", "0.950"]]
    difference = Figure(name="miou", title="miou: a - b", value=-0.1, count=16)
    assert "miou: a - b" in str(measured(runs, differences=[difference]).blocks[1])


def test_a_caution_stands_with_the_rows_it_is_about() -> None:
    def figure(value: float, caution: str, **made: Any) -> Measured:
        return Measured(figure=Figure(name="fid", value=value, count=8, caution=caution), how=made_text(MADE | made))

    rows = [figure(3.0, "few"), figure(4.0, "told mask as P reads it; few", noisy={"mask": "P"})]
    (table, *_) = tables(measured([run("a", measured=rows)]).blocks)
    group, *cells = table.rows[1:]
    assert isinstance(group, Group)
    assert group.small == "few"
    assert [row[1].small for row in cells] == ["", "told mask as P reads it"]  # type: ignore[index, union-attr]
    assert [row[0].small.partition("told")[2] for row in cells] == ["", " mask as P reads it; float32"]  # type: ignore[index, union-attr]


def test_records_say_from_what_a_picture_comes() -> None:
    record = {"index": 3, "seed": 2**60, "source": None, "description": {"mask": ""}, "sampler": MADE["sampler"]}
    made = Sampled(name="folder", how="", picture=None, records=[record], count=9)
    (columns,) = sampled([run("a", sampled=[made]), run("b")]).blocks
    assert isinstance(columns, Columns)
    words, folded = columns.columns[0].blocks
    assert isinstance(words, Words)
    assert folded.title == "Records of folder: 1 of 9"  # type: ignore[union-attr]
    assert texts(tables([folded])[0])[1] == ["3", "-", "mask: nothing said", str(2**60), "ddim, 20 steps, eta 0"]


def test_what_is_missing_is_said_where_it_is_missing() -> None:
    picture = Picture(image=np.zeros((2, 2, 3), np.uint8), caption="grid")
    runs = [run("a", grids=[picture], missing={"Curves": ["no figures."]}), run("b", missing={"Curves": ["none."]})]
    assert curves(runs).text == "a: no figures.\n\nb: none."
    assert training_pictures(runs).text == ""
    assert [column.title for column in training_pictures(runs).blocks[0].columns] == ["a"]  # type: ignore[union-attr]
    assert measured(runs).blocks == sampled(runs).blocks == []


def test_runs_of_one_kind_stand_together() -> None:
    kinds = ("vq", "diffusion", "parser")
    assert [each.kind for each in by_kind([run(kind, kind) for kind in kinds])] == ["diffusion", "vq", "parser"]
