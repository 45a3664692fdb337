"""What is printed: results as tables on standard output, errors and the log on standard error."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from facecond.errors import FacecondError

if TYPE_CHECKING:
    from facecond.commands.result import Listing, Result
    from facecond.config.compose import Composed
    from facecond.io.results import Figure

_WIDE = 160
"""Columns of tables that go to a file or a pipe."""

_out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
_err = Console(stderr=True, soft_wrap=True)


def print_error(error: FacecondError) -> None:
    """One line on standard error."""
    _err.print(f"[bold red]facecond:[/] {escape(str(error))}", highlight=False)


def print_json(value: Any) -> None:
    """JSON on standard output, and nothing else there."""
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


def print_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Two columns: a name and what it means; names that would take more than a third of the line are folded."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 2))
    longest = max((cell_len(name) for name, _ in rows), default=0)
    table.add_column(style="cyan", overflow="fold", width=min(longest, _out.width // 3))
    table.add_column(overflow="fold")
    for name, meaning in rows:
        table.add_row(escape(name), escape(meaning))
    _out.print(table)
    _out.print()


def as_values(composed: "Composed") -> dict[str, Any]:
    """A composed configuration as JSON values."""
    return {"command": composed.command, "choices": composed.choices, "config": composed.as_dict()}


def print_configuration(composed: "Composed", *, as_json: bool, meanings: bool = False) -> None:
    """A composed configuration as YAML, with the keys' meanings on request, or JSON."""
    if as_json:
        print_json(as_values(composed))
        return
    chosen = " ".join(f"{group}={option}" for group, option in composed.choices.items())
    sys.stdout.write(f"# facecond {composed.command} {chosen}".rstrip() + "\n")
    sys.stdout.write(composed.as_commented_yaml() if meanings else composed.as_yaml())


def print_remark(text: str) -> None:
    """Lines on standard output that YAML takes for comments."""
    sys.stdout.write("".join(f"# {line}".rstrip() + "\n" for line in text.splitlines()))


def print_result(result: "Result") -> None:
    """Figures with ceiling, floor and count; facts; what was made; what one could type next."""
    for listing in result.listings:
        _print_listing(listing)
    if result.facts:
        print_table("", [(name, _number(value)) for name, value in result.facts.items()])
    for title, rows in result.tables.items():
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 2))
        for heading in rows[0]:
            table.add_column(heading, overflow="fold")
        for row in rows[1:]:
            table.add_row(*map(escape, row))
        _out.print(table)
        _out.print()
    if result.figures:
        _print_figures(result.figures)
    if result.made:
        print_table("Made", [(name, str(path)) for name, path in result.made.items()])
    if result.next:
        _out.print("Next", style="italic", highlight=False)
        for line in result.next:
            _out.print(f"  $ {escape(line)}", highlight=False)
        _out.print()


def _print_listing(listing: "Listing") -> None:
    """A table; below each row what is too long for it, what is the matter, and what could be typed, lines that can be copied."""
    cells = [listing.head, *(row.cells for row in listing.rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * len(widths) + 2 > _out.width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1

    def line(values: Sequence[str], style: str = "", first: str = "cyan") -> None:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        for place, width in enumerate(widths):
            table.add_column(width=width, overflow="fold", style=style or (first if place == 0 else ""))
        table.add_row(*map(escape, values))
        _out.print(Padding(table, (0, 0, 0, 2), expand=False))

    _out.print(listing.title, style="italic", highlight=False)
    line(listing.head, style="bold")
    for row in listing.rows:
        line(row.cells)
        below = [(row.more, ""), (row.remark, "yellow"), *((f"$ {command}", "dim") for command in row.commands)]
        for text, style in below:
            if text:
                _out.print(f"{_INDENT}{escape(text)}", style=style, highlight=False)
    if listing.note:
        _out.print(f"  ({escape(listing.note)})", style="dim", highlight=False)
    _out.print()


_NARROWEST = 12
"""Columns down to which those of a listing are made narrower, the widest first, where the terminal has no room for all."""

_INDENT = " " * 6
"""What stands before the lines below a row."""


def _print_figures(figures: Sequence["Figure"]) -> None:
    """Figures as a table, and below it what they were measured with and against, once for all that share it."""
    from facecond.reports.tables import ground_of, value_text

    table = Table(box=None, padding=(0, 2, 0, 2))
    for heading in ("measure", "value", "±", "ceiling", "floor", "reconstructions", "count"):
        if heading == "reconstructions" and not any(heading in figure.marks for figure in figures):
            continue
        number = heading != "measure"
        table.add_column(
            heading,
            justify="right" if number else "left",
            no_wrap=number,
            min_width=7 if number else None,
            overflow="fold",
        )
    grounds: dict[str, list[str]] = {}
    for figure in figures:
        grounds.setdefault(ground_of(figure), []).append(figure.name)
        lower = " [dim](lower is better)[/]" if figure.better == "lower" else ""
        caution = f"\n[yellow]{escape(figure.caution)}[/]" if figure.caution else ""
        cells = [escape(figure.heading) + lower + caution, f"[bold]{value_text(figure.value, figure.unit)}[/]"]
        cells += [value_text(value) for value in (figure.spread, figure.ceiling, figure.floor)]
        if len(table.columns) == 7:
            cells.append(value_text(figure.marks.get("reconstructions")))
        table.add_row(*cells, str(figure.count))
    _out.print(table)
    _out.print()
    print_table("Measured with", [(", ".join(names), ground) for ground, names in grounds.items() if ground])


def _number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 100 else f"{value:.3f}"
    return str(value)
