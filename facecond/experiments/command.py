"""`facecond reproduce`: a table or a figure of the paper, from nothing to the picture or the table.

Every step is a command that can be typed. What is done is not done again (only claims about one training are measured again,
for the interval of a difference), an equal run that is there already is used, and what was interrupted is continued.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facecond.commands import encode, train
from facecond.commands import eval as evaluate
from facecond.commands.continuing import NOT_COMPARED, OWN_NAME, hash_of
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.commands.steps import Steps, run_command
from facecond.config.commands.table import COMMANDS, config_name
from facecond.config.commands.whole import ReproduceConfig
from facecond.config.compose import compose
from facecond.config.reproduce import Kind, Study
from facecond.config.settings import difference, plain
from facecond.errors import CheckpointError, FacecondError
from facecond.experiments import studies, table
from facecond.experiments.plan import Plan, Work, sizes, whole_batches
from facecond.io import reproduced
from facecond.io.files import sha256_file
from facecond.io.results import Figure, read_results
from facecond.quantities import grouped
from facecond.sampling.folder import read_manifest
from facecond.workspace.find import (
    find_first_stage,
    find_pack,
    finished_runs,
    first_stage_digest,
    images_seen,
    read_run,
)

log = logging.getLogger("facecond")


def prepare(words: Sequence[str]) -> Prepared[ReproduceConfig, Any]:
    """Check the configuration and lay out the work: a `Plan`, or a study's."""
    composed = compose("reproduce", words)
    if composed.config.study.kind is not Study.none:
        return studies.prepare(composed)
    scale = composed.choices["scale"]
    plan = Plan(composed.config, scale)
    plan.works()
    name = f"{composed.choices.get('paper', 'own')}-{scale}"
    return Prepared(composed=composed, name=name, found=plan, used={"scale": f"{scale} ({sizes(plan.scale)})"})


def run(prepared: Prepared[ReproduceConfig, Any]) -> Result:
    """Go through the work, then write the table or draw the figure."""
    plan, config = prepared.found, prepared.config
    if config.study.kind is not Study.none:
        return studies.run(prepared)
    prepared.announce()
    folder, about = (
        Path(config.workspace) / "reproduced" / prepared.name,
        (plan.paper.title, prepared.composed.overrides),
    )
    steps = Steps(Path(config.workspace) / "reproduced" / f"{plan.prefix}.json", len(plan.works()) + 1)
    if config.plan:
        return _planned(prepared, steps)
    reproduced.begin(folder, *about)
    result = _made(prepared, folder, steps)
    reproduced.finish(folder, *about, result.made.values())
    return result


def _made(prepared: Prepared[ReproduceConfig, Plan], folder: Path, steps: Steps) -> Result:
    plan = prepared.found
    for work in plan.common():
        _make(work, plan, steps)
    for work in plan.models():
        _make(work, plan, steps)
    measured: dict[table.Key, dict[int, Sequence[Figure]]] = {}
    made_with: dict[str, list[Mapping[str, Any]]] = {}
    for work in plan.measurings():
        about = work.about
        key = (about["variant"], about["eta"], about["snapshot"])
        measured.setdefault(key, {})[about["seed"]], samples = _measure(work, steps)
        if samples is not None:
            made_with.setdefault(about["variant"], []).append(read_manifest(samples)["made_with"])
    if plan.paper.kind in (Kind.table, Kind.curve):
        return _table(prepared, folder, measured, made_with)
    from facecond.experiments.figures import draw_figure, told

    title = f"draw {plan.paper.title.lower()}"
    made = steps.call(prepared.name, title, lambda: draw_figure(plan, folder), words=told(plan), again=True)
    return Result(command="reproduce", used=prepared.used, made={name: Path(path) for name, path in made.items()})


