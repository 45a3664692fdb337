"""`facecond sample`: faces that obey conditions, with a labelled grid to look at."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facecond.assembly.session import Session, open_session
from facecond.commands.defaults import check_sampling, may_be_left_out
from facecond.commands.generate import digest, prepare_generation
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands import Grid, SampleConfig
from facecond.data.labelmaps import read_mask
from facecond.errors import ConfigError, DataError, nearest
from facecond.faces.attributes import attribute_index, format_attributes, parse_attributes
from facecond.workspace.find import RunInfo, find_run, read_run
from facecond.workspace.origin import Origin, origin_of, weights_file

log = logging.getLogger("facecond")

_DONORS = 1000
"""Training faces looked through, at most, for a part that an attribute asks for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling(Origin):
    """What samples come from, and the runs beside it."""

    compare: list[RunInfo]


def prepare(words: Sequence[str]) -> Prepared[SampleConfig, Sampling]:
    """Check everything that can be checked without loading a network."""
    prepared = prepare_generation("sample", words, _check_alone)
    config = prepared.config
    named = prepared.found.conditions
    for name in config.only:
        if name not in named:
            raise ConfigError(
                f"only={name}: the model of {prepared.name} has no such condition", hint=nearest(name, named)
            )
    for key, condition in (("attr", "attributes"), ("mask", "mask"), ("attribute_sets", "attributes")):
        if getattr(config, key) and condition not in named:
            raise ConfigError(
                f"{key} is given, but the model of {prepared.name} is not conditioned on {condition}",
                hint="name another run: run=...",
            )
    told = [name for name in named if not config.only or name in config.only]
    if _leaves_out(config, told, named) and not may_be_left_out(prepared.found.run.config["model"]):
        raise ConfigError(
            f"the model of {prepared.name} was always told everything, so no condition may be left out",
            hint="use the conditions of validation items (items=[0,1]), or train with model.condition_dropout=0.1",
        )
    for key, condition in (("attr", "attributes"), ("attribute_sets", "attributes"), ("mask", "mask")):
        if getattr(config, key) not in (None, []) and condition not in told:
            raise ConfigError(f"{key} is given, but only= leaves the {condition} out", hint="drop one of the two")
    compare = [read_run(find_run(config.workspace, name, "diffusion").path) for name in config.compare]
    folders = [prepared.found.run.path.name, *(info.path.name for info in compare)]
    if len(set(folders)) < len(folders):
        raise ConfigError(
            f"compare={config.compare}: two runs have the same name", hint="compare runs of different names"
        )
    for info in compare:
        weights_file(info)
        check_sampling(info.config["model"], config.sampler, config.guidance, info.path.name)
    if config.mask is not None:
        _, findings = read_mask(config.mask, prepared.found.run.content["resolution"])
        prepared.used["mask"] = f"{config.mask} ({'; '.join(findings) or 'nothing suspicious'})"
    name = config.name or f"{prepared.name}-{config.grid.name}-{digest(prepared)}"
    origin = prepared.found
    found = Sampling(
        run=origin.run, pack=origin.pack, weights=origin.weights, first_stage=origin.first_stage, compare=compare
    )
    return Prepared(composed=prepared.composed, name=name, found=found, used=prepared.used)


def _check_alone(config: SampleConfig) -> None:
    """Check what needs neither run nor pack."""
    for text in (config.attr, *config.attribute_sets):
        if text is not None:
            parse_attributes(text)
    if config.grid is Grid.attributes and not config.attribute_sets:
        raise ConfigError(
            "grid=attributes needs attribute sets", hint="for example 'attribute_sets=[+Smiling,+Eyeglasses]'"
        )
    if config.attribute_sets and config.grid is not Grid.attributes:
        raise ConfigError("attribute_sets belong to grid=attributes", hint="add grid=attributes, or use attr=")
    if config.samples > 1 and config.grid in (Grid.attributes, Grid.checkpoints):
        raise ConfigError(
            f"samples={config.samples} has no meaning for grid={config.grid.name}, which makes one picture per cell",
            hint="ask for more rows with count=",
        )
    if config.compare and config.grid is not Grid.checkpoints:
        raise ConfigError("compare belongs to grid=checkpoints", hint="add grid=checkpoints")
    if config.mask is not None and not Path(config.mask).is_file():
        raise DataError(f"{config.mask}: no such label map", hint="mask= takes a PNG whose pixel value is the class")
    if config.mask is not None and config.items:
        raise ConfigError("mask and items are both given", hint="items bring masks of their own; keep one of the two")


