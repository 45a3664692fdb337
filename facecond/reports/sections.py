"""Sections that several pages have: figures in large and in a table, the steps of a work, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facecond.io.results import Figure
from facecond.reports.page import Block, Classes, Folded, Section, Table, Terms, Tiles, duration
from facecond.reports.tables import circumstances, figure_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the work."""

    name: str
    seconds: float
    """How long it took, all its runs together."""
    result: str = ""
    """What came of it: "8192 faces", "PSNR 27.4 dB"."""


def in_numbers(figures: Sequence[Figure]) -> Section:
    """The figures as tiles, each with its bar between floor and ceiling."""
    return Section(title="In numbers", blocks=[Tiles(figures=figures)])


def all_figures(figures: Sequence[Figure]) -> Section:
    """The figures as a table, how each was measured, and the values per class."""
    how = {figure.heading: words for figure in figures if (words := circumstances(figure))}
    blocks: list[Block] = [Table(rows=figure_rows(figures))]
    blocks += [Folded(title="How each was measured", blocks=[Terms(terms=how)])] if how else []
    blocks += [Classes(figures=figures)] if any(figure.classes for figure in figures) else []
    return Section(title="All figures", blocks=blocks)


def steps_taken(steps: Sequence[Step]) -> Section:
    """The steps with their times and results, and the time of all together."""
    rows = [["step", "time", "result"], *([step.name, duration(step.seconds), step.result] for step in steps)]
    rows.append(["together", duration(sum(step.seconds for step in steps)), ""])
    return Section(title="Steps", blocks=[Table(rows=rows)])


def versions_used(versions: Mapping[str, str]) -> Section:
    """Versions of programs, folded."""
    return Section(title="Versions", blocks=[Folded(title="Versions and machine", blocks=[Terms(terms=versions)])])
