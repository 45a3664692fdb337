"""`facecond report`: runs beside one another on one page: what they are, curves, pictures, figures, records."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.workspace import ReportConfig
from facecond.config.compose import compose
from facecond.config.models import MODELS
from facecond.errors import CheckpointError
from facecond.io.runs import done_of
from facecond.workspace.find import Found, finished_runs, named_run, read_run
from facecond.workspace.names import LONGEST
from facecond.workspace.origin import short_hash

MOST = 6
"""Runs shown when none is named: as many as there are colours."""


def prepare(words: Sequence[str]) -> Prepared[ReportConfig, dict[str, Path]]:
    """Find the runs: those named, else the latest that are finished."""
    composed = compose("report", words)
    config: ReportConfig = composed.config
    found = [named_run(config.workspace, name) for name in config.runs] or _latest(config.workspace)
    for run in found:
        read_run(run.path)
    places = {run.path.resolve(): run for run in found}  # a run that is named twice stands there once
    names = [run.path.name for run in places.values()]
    runs = {
        str(run.path) if names.count(name) > 1 else name: run.path
        for name, run in zip(names, places.values(), strict=True)
    }
    used = {f"run {name}": str(run) for name, run in zip(runs, places.values(), strict=True)}
    name = config.name or (_joined(names) if config.runs else "latest")
    return Prepared(composed=composed, name=name, found=runs, used=used)


def run(prepared: Prepared[ReportConfig, dict[str, Path]]) -> Result:
    """Gather what the files say and write the page."""
    from facecond.reports.page import Page, write_page
    from facecond.reports.runs import by_kind, curves, measured, overview, sampled, training_pictures
    from facecond.workspace.gather import differences, gather_run

    prepared.announce()
    config, runs = prepared.config, prepared.found
    shown = by_kind([
        gather_run(config.workspace, path, name, samples=config.samples, records=config.records)
        for name, path in runs.items()
    ])  # fmt: skip
    digests = [done["weights_sha256"] for path in runs.values() if (done := done_of(path))]
    page = Page(
        title=", ".join(run.name for run in shown),
        lead=f"{len(shown)} training runs of {config.workspace}." if len(shown) > 1 else "A training run.",
        sections=[
            overview(shown),
            measured(shown, differences=differences(config.workspace, digests)),
            curves(shown),
            training_pictures(shown),
            sampled(shown),
        ],
        command=prepared.suggest(shlex.join(["report", *config.runs]), name=config.name),
    )
    file = Path(config.workspace) / "reports" / prepared.name / "index.html"
    write_page(file, page)
    facts = {"runs": len(shown), "figures": sum(len(run.measured) for run in shown)}
    return Result(command="report", used=prepared.used, facts=facts, made={"page": file})


def _latest(workspace: str) -> list[Found]:
    """The latest finished runs of every kind, no more than `MOST`. Raises CheckpointError when there is none."""
    finished = finished_runs(workspace, *MODELS)
    if not finished:
        raise CheckpointError(
            f"no finished run in {Path(workspace) / 'runs'}",
            hint="train one: facecond train model=multicond, or name one that is not finished: facecond report RUN",
        )
    shown = finished[:MOST]
    why = "finished" if len(shown) == len(finished) else f"one of the latest {MOST} of {len(finished)} finished runs"
    return [Found(path, why) for path in shown]


def _joined(names: Sequence[str]) -> str:
    """Name of a page about runs that were named."""
    joined = "-and-".join(names)
    if len(names) <= 2 and len(joined.encode()) <= LONGEST:
        return joined
    return f"{names[0]}-and-{len(names) - 1}-more-{short_hash(list(names))}"
