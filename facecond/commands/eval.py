"""`facecond eval`: how well samples obey their conditions and resemble real pictures, beside the ceiling and the floor."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands.evidence import Measuring, load_evidence, pictures_in, readers
from facecond.commands.prepared import Prepared, prepare_generation
from facecond.commands.result import Result
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.commands.evaluate import EvalConfig
from facecond.config.commands.sample import Grid
from facecond.config.compose import Composed, compose
from facecond.config.settings import plain
from facecond.errors import ConfigError, DataError, nearest
from facecond.io.results import Figure
from facecond.measuring.detectors import Candidates, find_detectors, identity
from facecond.measuring.measure import RECONSTRUCTIONS, REFERENCE, SAMPLES, VARIATIONS, Measure
from facecond.measuring.table import MEASURES, measures_named
from facecond.sampling.folder import RecordIndex, read_manifest
from facecond.workspace.find import bundled_pack, find_pack
from facecond.workspace.names import generation_name
from facecond.workspace.origin import (
    Origin,
    at_snapshot,
    generation_key,
    how_sampled,
    items_plan,
    short_hash,
    told_items,
)

if TYPE_CHECKING:
    from facecond.conditions.condition import Condition
    from facecond.data.pack import Pack

log = logging.getLogger("facecond")

_DECIDE_SAMPLES = ("count", "conditions", "variations", "snapshot", "noisy")
"""Keys of eval's own that have no meaning for pictures that are there already."""


def prepare(words: Sequence[str]) -> Prepared[EvalConfig, Measuring]:
    """Check the measures first; find run, samples and detectors."""
    from facecond.data.pack import Pack

    composed = compose("eval", words)
    typed: EvalConfig = composed.config
    measures = measures_named(typed.measures)
    for key, file, name in (("features", "inception", "inception"), ("perceptual", "lpips_trunk", "lpips")):
        choice = getattr(typed, key)
        if getattr(typed, file) is not None and choice is not None and choice.name != name:
            raise ConfigError(f"{file} has no effect with {key}={choice.name}", hint="leave one of them out")
    if typed.reference is not None:
        return _prepare_folders(composed, measures)
    samples, made_with, told = None, None, {}
    if typed.samples is not None and (pack := _pack(typed)) is not None:
        return _prepare_pack(composed, measures, pack)
    if typed.samples is not None:
        _check_only_measuring(composed)
        samples = _samples_folder(typed)
        manifest = read_manifest(samples)
        made_with, told = manifest["made_with"], manifest["about"].get("noisy", {})
    prepared = prepare_generation("eval", words, made_with=made_with)
    config = prepared.config
    if config.snapshot is not None:
        prepared.found = at_snapshot(prepared.found, config.snapshot)
        prepared.used["snapshot"] = f"after {config.snapshot} images (named)"
    origin = prepared.found
    measures, detectors = _find(measures, config, prepared.used, Pack.open(origin.pack), origin)
    if samples is not None:
        prepared.used["samples"] = f"{samples} (named)"
        prepared.used |= {f"noisy {name}": _as_read(judge) for name, judge in told.items()}
    seen_by = {name: identity(detectors[kind]) for name, kind in readers(config.noisy).items()}
    folders = {
        SAMPLES: samples or _folder(prepared, 1, seen_by),
        VARIATIONS: samples or _folder(prepared, config.variations, seen_by),
    }
    found = Measuring(measures=measures, detectors=detectors, samples=samples, origin=origin, folders=folders)
    counts = [config.count, config.conditions if found.looks_at(VARIATIONS) else 0]
    name = _name(prepared.name, measures, detectors, config, [*map(str, folders.values()), counts, str(origin.pack)])
    return Prepared(composed=prepared.composed, name=name, found=found, used=prepared.used)