def run(prepared: Prepared[SampleConfig, Sampling]) -> Result:
    """Sample what is missing and draw the grid."""
    from facecond.io.images import write_png
    from facecond.reports import layouts

    prepared.announce()
    config = prepared.config
    if config.mask is not None and prepared.processes.first:
        for finding in read_mask(config.mask, prepared.found.run.content["resolution"])[1]:
            log.warning("%s: %s", config.mask, finding)
    folder = Path(config.workspace) / "samples" / prepared.name
    cell = 128 if prepared.found.run.content["resolution"] <= 128 else 256
    text = f"{prepared.found.run.path.name}: {prepared.used['sampler'].partition(' (')[0]}, seed {config.seed}"
    if config.grid is Grid.checkpoints:
        picture, count = _checkpoints(prepared, folder, layouts, text, cell)
    else:
        session = open_session(prepared.found, config, processes=prepared.processes)
        picture, count = _LAYOUTS[config.grid](session, folder, layouts, text, cell)
    grid = folder / "grid.png"
    if prepared.processes.first:
        write_png(grid, picture)
    return Result(
        command="sample",
        used=prepared.used,
        facts={"images": count},
        made={"grid": grid, "images": folder / "images", "records": folder / "records.jsonl"},
        next=[
            prepared.suggest(
                "eval miou accuracy attributes", run=config.run, pack=config.pack, first_stage=config.first_stage
            )
        ],
    )


def _is_by_hand(config: SampleConfig, names: Sequence[str]) -> bool:
    """Say whether the condition is what the person wrote, rather than that of validation items; `names`: what the model is told."""
    if config.items or not names:
        return not config.items
    return config.mask is not None or (
        config.attr is not None and (config.grid is not Grid.attributes or "mask" not in names)
    )


def _leaves_out(config: SampleConfig, told: Sequence[str], named: Sequence[str]) -> bool:
    """Say whether something a model conditioned on `named` could be told is left unsaid; `told`: what `only` keeps of it."""
    if len(told) < len(named):
        return True
    if not named or not _is_by_hand(config, told):
        return False
    attributes = parse_attributes(config.attr) if config.attr is not None else None
    unsaid = {"mask": config.mask is None, "attributes": attributes is None or not attributes.all()}
    return any(unsaid[name] for name in told)


def conditions(session: Session[SampleConfig]) -> list[Any]:
    """The conditions a person asked for, in order: of validation items, by hand, or one that says nothing."""
    config = session.config
    attributes = parse_attributes(config.attr) if config.attr is not None else None
    if not _is_by_hand(config, session.names):
        places = config.items or range(min(config.count, len(session.pack.indices("validation"))))
        return [_of_item(session, place, attributes) for place in places]
    return [_by_hand(session, config, attributes)] * config.count