def _make(work: Work, plan: Plan, steps: Steps) -> None:
    """Run one command; an equal run that is there already takes the place of a training."""
    if not work.run:
        again = work.module is encode and not _encoded(plan)
        steps.call(
            work.key,
            work.title,
            lambda: run_command(work.module, work.words),
            words=work.words,
            again=again,
        )
        return
    folder, snapshots = Path(plan.config.workspace) / "runs" / work.run, plan.snapshots(work)
    with _name_taken(folder):
        equal = equal_run(work.words, snapshots=snapshots)

    def make() -> dict[str, str]:
        if equal is None:
            return run_command(work.module, work.words)
        if equal.name != work.run:
            log.info("%s was trained in the same way and is used", equal)
        return {"run": str(equal)}

    changed = steps.is_done(work.key, work.words) and (
        equal is None or steps.entries[work.key]["made"]["run"] != str(equal)
    )
    with _name_taken(folder):
        made = steps.call(work.key, work.title, make, words=work.words, again=changed)
    if not (Path(made["run"]) / "done.json").is_file():
        raise CheckpointError(f"{made['run']} is not finished", hint="the same command continues")
    if (seen := images_seen(Path(made["run"]))) != work.amount:
        raise CheckpointError(
            f"{made['run']} was trained with {seen} images, not {work.amount}",
            hint=MAKE_ROOM.format(folder=made["run"]),
        )
    if missing := sorted(set(snapshots) - snapshots_of(Path(made["run"]))):
        raise CheckpointError(
            f"{made['run']} did not keep its weights after {missing[0]} images",
            hint=MAKE_ROOM.format(folder=made["run"]),
        )
    plan.instead[work.run] = Path(made["run"])


MAKE_ROOM = "rename or delete {folder}, and the same command trains it anew"


@contextmanager
def _name_taken(folder: Path) -> Iterator[None]:
    """Where another run has the name of the one to be trained, say what helps: a reproduction chooses names itself."""
    try:
        yield
    except CheckpointError as error:
        if error.hint is None or OWN_NAME.partition(":")[0] not in error.hint:
            raise
        raise CheckpointError(error.message, hint=MAKE_ROOM.format(folder=folder)) from error


def snapshots_of(run: Path) -> set[int]:
    """Images after which a run kept its weights on the way."""
    return {int(file.stem) for file in (run / "snapshots").glob("*.safetensors")}


def _encoded(plan: Plan) -> bool:
    """Whether the pack has latents of the first stage as it is now."""
    from facecond.data.latents import LatentStore

    digest = first_stage_digest(plan.config.workspace, find_first_stage(plan.config.workspace, plan.first_stage).path)
    return digest in LatentStore.available(find_pack(plan.config.workspace, plan.pack).path)


def equal_run(words: Sequence[str], *, snapshots: Sequence[int] = ()) -> Path | None:
    """A finished run of the workspace that was trained as `words` say: on the same faces, from the same weights, with the same
    settings, to the end (whole batches of images); with weights kept after `snapshots` images. One that has the name in `words`
    comes first.
    """
    from facecond.training.state import MAY_CHANGE

    prepared = train.prepare(words)
    config, found = prepared.config, prepared.found
    wanted, kind = plain(config), found.kind
    initial, pack = hash_of(config.init), sha256_file(Path(found.pack) / "manifest.json")
    batch = config.trainer.batch_size
    images = whole_batches(config.trainer.images, batch)
    for path in sorted(finished_runs(config.workspace, kind), key=lambda path: path.name != prepared.name):
        try:
            run = read_run(path)
            if (
                (path / "done.json").is_file()
                and (run.pack, run.first_stage) == (pack, found.latents)
                and run.content.get("sha256 of the initial weights") == initial
                and difference(run.config, wanted, ignoring={*NOT_COMPARED, *MAY_CHANGE}) is None
                and whole_batches(run.config["trainer"]["images"], batch) == images_seen(path) == images
                and snapshots_of(path) >= set(snapshots)
            ):
                return path
        except FacecondError:
            continue
    return None


def _measure(work: Work, steps: Steps) -> tuple[Sequence[Figure], Path | None]:
    """Measure, or read what was measured; return the figures and the folder of the samples, None where none were needed.

    Figures that were measured now know how their intervals came about.
    """
    fresh: list[Figure] = []

    def measure() -> dict[str, str]:
        result = evaluate.run(evaluate.prepare(work.words))
        fresh.extend(result.figures)
        return {name: str(path) for name, path in result.made.items()}

    # The name of results says what they are of: weights, judges, counts.
    name = evaluate.prepare(work.words).name
    done = steps.is_done(work.key, work.words)
    again = done and Path(steps.entries[work.key]["made"]["results"]).parent.name != name
    made = steps.call(work.key, work.title, measure, words=work.words, again=again)
    samples = Path(made["samples"]) if "samples" in made else None
    return fresh or read_results(Path(made["results"])).figures, samples


