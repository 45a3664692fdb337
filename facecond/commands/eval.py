"""`facecond eval`: how well samples obey their conditions, beside the ceiling (real pictures) and the floor."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facecond.assembly.session import Session, open_session
from facecond.commands.generate import generation_key, items_plan, prepare_generation, short_hash
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.conditions.table import CONDITIONS
from facecond.config.commands import NO_FIRST_STAGE, EvalConfig
from facecond.config.compose import Composed, compose
from facecond.config.recorded import plain
from facecond.errors import ConfigError, DataError
from facecond.io.files import sha256_file
from facecond.io.results import Figure
from facecond.measuring.measure import RECONSTRUCTIONS, Measure
from facecond.measuring.table import DETECTORS, measures_named
from facecond.sampling.folder import read_manifest
from facecond.workspace.origin import Origin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.sampling.generation import Generation

log = logging.getLogger("facecond")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measuring(Origin):
    """What samples come from, what is measured, and with what."""

    measures: dict[str, Measure]
    detectors: dict[str, Path]
    """Runs or weights files of the detectors that are needed, by their name in the configuration."""
    samples: Path | None
    """Samples that are there already."""
    folder: Path
    """Where the samples are, or will be."""


def prepare(words: Sequence[str]) -> Prepared[EvalConfig, Measuring]:
    """Check the measures first; find run, samples and detectors."""
    composed = compose("eval", words)
    typed: EvalConfig = composed.config
    measures = measures_named(typed.metrics)
    samples, made_with = None, None
    if typed.samples is not None:
        _check_only_measuring(composed)
        samples = _samples_folder(typed)
        made_with = read_manifest(samples)["made_with"]
    prepared = prepare_generation("eval", words, made_with=made_with)
    config, origin = prepared.config, prepared.found
    _check_measurable(measures, origin)
    detectors = _find_detectors(prepared, measures)
    if samples is not None:
        prepared.used["samples"] = f"{samples} (named)"
    plan = items_plan(origin) | {"told": origin.conditions, "samples": 1}
    key = generation_key(origin, config, plan)
    folder = samples or Path(config.workspace) / "samples" / f"{prepared.name}-conditions-{key}"
    hashes = {
        kind: sha256_file(place / "weights.safetensors" if place.is_dir() else place)
        for kind, place in detectors.items()
    }
    name = f"{prepared.name}-eval-{short_hash([str(folder), config.count, list(measures), hashes])}"
    measuring = Measuring(
        run=origin.run, pack=origin.pack, weights=origin.weights, first_stage=origin.first_stage,
        measures=measures, detectors=detectors, samples=samples, folder=folder,
    )  # fmt: skip
    return Prepared(composed=prepared.composed, name=name, found=measuring, used=prepared.used)


def run(prepared: Prepared[EvalConfig, Measuring]) -> Result:
    """Sample what is missing, measure, and write results.json and a Markdown table."""
    from facecond.io.files import atomic_write
    from facecond.io.results import write_results
    from facecond.measuring.evidence import Evidence, measure
    from facecond.reports.tables import report_markdown

    prepared.announce()
    config, found = prepared.config, prepared.found
    session = open_session(found, config, processes=prepared.processes)
    # Loaded before anything is sampled, so that a wrong one costs nothing.
    detectors = {kind: DETECTORS[kind].load(place, session.generator.device) for kind, place in found.detectors.items()}
    made = _samples(found, session)
    figures: list[Figure] = []

    def look() -> None:
        evidence = Evidence(made, session.pack, detectors, _round_trip(session), config.seed)
        figures.extend(measure(found.measures.values(), evidence))

    prepared.processes.first_does(look)
    for caution in dict.fromkeys(figure.caution for figure in figures if figure.caution):
        headings = ", ".join(figure.heading for figure in figures if figure.caution == caution)
        log.warning("warning: %s: %s", headings, caution)
    if not prepared.processes.first:  # it helped to sample
        return Result(command="eval", used=prepared.used)
    folder = Path(config.workspace) / "results" / prepared.name
    about = {"command": "eval", "used": prepared.used, "config": plain(config), "made_with": made.made_with}
    write_results(folder / "results.json", figures, about=about)
    with atomic_write(folder / "results.md") as temporary:
        temporary.write_text(report_markdown(figures, prepared.used), encoding="utf-8")
    files = {"results": folder / "results.json", "table": folder / "results.md", "samples": made.folder}
    return Result(command="eval", used=prepared.used, figures=figures, made=files)


def _check_measurable(measures: dict[str, Measure], origin: Origin) -> None:
    """Refuse what this model or this pack has nothing for."""
    from facecond.data.pack import Pack

    pack = Pack.open(origin.pack)
    for name, measure in measures.items():
        if measure.scores.condition is not None:
            pack.values(CONDITIONS[measure.scores.condition])
        if measure.scores.sets == (RECONSTRUCTIONS,) and str(origin.first_stage) == NO_FIRST_STAGE:
            raise ConfigError(
                f"{name}: {origin.run.path.name} has no first stage to reconstruct with", hint="measure something else"
            )


def _find_detectors(prepared: Prepared[EvalConfig, Origin], measures: dict[str, Measure]) -> dict[str, Path]:
    """The detectors that `measures` look with: named, or the ones made for this pack."""
    from facecond.data.pack import Pack

    found = {}
    for kind in dict.fromkeys(measure.scores.detector for measure in measures.values()):
        if kind is not None:
            chosen = DETECTORS[kind].find(prepared.config, Pack.open(prepared.found.pack))
            prepared.used[kind] = str(chosen)
            found[kind] = chosen.path
    return found


def _check_only_measuring(composed: Composed) -> None:
    """Refuse what decides how samples are made when they are there already."""
    for key in ("sampler", "guidance", "count", "precision"):
        if composed.given(key):
            raise ConfigError(
                f"{key} has no effect on samples that are there already", hint="leave it out, or leave out samples="
            )


def _samples_folder(config: EvalConfig) -> Path:
    for place in (Path(str(config.samples)), Path(config.workspace) / "samples" / str(config.samples)):
        if (place / "generation.json").is_file():
            return place
    raise DataError(
        f"{config.samples} is neither a folder of samples nor in {Path(config.workspace) / 'samples'}",
        hint="folders of samples are made by: facecond sample",
    )


def _samples(found: Measuring, session: Session[EvalConfig]) -> "Generation":
    """Sample the validation conditions, or open the samples named. Raises DataError for those of other weights."""
    from facecond.sampling.generation import open_generation
    from facecond.sampling.plans import Lazy, one_each

    if found.samples is None:
        count = min(session.config.count, len(session.pack.indices("validation")))
        return session.generate(one_each(Lazy(count, session.prompt), session.config.seed), found.folder)
    made = open_generation(found.samples)
    if made.made_with["weights"] != session.generator.sha256:
        raise DataError(
            f"{made.folder} was sampled from other weights than {found.weights}", hint="name that run: run=..."
        )
    return made


def _round_trip(session: Session[EvalConfig]) -> "Callable[[NDArray[np.uint8]], NDArray[np.uint8]]":
    """Pictures, uint8 (n, H, W, 3), to what the first stage makes of them."""
    import torch

    stage, device = session.generator.first_stage, session.generator.device

    def reconstruct(images_NHWC: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
        with torch.inference_mode():
            return stage.decode(stage.encode(torch.from_numpy(images_NHWC).to(device).permute(0, 3, 1, 2)))

    return reconstruct
