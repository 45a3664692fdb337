"""`facecond data inspect`: counts, frequencies, suspicious items and a contact sheet of a pack."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.data import InspectConfig
from facecond.config.compose import compose
from facecond.workspace.find import find_pack, is_bundled

SHOWN = 20
"""Excluded items that are named; the manifest names all."""


def prepare(words: Sequence[str]) -> Prepared[InspectConfig, Path]:
    """Check the configuration and find the pack."""
    composed = compose("data inspect", words)
    config: InspectConfig = composed.config
    pack = find_pack(config.workspace, config.pack, or_bundled=True)
    return Prepared(composed=composed, name=pack.path.name, used={"pack": str(pack)}, found=pack.path)


def run(prepared: Prepared[InspectConfig, Path]) -> Result:
    """Count, list suspicious items, draw the contact sheet."""
    from facecond.data.inspection import inspect_pack, sample_indices
    from facecond.data.pack import Pack
    from facecond.io.images import write_png
    from facecond.reports.layouts import contact_sheet

    prepared.announce()
    config = prepared.config
    pack = Pack.open(prepared.found)
    summary = inspect_pack(pack)
    facts: dict[str, Any] = counts(summary)
    if any(a.unknown < split.items for split in summary.splits for a in split.attributes):
        facts["majority floor of attribute accuracy"] = summary.majority_floor
    else:
        facts["attributes known"] = "none"
    made = {}
    if config.sheet:
        places = sample_indices(pack, config.sheet)
        picture = contact_sheet(
            [pack.images[i] for i in places], [pack.labels[i] for i in places], [pack.ids[i] for i in places],
            title=f"Pack {pack.path.name}", text=f"{len(pack)} items, {pack.resolution} px", cell=min(pack.resolution, 128),
        )  # fmt: skip
        made["contact sheet"] = _sheet(config.workspace, pack.path)
        write_png(made["contact sheet"], picture)
    return Result(command="data inspect", used=prepared.used, facts=facts, tables=_tables(summary), made=made)


def _sheet(workspace: str, pack: Path) -> Path:
    """Where the contact sheet of a pack is written: into it, but never into the program's own folder."""
    return Path(workspace) / "reports" / f"{pack.name}-sheet.png" if is_bundled(pack) else pack / "sheet.png"


def _tables(summary: Any) -> dict[str, list[list[str]]]:
    """Classes and attributes of every split, and what looked suspicious; the first row of each table is its head."""
    tables: dict[str, list[list[str]]] = {}
    for split in summary.splits:
        if split.items:
            rows = [[c.name, f"{c.pixels:.4f}", f"{c.presence:.3f}", str(c.items)] for c in split.classes]
            tables[f"classes, {split.name}"] = [["class", "share of pixels", "presence", "items"], *rows]
            known = [a for a in split.attributes if a.unknown < split.items]
            rows = [[a.name, f"{a.frequency:.3f}", f"{a.majority:.3f}", str(a.unknown)] for a in known]
            if rows:
                tables[f"attributes, {split.name}"] = [["attribute", "present", "majority", "unknown"], *rows]
    return tables | findings(summary)


def counts(summary: Any) -> dict[str, int]:
    """Items of a pack, in all, of each split, and excluded from every split; `summary` is a `PackSummary`."""
    facts = {"items": summary.items, "resolution": summary.resolution}
    return facts | {split.name: split.items for split in summary.splits} | {"excluded": summary.excluded}


def findings(summary: Any) -> dict[str, list[list[str]]]:
    """Tables of what looked suspicious, which items no split may use, and notes; as far as there is anything to say."""
    tables = {}
    if summary.problems:
        rows = [
            [name, str(len(found)), "; ".join(f"{f.id} {f.detail}" for f in found[:3])]
            for name, found in summary.problems.items()
        ]
        tables["suspicious"] = [["problem", "items", "for example"], *rows]
    if summary.excluded_items:
        shown = list(summary.excluded_items.items())[:SHOWN]
        rows = [[item, "; ".join(f"{f.problem}: {f.detail}" for f in found)] for item, found in shown]
        more = summary.excluded - len(shown)
        left = [[f"and {more} more", "see `suspicious` in the pack's manifest.json"]] if more else []
        tables["excluded"] = [["item", "why no split uses it"], *rows, *left]
    if summary.notes:
        tables["notes"] = [["note"], *([note] for note in summary.notes)]
    return tables