def _prepare_pack(composed: Composed, measures: dict[str, Measure], pack: Path) -> Prepared[EvalConfig, Measuring]:
    """Find what looks at a pack's own pictures; what is measured is how well judges see what the pack says of them."""
    config: EvalConfig = composed.config
    _refuse_sampling(composed, "for a pack's own pictures", "samples=", but=("count",))
    fit = [name for name, each in MEASURES.items() if each.scores.condition is not None]
    for name in measures:
        if name not in fit:
            elsewhere = ", or name what they are compared with: reference=" if name in _of_folders() else ""
            raise ConfigError(
                f"{name} of a pack's own pictures says nothing", hint=f"measure {', '.join(fit)}{elsewhere}"
            )
    from facecond.data.pack import Pack

    opened = Pack.open(pack)
    if (held_out := len(opened.indices("validation"))) < 2:
        raise DataError(
            f"{pack}: the validation split holds {held_out} picture{'' if held_out == 1 else 's'}",
            hint="the floor needs the conditions of others",
        )
    used = {SAMPLES: f"the pictures of {pack} (named)"}
    measures, detectors = _find(measures, config, used, opened)
    name = _name(pack.name, measures, detectors, config, [str(pack.resolve()), config.count])
    found = Measuring(measures=measures, detectors=detectors, samples=pack, pack=pack, folders={SAMPLES: pack})
    return Prepared(composed=composed, name=name, found=found, used=used)


def _of_folders() -> list[str]:
    """The measures that can be had of two folders of pictures."""
    return [name for name, each in MEASURES.items() if _without_conditions(each) and each.scores.sets[0] == SAMPLES]


def _refuse_sampling(composed: Composed, what: str, key: str, but: Sequence[str] = ()) -> None:
    """Refuse what has to do with models where pictures are there; `key` says so."""
    for name in ("run", "pack", "first_stage", "sampler", "guidance", "precision", "capture", *_DECIDE_SAMPLES):
        if composed.given(name) and name not in but:
            raise ConfigError(f"{name} has no meaning {what}", hint=f"leave it out, or leave out {key}")


def _prepare_folders(composed: Composed, measures: dict[str, Measure]) -> Prepared[EvalConfig, Measuring]:
    """Find two folders of pictures from anywhere; only measures that need no conditions can be had of them."""
    config: EvalConfig = composed.config
    _refuse_sampling(composed, "for folders of pictures", "reference=")
    fit = _of_folders()
    for name in measures:
        if name not in fit:
            raise ConfigError(
                f"{name} cannot be measured on folders of pictures alone", hint=f"measure {', '.join(fit)}"
            )
    if config.samples is None:
        raise ConfigError(
            "reference= is given without samples=", hint="name the folder of pictures to measure: samples=DIR"
        )
    folders = {
        SAMPLES: _pictures_folder(config.samples, config.workspace),
        REFERENCE: _pictures_folder(str(config.reference), config.workspace),
    }
    used = {which: f"{folder} (named)" for which, folder in folders.items()}
    measures, detectors = _find(measures, config, used)
    name = _name(folders[SAMPLES].name, measures, detectors, config, [str(each.resolve()) for each in folders.values()])
    found = Measuring(measures=measures, detectors=detectors, samples=folders[SAMPLES], folders=folders)
    return Prepared(composed=composed, name=name, found=found, used=used)


