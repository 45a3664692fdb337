"""`facecond compare`: is one run better than another? Both measured on the same conditions, with intervals of the differences."""

import dataclasses
import logging
from collections.abc import Sequence

from facecond.commands import eval as evaluate
from facecond.commands.evidence import Measuring
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.evaluate import CompareConfig, EvalConfig
from facecond.config.compose import compose, quoted
from facecond.errors import ConfigError, DataError
from facecond.io.results import Figure
from facecond.measuring.table import obeyed
from facecond.workspace.find import find_run, read_run
from facecond.workspace.origin import short_hash

log = logging.getLogger("facecond")

Both = list[Prepared[EvalConfig, Measuring]]


def prepare(words: Sequence[str]) -> Prepared[CompareConfig, Both]:
    """Prepare the measuring of both runs."""
    composed = compose("compare", words)
    config: CompareConfig = composed.config
    for key in ("run", "samples", "reference"):
        if composed.given(key):
            raise ConfigError(
                f"{key} has no meaning where two runs are compared", hint="name both: facecond compare RUN RUN miou"
            )
    if len(config.runs) != 2:
        raise ConfigError(
            f"expected two runs, found {len(config.runs)}", hint="for example: facecond compare attr multicond miou"
        )
    used: dict[str, str] = {}
    if not config.measures:
        measures, why = _measures(config)
        words = [*words, f"measures=[{','.join(measures)}]"]
        composed, used = compose("compare", words), {"measures": f"{', '.join(measures)} ({why})"}
    shared = [word for word in words if word.partition("=")[0] != "runs"]
    both = [evaluate.prepare([*shared, f"run={quoted(name)}"]) for name in config.runs]
    name = f"{both[0].name.partition('-eval-')[0]}-compare-{short_hash([one.name for one in both])}"
    return Prepared(composed=composed, name=name, found=both, used=used | _used(config, both))


def _measures(config: CompareConfig) -> tuple[list[str], str]:
    """Measures where none is named: how well what both runs are told is obeyed, else how real samples look; and why those."""
    found = [read_run(find_run(config.workspace, name, "diffusion").path) for name in config.runs]
    one, two = (set(run.config["model"]["conditions"]) - set(config.noisy) for run in found)
    shared = obeyed(one & two)
    return (shared, "what both are told") if shared else (["fid"], "nothing told to both can be measured")


def run(prepared: Prepared[CompareConfig, Both]) -> Result:
    """Measure both, and write the differences, as `eval` writes its figures."""
    names, figures, weights = prepared.config.runs, [], []
    if "measures" in prepared.used:
        log.info("measures: %s", prepared.used["measures"])
    for one in prepared.found:
        one.processes = prepared.processes
        measured, made_with = evaluate.measured(one)
        figures.append(measured)
        weights.append(made_with["weights"])
    prepared.used |= _used(prepared.config, prepared.found)  # known now: networks may have taken the place of others
    if not prepared.processes.first:  # it helped
        return Result(command="compare", used=prepared.used)
    of_both = prepared.found[0].found.measures.keys() & prepared.found[1].found.measures.keys()
    pairs = zip(*([figure for figure in each if figure.measure in of_both] for each in figures), strict=True)
    differences = [_difference(one, two, names) for one, two in pairs]
    made = evaluate.write_figures(prepared, differences, "compare", {"compared": weights})
    return Result(command="compare", used=prepared.used, figures=differences, made=made)


def _used(config: CompareConfig, both: Both) -> dict[str, str]:
    """What is used for each run, and why."""
    return {
        f"{what} of {name}": which
        for name, one in zip(config.runs, both, strict=True)
        for what, which in one.used.items()
    }


def _difference(one: Figure, two: Figure, names: Sequence[str]) -> Figure:
    """What one run has more of than the other."""
    from facecond.metrics.spread import Spread

    if (one.name, one.judge_hash, one.reference) != (two.name, two.judge_hash, two.reference):
        raise DataError(
            f"{one.heading}: measured by {one.judge} on {one.reference}, and by {two.judge} on {two.reference}",
            hint="compare runs on one pack (pack=) with the same judges (parser=, classifier=)",
        )
    spread = None
    if isinstance(one.spread, Spread) and isinstance(two.spread, Spread):
        try:
            spread = one.spread.of_difference(two.spread)
        except ValueError:
            raise DataError(
                f"{one.heading}: {names[0]} and {names[1]} were not measured on the same conditions",
                hint=f"ask for as many of both: count={min(one.count, two.count)} or fewer",
            ) from None
    labels = names if names[0] != names[1] else [f"{name} ({place})" for place, name in enumerate(names, start=1)]
    return dataclasses.replace(
        one, value=one.value - two.value, spread=spread, title=f"{one.heading}: {labels[0]} - {labels[1]}", classes=(),
        marks={labels[0]: one.value, labels[1]: two.value}, ceiling=None, floor=None,
        caution="; ".join(dict.fromkeys([*one.cautions, *two.cautions])),
        note=f"Difference on the same conditions. \u00b1: of the difference, condition by condition. {one.note}",
    )  # fmt: skip