def _planned(prepared: Prepared[ReproduceConfig, Plan], steps: Steps) -> Result:
    """The work as a table: what it is, how much, how long it takes here, and what is done already."""
    from facecond.experiments.figures import samplings, told
    from facecond.experiments.timing import seconds_of

    config, plan = prepared.config, prepared.found
    trainings = [work for work in [*plan.common(), *plan.models()] if work.run]
    done = {work.run: steps.entries[work.key] for work in trainings if steps.is_done(work.key, work.words)}
    plan.instead |= {run: Path(entry["made"]["run"]) for run, entry in done.items()}
    works, drawn = plan.works(), samplings(plan)
    missing = [work for work in works if not steps.is_done(work.key, work.words)]
    if missing or not steps.is_done(prepared.name, told(plan)):
        missing += drawn
    works += drawn
    seconds = seconds_of(missing, prepared.found, config.device)
    rows = [["step", "amount", "minutes", "command"]]
    for work in works:
        time = "done" if work not in missing else f"{seconds[work.key] / 60:.1f}" if work.key in seconds else "-"
        rows.append([work.title, grouped(work.amount) if work.amount else "-", time, _typed(work)])
    total = sum(seconds.values())
    return Result(
        command="reproduce", used=prepared.used, tables={prepared.found.paper.title: rows},
        facts={"steps": len(works), "steps to do": len(missing), "minutes": round(total / 60, 1)},
        next=[_without_plan(prepared.composed.overrides)],
    )  # fmt: skip


def _typed(work: Work) -> str:
    """The command that does a work, "-" where there is none."""
    if work.module is None:
        return "-"
    name = next(name for name in COMMANDS if config_name(name) == work.module.__name__.rpartition(".")[2])
    return f"facecond {name} {shlex.join(work.words)}"


def _without_plan(overrides: Sequence[str]) -> str:
    """The command that does what was planned: as it was typed, without plan=."""
    words = [word.removeprefix("paper=") for word in overrides if word.partition("=")[0] != "plan"]
    return shlex.join(["facecond", "reproduce", *words])


def _table(
    prepared: Prepared[ReproduceConfig, Plan],
    folder: Path,
    measured: Mapping[table.Key, Mapping[int, Sequence[Figure]]],
    made_with: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Result:
    """Write the table as Markdown, CSV, LaTeX and HTML, and show it."""
    from facecond.experiments.write import write_table

    plan, paper = prepared.found, prepared.found.paper
    if paper.kind is Kind.curve:
        seed = plan.seeds()[0]
        images = {each.name: images_seen(plan.run(each, seed)) for each in paper.variants}
        rows = table.curve_rows(paper, measured, images)
    else:
        images, rows = {}, table.table_rows(paper, measured)
    claims = table.orderings(paper, _with_intervals(plan, measured)) if paper.orderings else []
    made = write_table(prepared, folder, rows, claims, measured, images, made_with)
    tables = {paper.title: rows} | ({"Does it hold?": claims} if claims else {})
    return Result(command="reproduce", used=prepared.used, tables=tables, made=made)


def _with_intervals(
    plan: Plan, measured: Mapping[table.Key, Mapping[int, Sequence[Figure]]]
) -> Mapping[table.Key, Mapping[int, Sequence[Figure]]]:
    """With one seed, claims need intervals of differences: measurements that were read from files are taken again."""
    from facecond.metrics.spread import Spread

    if len(plan.seeds()) > 1:
        return measured
    wanted = {(name, claim.eta) for claim in plan.paper.orderings for name in (claim.better, claim.worse)}
    again: dict[table.Key, Mapping[int, Sequence[Figure]]] = dict(measured)
    for work in plan.measurings():
        about = work.about
        key = (about["variant"], about["eta"], about["snapshot"])
        known = any(isinstance(figure.spread, Spread) for figure in measured[key][about["seed"]])
        if about["snapshot"] is None and key[:2] in wanted and not known:
            again[key] = {about["seed"]: evaluate.measured(evaluate.prepare(work.words))[0]}
    return again
