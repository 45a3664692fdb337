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
from facecond.measuring.measure import RECONSTRUCTIONS, VARIATIONS, Measure, Source
from facecond.measuring.table import DETECTORS, measures_named
from facecond.pretrained.published import UnavailableError
from facecond.sampling.folder import read_manifest
from facecond.workspace.find import Found
from facecond.workspace.origin import Origin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.conditions.condition import Condition
    from facecond.data.pack import Pack
    from facecond.measuring.measure import Detector
    from facecond.sampling.generation import Generation

log = logging.getLogger("facecond")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measuring(Origin):
    """What samples come from, what is measured, and with what."""

    measures: dict[str, Measure]
    detectors: dict[str, list[tuple[Source, Found]]]
    """What may serve as each detector that is needed, first what to try first."""
    samples: Path | None
    """Samples that are there already."""
    folder: Path
    """Where the samples are, or will be."""
    varied: Path
    """Where several samples of each of some conditions are, or will be."""


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
    folders = [samples or _folder(prepared, *grid) for grid in (("conditions", 1), ("variations", config.variations))]
    hashes = {kind: _identity(candidates[0][1].path) for kind, candidates in detectors.items()}
    settings = [config.count, config.conditions if _varies(measures) else 0, config.mode.name, config.seed]
    name = f"{prepared.name}-eval-{short_hash([*map(str, folders), settings, list(measures), hashes])}"
    measuring = Measuring(
        run=origin.run, pack=origin.pack, weights=origin.weights, first_stage=origin.first_stage,
        measures=measures, detectors=detectors, samples=samples, folder=folders[0], varied=folders[1],
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
    detectors = {kind: _load(candidates, session) for kind, candidates in found.detectors.items()}
    made = _samples(found, session)
    varied = _variations(found, session) if _varies(found.measures) and found.samples is None else None
    figures: list[Figure] = []

    def look() -> None:
        evidence = Evidence(
            made, session.pack, detectors, _round_trip(session), session.generator.first_stage.sha256, config.seed,
            variations=varied, kept=Path(config.workspace) / "features",
        )  # fmt: skip
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
            _check_said(CONDITIONS[measure.scores.condition], pack, name)
        if measure.scores.sets == (RECONSTRUCTIONS,) and str(origin.first_stage) == NO_FIRST_STAGE:
            raise ConfigError(
                f"{name}: {origin.run.path.name} has no first stage to reconstruct with", hint="measure something else"
            )


def _check_said(condition: "Condition", pack: "Pack", name: str) -> None:
    """Refuse a pack whose validation items say nothing of what is measured."""
    import torch

    items = pack.indices("validation")
    values = pack.values(condition)
    if not any(
        condition.says_something(torch.from_numpy(values[items[i : i + 256]])).any() for i in range(0, len(items), 256)
    ):
        raise DataError(
            f"{name}: the validation items of {pack.path} say nothing of {condition.unsaid}",
            hint="choose another pack: pack=...",
        )


def _find_detectors(
    prepared: Prepared[EvalConfig, Origin], measures: dict[str, Measure]
) -> dict[str, list[tuple[Source, Found]]]:
    """The detectors that `measures` look with: named, made for this pack, or published."""
    from facecond.data.pack import Pack

    found = {}
    for kind in dict.fromkeys(measure.scores.detector for measure in measures.values()):
        if kind is not None:
            found[kind] = DETECTORS[kind].candidates(prepared.config, Pack.open(prepared.found.pack))
            prepared.used[kind] = str(found[kind][0][1])
    return found


def _load(candidates: Sequence[tuple[Source, Found]], session: Session[EvalConfig]) -> "Detector":
    """The first of the candidates that can be had. Raises UnavailableError when none can."""
    reasons: list[UnavailableError] = []
    for source, found in candidates:
        try:
            detector = source.load(found.path, session.config, session.generator.device)
        except UnavailableError as reason:
            reasons.append(reason)
        else:
            for missing in reasons:
                log.warning("warning: %s; measured in the features of %s, under other names", missing, detector.name)
            return detector
    raise reasons[0]


def _identity(place: Path) -> str:
    """What tells weights from others: their SHA-256, or, while they are not here, the file they will be."""
    file = place / "weights.safetensors" if place.is_dir() else place
    return sha256_file(file) if file.is_file() else file.name


def _varies(measures: dict[str, Measure]) -> bool:
    """Whether several samples of one condition are looked at."""
    return any(VARIATIONS in measure.scores.sets for measure in measures.values())


def _folder(prepared: Prepared[EvalConfig, Origin], grid: str, samples: int) -> Path:
    """Where `samples` samples of each validation condition are kept; `facecond sample` keeps them there too."""
    origin, config = prepared.found, prepared.config
    key = generation_key(origin, config, items_plan(origin) | {"told": origin.conditions, "samples": samples})
    return Path(config.workspace) / "samples" / f"{prepared.name}-{grid}-{key}"


def _check_only_measuring(composed: Composed) -> None:
    """Refuse what decides how samples are made when they are there already."""
    for key in ("sampler", "guidance", "count", "precision", "conditions", "variations"):
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
    if made.about.get("pack", session.identity) != session.identity:
        raise DataError(
            f"{made.folder} has the conditions of another pack than {session.pack.path}",
            hint="name that pack: pack=...",
        )
    return made


def _variations(found: Measuring, session: Session[EvalConfig]) -> "Generation":
    """Sample several pictures of each of the first validation conditions."""
    from facecond.sampling.plans import Lazy, several

    config = session.config
    count = min(config.conditions, len(session.pack.indices("validation")))
    return session.generate(several(Lazy(count, session.prompt), config.variations, config.seed), found.varied)


def _round_trip(session: Session[EvalConfig]) -> "Callable[[NDArray[np.uint8]], NDArray[np.uint8]]":
    """Pictures, uint8 (n, H, W, 3), to what the first stage makes of them."""
    import torch

    stage, device = session.generator.first_stage, session.generator.device

    def reconstruct(images_NHWC: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
        with torch.inference_mode():
            return stage.decode(stage.encode(torch.from_numpy(images_NHWC).to(device).permute(0, 3, 1, 2)))

    return reconstruct