def _find(
    measures: dict[str, Measure],
    config: EvalConfig,
    used: dict[str, str],
    pack: "Pack | None" = None,
    origin: Origin | None = None,
) -> tuple[dict[str, Measure], dict[str, Candidates]]:
    """Check that everything can be measured; find the detectors and note them in `used`. Return the measures that they serve.

    `pack` is that behind the pictures, `origin` what samples come from; none = pictures from anywhere.
    """
    for name in config.noisy:
        if origin is not None and name not in origin.conditions:
            raise ConfigError(
                f"noisy={name}: {origin.run.path.name} is not conditioned on it", hint=nearest(name, origin.conditions)
            )
    for name, measure in measures.items():
        if origin is not None and not origin.conditions and not _without_conditions(measure):
            raise ConfigError(
                f"{name} cannot be measured of {origin.run.path.name}, which is told no condition",
                hint=f"measure {', '.join(each for each in MEASURES if _without_conditions(MEASURES[each]))}",
            )
        if measure.scores.condition is not None and pack is not None:
            _check_said(CONDITIONS[measure.scores.condition], pack, name)
        if (
            measure.scores.sets[0] == RECONSTRUCTIONS
            and origin is not None
            and str(origin.first_stage) == NO_FIRST_STAGE
        ):
            raise ConfigError(
                f"{name}: {origin.run.path.name} has no first stage to reconstruct with", hint="measure something else"
            )
    measures, detectors = find_detectors(measures, config, pack, also=readers(config.noisy).values())
    used |= {kind: str(candidates[0][1]) for kind, candidates in detectors.items()}
    used |= {f"noisy {name}": _as_read(f"the {kind}") for name, kind in readers(config.noisy).items()}
    return measures, detectors


def _as_read(judge: str) -> str:
    """What a model is told of a noisy condition, in words."""
    return f"told as {judge} reads it off the real pictures"


def run(prepared: Prepared[EvalConfig, Measuring]) -> Result:
    """Sample what is missing, measure, and write the results."""
    figures, made_with = measured(prepared)
    if not prepared.processes.first:  # it helped
        return Result(command="eval", used=prepared.used)
    made = write_figures(prepared, figures, "eval", {"made_with": made_with})
    found = prepared.found
    if found.samples is None:
        sampled = [found.folders[which] for which in (SAMPLES, VARIATIONS) if found.looks_at(which)]
        made |= zip(("samples", "variations"), sampled, strict=False)
    return Result(command="eval", used=prepared.used, figures=figures, made=made)


def measured(prepared: Prepared[EvalConfig, Measuring]) -> tuple[list[Figure], dict[str, Any]]:
    """Sample what is missing and measure; return the figures, none in a process that only helped, and what made the samples."""
    from facecond.measuring.evidence import measure

    prepared.announce()
    evidence, made_with = load_evidence(prepared)
    figures = measure(prepared.found.measures, evidence, prepared.processes)
    for caution in dict.fromkeys(each for figure in figures for each in figure.cautions):
        headings = ", ".join(figure.heading for figure in figures if caution in figure.cautions)
        log.warning("warning: %s: %s", headings, caution)
    return figures, made_with