def _of_item(session: Session[SampleConfig], place: int, named: Any) -> Any:
    """The condition of a validation item with `named` attributes changed, and its map made to agree with them."""
    import numpy as np

    from facecond.editing import agree

    config = session.config
    condition = session.condition(place, named)
    if named is None or condition.labels is None or not config.adapt_masks:
        return condition
    pack, labels, notes = session.pack, condition.labels, []
    training = pack.indices("train")
    for name in agree.contradicted(labels, named):
        sign = int(named[attribute_index(name)])
        likely = training[np.asarray(pack.attributes)[training, attribute_index(name)] == sign]
        likely = likely[:: -(-len(likely) // _DONORS) or 1]
        maps = np.asarray(pack.labels[likely])
        fit = agree.agreeing(labels, maps, np.asarray(pack.attributes[likely]), name, sign)
        if len(fit) == 0:
            log.info("item %d keeps its map: no training face can give it %s%s", place, "-0+"[sign + 1], name)
            continue
        donor = fit[agree.most_similar(labels, maps[fit])]
        labels = agree.take_part(labels, maps[donor], name)
        notes.append(f"{agree.PARTS[name].shown_by} as in {pack.ids[likely[donor]]}")
    for name in agree.contradicted(labels, named) if notes else ():
        log.info("item %d: its map still denies %s", place, name)
    if not notes:
        return condition
    words = {"mask": ", ".join([f"validation item {place}", *notes])}
    return dataclasses.replace(condition, labels=labels, description={**condition.description, **words})


def _by_hand(session: Session[SampleConfig], config: SampleConfig, attributes: Any) -> Any:
    from facecond.sampling.plans import Condition

    description, labels = {}, None
    if config.mask is not None:
        labels, _ = read_mask(config.mask, session.generator.resolution)
        description["mask"] = config.mask
    if attributes is not None:
        description["attributes"] = format_attributes(attributes)
    return Condition(labels=labels, attributes=attributes, description=description)


def _rows(session: Session[SampleConfig], folder: Path, layouts: Any, text: str, cell: int) -> tuple[Any, int]:
    """A row for each condition: real picture, map, samples."""
    from facecond.sampling.plans import one_each, several

    config = session.config
    asked = conditions(session)
    plan = several(asked, config.samples, config.seed) if config.samples > 1 else one_each(asked, config.seed)
    made = session.generate(plan, folder)
    if not config.items and (config.mask or config.attr or not session.names):
        shown = [_shown(session, asked[0], list(made.images))]
    else:
        shown = [
            _shown(session, condition, list(made.images[row * config.samples : (row + 1) * config.samples]))
            for row, condition in enumerate(asked[:24])
        ]
    return layouts.samples_figure(shown, title="Samples beside their conditions", text=text, cell=cell), len(plan)


def _variations(session: Session[SampleConfig], folder: Path, layouts: Any, text: str, cell: int) -> tuple[Any, int]:
    """Many samples of each condition (the paper shows ten)."""
    from facecond.sampling.plans import several

    config = session.config
    samples = config.samples if config.samples > 1 else 10
    asked = conditions(session)
    made = session.generate(several(asked, samples, config.seed), folder)
    shown = [
        _shown(session, condition, list(made.images[row * samples : (row + 1) * samples]))
        for row, condition in enumerate(asked)
    ]
    return layouts.samples_figure(shown, title="Several samples of one condition", text=text, cell=cell), len(
        made.images
    )


def _attributes(session: Session[SampleConfig], folder: Path, layouts: Any, text: str, cell: int) -> tuple[Any, int]:
    """Same noise in a row, an attribute set in each column; the map shown is that of the row's first picture."""
    import numpy as np

    from facecond.sampling.plans import same_noise

    config = session.config
    base = parse_attributes(config.attr) if config.attr is not None else np.zeros(40, dtype=np.int8)
    sets = [np.where(named != 0, named, base) for named in map(parse_attributes, config.attribute_sets)]
    by_hand = _is_by_hand(config, session.names)
    held_out = len(session.pack.indices("validation"))
    rows = config.items or list(range(config.count if by_hand else min(config.count, held_out)))
    columns = [config.attr or ("nothing said" if by_hand else "as it is"), *config.attribute_sets]
    table = [
        [_by_hand(session, config, named) if by_hand else _of_item(session, place, named) for named in [base, *sets]]
        for place in rows
    ]
    plan = same_noise(table, config.seed)
    made = session.generate(plan, folder)
    labels = (
        None
        if plan[0].condition.labels is None
        else [plan[row * len(columns)].condition.labels for row in range(len(rows))]
    )
    pictures = [list(made.images[row * len(columns) : (row + 1) * len(columns)]) for row in range(len(rows))]
    return layouts.attribute_figure(pictures, columns, labels=labels, text=text, cell=cell), len(plan)


def _checkpoints(
    prepared: Prepared[SampleConfig, Sampling], folder: Path, layouts: Any, text: str, cell: int
) -> tuple[Any, int]:
    """Same noise and conditions for the snapshots of one run, or of several above one another."""
    from facecond.sampling.plans import one_each

    config = prepared.config
    runs = [prepared.found.run, *prepared.found.compare]
    columns = {info.path.name: _checkpoint_files(info) for info in runs}
    names = list(next(iter(columns.values())))
    for name, files in columns.items():
        if list(files) != names:
            raise DataError(
                f"{name} has snapshots at {', '.join(files)}, {next(iter(columns))} at {', '.join(names)}",
                hint="compare runs trained with the same trainer.images and trainer.snapshot_every",
            )
    pictures: dict[str, list[list[Any]]] = {}
    count = 0
    for info in runs:
        same = info.first_stage == prepared.found.run.first_stage
        origin = origin_of(info, prepared.found.pack, config.workspace, config.first_stage if same else None)
        by_checkpoint = []
        for file in columns[info.path.name].values():
            session = open_session(origin, config, weights=file, processes=prepared.processes)
            made = session.generate(
                one_each(conditions(session), config.seed), folder / info.path.name / file.stem, file.stem
            )
            by_checkpoint.append(list(made.images))
            count += len(made.images)
        pictures[info.path.name] = [list(row) for row in zip(*by_checkpoint, strict=True)]
    return layouts.checkpoint_figure(pictures, names, text=text, cell=cell), count


def _checkpoint_files(info: RunInfo) -> dict[str, Path]:
    """Weights kept on the way and at the end, under their headings. Raises DataError when there are none on the way."""
    snapshots = sorted((info.path / "snapshots").glob("*.safetensors"))
    if not snapshots:
        raise DataError(f"{info.path} has no snapshots", hint="train with trainer.snapshot_every=IMAGES")
    named = {f"{int(file.stem):,} images".replace(",", " "): file for file in snapshots}
    return named | {"end": info.path / "weights.safetensors"}


def _shown(session: Session[SampleConfig], condition: Any, samples: list[Any]) -> Any:
    from facecond.reports.layouts import Shown

    image = None
    if condition.source is not None:
        image = session.pack.images[session.pack.index_of(condition.source)]
    words = condition.description.get("attributes", "") if condition.source is None else condition.source
    return Shown(name=words, image=image, labels=condition.labels, samples=samples)


_LAYOUTS = {Grid.conditions: _rows, Grid.variations: _variations, Grid.attributes: _attributes}