def write_figures(
    prepared: Prepared[Any, Any], figures: list[Figure], command: str, about: dict[str, Any]
) -> dict[str, Path]:
    """Write results.json and tables of it (Markdown, CSV, LaTeX) into a folder of WORKSPACE/results; return all."""
    from facecond.io.files import atomic_write
    from facecond.io.results import write_results
    from facecond.reports.tables import report_markdown, results_csv, results_tex

    folder = Path(prepared.config.workspace) / "results" / prepared.name
    about = {"command": command, "used": prepared.used, "config": plain(prepared.config), **about}
    write_results(folder / "results.json", figures, about=about)
    texts = {
        "table": ("results.md", report_markdown(figures, prepared.used)),
        "csv": ("results.csv", results_csv(figures)),
        "latex": ("results.tex", results_tex(figures)),
    }
    for file, text in texts.values():
        with atomic_write(folder / file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    return {"results": folder / "results.json"} | {name: folder / file for name, (file, _) in texts.items()}


def _name(
    of: str, measures: dict[str, Measure], detectors: dict[str, Candidates], config: EvalConfig, more: list[Any]
) -> str:
    """Name of the results: two have one name when they measure the same in the same way."""
    hashes = {kind: identity(candidates) for kind, candidates in detectors.items()}
    return f"{of}-eval-{short_hash([list(measures), hashes, config.mode.name, config.seed, *more])}"


def _check_said(condition: "Condition", pack: "Pack", name: str) -> None:
    """Refuse a pack whose validation items say nothing of what is measured, or something that cannot be said of it."""
    import numpy as np
    import torch

    items, values, said = pack.indices("validation"), pack.values(condition), False
    for start in range(0, len(items), 256):
        some = items[start : start + 256]
        piece = np.asarray(values[some])
        wrong = ~np.isin(piece, condition.column.entries)
        if wrong.any():
            item = some[wrong.reshape(len(some), -1).any(axis=1).argmax()]
            raise DataError(
                f"{pack.path / condition.column.name}.npy: {condition.name} of item {pack.ids[item]} holds {piece[wrong][0]}",
                hint=f"expected {', '.join(map(str, condition.column.entries))}; pack again",
            )
        said = said or bool(condition.says_something(torch.from_numpy(piece)).any())
    if not said:
        raise DataError(
            f"{name}: no validation item of {pack.path} says anything of the {condition.name}",
            hint="choose another pack: pack=...",
        )


def _without_conditions(measure: Measure) -> bool:
    """Whether a measure needs no conditions behind the samples."""
    return measure.scores.condition is None and VARIATIONS not in measure.scores.sets


def _folder(prepared: Prepared[EvalConfig, Origin], samples: int, seen_by: Mapping[str, str] | None = None) -> Path:
    """Where `samples` samples of each validation condition are kept; `facecond sample` keeps them there too.

    `seen_by` tells apart conditions as judges see them: condition -> what names the judge.
    """
    origin, config = prepared.found, prepared.config
    plan = items_plan(origin) if origin.conditions else {}
    plan |= {"told": origin.conditions, "samples": samples}
    key = generation_key(origin, config, plan | ({"seen_by": dict(seen_by)} if seen_by else {}))
    told = [Grid.variations.name] if samples > 1 else []
    told += told_items(conditions=origin.conditions)
    told += [f"noisy-{name}" for name in config.noisy]
    told += [f"snapshot{config.snapshot}"] if config.snapshot is not None else []
    place = Path(config.workspace) / "samples"
    return place / generation_name(place, prepared.name, [*told, *how_sampled(origin.run, config)], key)


def _check_only_measuring(composed: Composed) -> None:
    """Refuse what decides how samples are made when they are there already."""
    for key in ("sampler", "guidance", "precision", "capture", *_DECIDE_SAMPLES):
        if composed.given(key):
            raise ConfigError(
                f"{key} has no effect on samples that are there already", hint="leave it out, or leave out samples="
            )


def _pack(config: EvalConfig) -> Path | None:
    """The pack that `samples` names; None when it names samples."""
    named = str(config.samples)
    places = (Path(named), Path(config.workspace) / "samples" / named)
    if any((place / "generation.json").is_file() for place in places):
        return None
    packs = (Path(named), Path(config.workspace) / "packs" / named)
    if any((place / "manifest.json").is_file() for place in packs) or bundled_pack(named):
        return find_pack(config.workspace, named).path
    return None


def _samples_folder(config: EvalConfig) -> Path:
    for place in (Path(str(config.samples)), Path(config.workspace) / "samples" / str(config.samples)):
        if (place / "generation.json").is_file():
            return place
    raise DataError(
        f"{config.samples} is neither a folder of samples nor in {Path(config.workspace) / 'samples'}, nor a pack",
        hint="folders of samples are made by: facecond sample; folders of other pictures take reference=DIR beside",
    )


def _pictures_folder(named: str, workspace: str) -> Path:
    """A folder of pictures, of a generation or of a pack, or the name of a pack; looked at, so that a wrong one costs nothing.

    Raises DataError for a generation that lacks images.
    """
    places = (Path(named), Path(workspace) / "packs" / named)
    folder = next((place for place in places if place.is_dir()), places[0])
    made = folder.parent if folder.name == "images" else folder
    if (made / "generation.json").is_file():
        count, there = read_manifest(made)["count"], len(RecordIndex(made))
        if there < count:
            raise DataError(
                f"{made} lacks {count - there} of {count} images", hint="run the command that made it again to continue"
            )
        folder = made / "images"
    pictures_in(folder)
    return folder
