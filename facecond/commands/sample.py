"""`facecond sample`: faces that obey conditions, with a labelled grid to look at."""

import logging
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facecond.assembly.session import Session, open_session
from facecond.commands.prepared import Prepared, prepare_generation
from facecond.commands.result import Result
from facecond.commands.uses import measuring
from facecond.conditions.attributes import Attributes
from facecond.conditions.condition import Condition
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS, pictures_of
from facecond.config.commands.base import NO_MAPS
from facecond.config.commands.sample import Grid, SampleConfig
from facecond.editing.agree import PART_OF
from facecond.errors import ConfigError, DataError, nearest
from facecond.faces.attributes import attribute_index
from facecond.faces.names import NUM_CLASSES
from facecond.io.files import sha256_file
from facecond.io.runs import WEIGHTS
from facecond.quantities import grouped
from facecond.sampling.plans import Lazy, Prompt
from facecond.workspace.find import RunInfo, find_run, read_run
from facecond.workspace.names import generation_name
from facecond.workspace.origin import (
    DrawnBy,
    Origin,
    check_sampling,
    find_maps,
    generation_key,
    how_sampled,
    items_plan,
    model_of,
    origin_of,
    told_items,
    weights_file,
)

log = logging.getLogger("facecond")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling(Origin):
    """What samples come from, and the runs beside it."""

    compare: list[RunInfo]
    maps: RunInfo | None
    """Draws the label maps that are not given."""


def prepare(words: Sequence[str]) -> Prepared[SampleConfig, Sampling]:
    """Check everything that can be checked without loading a network."""
    prepared = prepare_generation("sample", words, _check_alone)
    config = prepared.config
    if config.items and prepared.composed.given("count"):
        raise ConfigError(
            f"count={config.count} has no effect beside items={config.items}",
            hint="each item named is one condition; samples=3 makes three pictures of each",
        )
    named = prepared.found.conditions
    for name in config.only:
        if name not in named:
            raise ConfigError(
                f"only={name}: the model of {prepared.name} has no such condition", hint=nearest(name, named)
            )
    typed = {CONDITIONS[name].word: name for name in config.given()}
    if config.attribute_sets:
        typed["attribute_sets"] = next((name for name in named if CONDITIONS[name].changes_items), "")
    for word, name in typed.items():
        if name not in named:
            raise ConfigError(
                f"{word} is given, but the model of {prepared.name} is not conditioned on {name or 'what it changes'}",
                hint="name another run: run=...",
            )
    told = [name for name in named if not config.only or name in config.only]
    if _leaves_out(config, told, named) and not model_of(prepared.found.run).optional:
        raise ConfigError(
            f"the model of {prepared.name} was always told everything, so no condition may be left out",
            hint="use the conditions of validation items (items=[0,1]), or train with model.condition_dropout=0.1",
        )
    for word, name in typed.items():
        if name not in told:
            raise ConfigError(f"{word} is given, but only= leaves the {name} out", hint="drop one of the two")
    compare = [read_run(find_run(config.workspace, name, "diffusion").path) for name in config.compare]
    folders = [prepared.found.run.path.name, *(info.path.name for info in compare)]
    if len(set(folders)) < len(folders):
        raise ConfigError(
            f"compare={config.compare}: two runs have the same name", hint="compare runs of different names"
        )
    for info in compare:
        weights_file(info)
        check_sampling(model_of(info), config.sampler, config.guidance, info.path.name)
    for name, text in config.given().items():
        findings = CONDITIONS[name].findings(text, prepared.found.run.content["resolution"])
        if findings is not None:
            prepared.used[CONDITIONS[name].word] = f"{text} ({'; '.join(findings) or 'nothing suspicious'})"
    origin = prepared.found
    drawn_by = _maps(origin.run, origin.own_pack, config)
    if drawn_by is not None:
        prepared.used["maps"] = f"{drawn_by}: what is left open is drawn"
    maps = drawn_by.run if drawn_by else None
    name = config.name or _folder_name(origin, config, maps)
    found = Sampling(
        run=origin.run,
        own_pack=origin.own_pack,
        weights=origin.weights,
        first_stage=origin.first_stage,
        compare=compare,
        maps=maps,
    )
    return Prepared(composed=prepared.composed, name=name, found=found, used=prepared.used)


def _maps(run: RunInfo, pack: Path | None, config: SampleConfig) -> DrawnBy | None:
    """The run that draws the maps of pictures; None where all are given whole. An item's map is taken as it is."""
    told = [name for name in run.config["model"]["conditions"] if not config.only or name in config.only]
    if config.maps is None and Mask.name in told:
        if not _is_by_hand(config, told):
            return None
        text = config.given().get(Mask.name)
        if text is not None and (CONDITIONS[Mask.name].read(text, run.content["resolution"]) < NUM_CLASSES).all():
            return None
    return find_maps(config.workspace, config.maps, run, pack)


def hardly_followed(prepared: Prepared[SampleConfig, Sampling]) -> list[str]:
    """Attributes asked for by hand that a class of the map shows, where the model could be told a map and is told none."""
    config, found = prepared.config, prepared.found
    texts = [*config.attribute_sets, *(text for name, text in config.given().items() if name == Attributes.name)]
    told = [name for name in found.conditions if not config.only or name in config.only]
    if found.maps is not None or Mask.name not in found.conditions or Attributes.name not in told:
        return []
    if Mask.name in told and (Mask.name in config.given() or not _is_by_hand(config, told)):
        return []
    asked = [CONDITIONS[Attributes.name].read(text, found.run.content["resolution"]) for text in texts]
    return [name for name in PART_OF if any(values[attribute_index(name)] > 0 for values in asked)]


def _folder_name(origin: Origin, config: SampleConfig, maps: RunInfo | None) -> str:
    """Name of a generation: two have one name when their pictures are decided by the same, however many are asked for."""
    told = [name for name in origin.conditions if not config.only or name in config.only]
    plan: dict[str, Any] = {"told": told, "samples": _samples(config)}
    if config.given():
        plan["given"] = {name: CONDITIONS[name].identify(text) for name, text in config.given().items()}
    if config.attribute_sets:
        plan["sets"] = [_changing(CONDITIONS).identify(text) for text in config.attribute_sets]
    if not _is_by_hand(config, told):
        plan |= items_plan(origin, config.items)
        if config.given() or config.attribute_sets:
            plan["adapt_masks"] = config.adapt_masks
    if maps is not None:
        drawn = {key: maps.config[key] for key in ("sampler", "guidance")}
        plan["maps"] = {"weights": sha256_file(weights_file(maps)), **drawn}
    key = generation_key(origin, config, plan)
    pieces = [*_told(origin, config, told), *how_sampled(origin.run, config)]
    several = config.grid is Grid.checkpoints
    place = Path(config.workspace) / "samples"
    return generation_name(place, origin.run.path.name, pieces, key, checkpoints=several)


def _told(origin: Origin, config: SampleConfig, told: Sequence[str]) -> list[str]:
    """Pieces of a generation's name: how its pictures belong together, and what they were told."""
    grid = Grid.variations if _samples(config) > 1 else config.grid
    pieces = [] if grid is Grid.conditions else [grid.name]
    if not _is_by_hand(config, told):
        pieces += told_items(config.items, conditions=told)
    elif not told:
        pieces += told_items(conditions=told)
    for name, text in config.given().items():
        pieces += CONDITIONS[name].short(text)
    for text in config.attribute_sets:
        pieces += _changing(CONDITIONS).short(text)
    pieces += ["only", *told] if len(told) < len(origin.conditions) else []
    drawn = config.maps == NO_MAPS and Mask.name in told and _is_by_hand(config, told)
    return pieces + (["maps", NO_MAPS] if drawn else [])


def _samples(config: SampleConfig) -> int:
    """Samples of each condition (the paper shows ten variations)."""
    return 10 if config.grid is Grid.variations and config.samples == 1 else config.samples


def _check_alone(config: SampleConfig) -> None:
    """Check what needs neither run nor pack."""
    for name, text in config.given().items():
        CONDITIONS[name].check(text)
        if config.items and not CONDITIONS[name].changes_items:
            word = CONDITIONS[name].word
            raise ConfigError(f"{word} and items are both given", hint=f"items bring a {name} of their own; keep one")
    for text in config.attribute_sets:
        _changing(CONDITIONS).check(text)
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


def run(prepared: Prepared[SampleConfig, Sampling]) -> Result:
    """Sample what is missing and draw the grid."""
    from facecond.io.images import write_png
    from facecond.reports import layouts

    prepared.announce()
    config = prepared.config
    for name, text in config.given().items() if prepared.processes.first else ():
        for finding in CONDITIONS[name].findings(text, prepared.found.run.content["resolution"]) or ():
            log.warning("%s: %s", text, finding)
    if prepared.processes.first and (names := hardly_followed(prepared)):
        log.warning(
            "%s: learnt from maps, and no map is given or drawn: hardly any picture will show it; %s",
            ", ".join(names),
            "leave maps=none out" if config.maps == NO_MAPS else "give --mask, or train model=maps",
        )
    folder = Path(config.workspace) / "samples" / prepared.name
    cell = 128 if prepared.found.run.content["resolution"] <= 128 else 256
    text = f"{prepared.found.run.path.name}: {prepared.used['sampler'].partition(' (')[0]}, seed {config.seed}"
    if config.grid is Grid.checkpoints:
        pictures, columns = over_training(prepared)
        count = sum(len(row) for rows in pictures.values() for row in rows)
        most = layouts.MOST_ROWS // len(pictures)
        shown = {name: [row[-layouts.MOST_COLUMNS :] for row in rows[:most]] for name, rows in pictures.items()}
        title = "Same starting noise, later checkpoints"
        title += layouts.first_of(sum(len(row) for rows in shown.values() for row in rows), count)
        picture = layouts.checkpoint_figure(shown, columns[-layouts.MOST_COLUMNS :], title=title, text=text, cell=cell)
    else:
        session = open_session(prepared.found, config, processes=prepared.processes, maps=prepared.found.maps)
        picture, count = _LAYOUTS[config.grid](session, folder, layouts, text, cell)
    grid = folder / "grid.png"
    if prepared.processes.first:
        write_png(grid, picture)
    made = {"grid": grid, "images": folder / "images", "records": folder / "records.jsonl"}
    if config.grid is Grid.checkpoints:
        made = {"grid": grid, "images": folder}  # a folder of each checkpoint
    return Result(
        command="sample",
        used=prepared.used,
        facts={"images": count},
        made=made,
        next=_next(prepared, folder),
    )


def _next(prepared: Prepared[SampleConfig, Sampling], folder: Path) -> list[str]:
    """How samples of items are measured; others are read in a report: nobody says what they should look like."""
    config, found = prepared.config, prepared.found
    told = [name for name in found.conditions if not config.only or name in config.only]
    if config.grid is Grid.checkpoints or (told and _is_by_hand(config, told)):
        return [prepared.suggest(shlex.join(["report", found.run.path.name]))]
    named = {"run": config.run, "pack": config.pack, "first_stage": config.first_stage}
    return [prepared.suggest(measuring(told), samples=folder.name, **named)]


def _changing(names: Iterable[str]) -> Condition:
    """The condition, of those called `names`, whose values by hand change those of items."""
    return next(CONDITIONS[name] for name in names if CONDITIONS[name].changes_items)


def _is_by_hand(config: SampleConfig, names: Sequence[str]) -> bool:
    """Say whether the prompt is what the user wrote, rather than that of validation items; `names`: what the model is told."""
    if config.items or not names:
        return not config.items
    if config.grid is not Grid.attributes:
        return bool(config.given())
    whole = [name for name in names if not CONDITIONS[name].changes_items]
    return any(name in whole for name in config.given()) or (bool(config.given()) and not whole)


def _leaves_out(config: SampleConfig, told: Sequence[str], named: Sequence[str]) -> bool:
    """Say whether something a model conditioned on `named` could be told is left unsaid; `told`: what `only` keeps of it."""
    if len(told) < len(named):
        return True
    if not named or not _is_by_hand(config, told):
        return False
    given = config.given()
    return any(name not in given or CONDITIONS[name].leaves_open(given[name]) for name in told)


def prompts(session: Session[SampleConfig]) -> Sequence[Prompt]:
    """What the user asked for, in order: validation items, values by hand, or one prompt that says nothing."""
    config = session.config
    if _is_by_hand(config, session.names):
        return [session.read(config.given())] * config.count
    for place in config.items:
        session.prompt(place)  # raises for an item that does not exist
    held_out = len(session.pack.indices("validation"))
    if not config.items and config.count > max(held_out, SampleConfig().count):
        log.warning("count=%d: the pack has %d people to validate on, each is sampled once", config.count, held_out)
    places = config.items or range(min(config.count, held_out))
    return Lazy(len(places), lambda i: session.changed(places[i], config.given(), adapt=config.adapt_masks))


def _rows(session: Session[SampleConfig], folder: Path, layouts: Any, text: str, cell: int) -> tuple[Any, int]:
    """A row for each condition: real picture, map, samples. Pictures of one condition by hand follow one another."""
    from facecond.sampling.plans import one_each, several

    config, samples, asked = session.config, _samples(session.config), prompts(session)
    plan = several(asked, samples, config.seed) if samples > 1 else one_each(asked, config.seed)
    made = session.generate(plan, folder)
    images = made.images
    title, step, alike = "Several samples of one condition", samples, False
    if config.grid is Grid.conditions:
        title = "Samples beside their conditions"
        alike = _is_by_hand(config, session.names) and session.maps is None  # with it each picture has a map of its own
        step = layouts.MOST_COLUMNS if alike else samples
    most = min(step, layouts.MOST_COLUMNS)

    def told(start: int) -> Prompt:
        prompt = asked[start // samples]
        return session.told(prompt, made, start) if most == 1 else prompt  # drawn maps are those of single pictures

    shown = [
        _shown(session, layouts, told(start), list(images[start : start + most]), alike and start > 0)
        for start in range(0, len(plan), step)[: layouts.MOST_ROWS]
    ]
    title += layouts.first_of(sum(len(row.samples) for row in shown), len(plan))
    return layouts.samples_figure(shown, title=title, text=text, cell=cell), len(plan)


def _attributes(session: Session[SampleConfig], folder: Path, layouts: Any, text: str, cell: int) -> tuple[Any, int]:
    """Same noise in a row, an attribute set in each column; the map shown is that of the row's first picture."""

    from facecond.sampling.plans import same_noise

    config = session.config
    given, changed = config.given(), _changing(session.names)
    base = given.pop(changed.name, "")
    sets = [base, *(f"{base},{text}" if base else text for text in config.attribute_sets)]
    by_hand = _is_by_hand(config, session.names)
    held_out = len(session.pack.indices("validation"))
    for place in config.items:
        session.prompt(place)  # raises for an item that does not exist
    rows = config.items or range(config.count if by_hand else min(config.count, held_out))
    columns = [base or ("nothing said" if by_hand else "as it is"), *config.attribute_sets]
    texts = [{**given, changed.name: text} for text in sets]
    table = Lazy(len(rows), lambda row: [
        session.read(each) if by_hand else session.changed(rows[row], each, adapt=config.adapt_masks) for each in texts
    ])  # fmt: skip
    plan = same_noise(table, config.seed)
    images = session.generate(plan, folder).images
    width, height = min(len(columns), layouts.MOST_COLUMNS), min(len(rows), layouts.MOST_ROWS)
    told = [pictures_of(table[row][0].values) for row in range(height)]
    pictures = [list(images[row * len(columns) : row * len(columns) + width]) for row in range(height)]
    title = "Same starting noise, other attributes" + layouts.first_of(width * height, len(plan))
    return layouts.attribute_figure(pictures, columns[:width], given=told, title=title, text=text, cell=cell), len(plan)


def over_training(prepared: Prepared[SampleConfig, Sampling]) -> tuple[dict[str, list[list[Any]]], list[str]]:
    """Same noise and conditions for the snapshots of one run, or of several: sample what is missing.

    Returns pictures, `[run][start][checkpoint]`, and what the checkpoints are called.
    """
    from facecond.sampling.plans import one_each

    config = prepared.config
    folder = Path(config.workspace) / "samples" / prepared.name
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
    for info in runs:
        same = info.first_stage == prepared.found.run.first_stage
        drawn_by = _maps(info, prepared.found.own_pack, config)
        maps = drawn_by.run if drawn_by else None
        origin = origin_of(info, prepared.found.own_pack, config.workspace, config.first_stage if same else None)
        place = folder / info.path.name if config.name else folder.parent / _folder_name(origin, config, maps)
        by_checkpoint = []
        for file in columns[info.path.name].values():
            session = open_session(origin, config, weights=file, processes=prepared.processes, maps=maps)
            made = session.generate(one_each(prompts(session), config.seed), place / file.stem, file.stem)
            by_checkpoint.append(made.images)
        pictures[info.path.name] = [list(row) for row in zip(*by_checkpoint, strict=True)]
    return pictures, names


def _checkpoint_files(info: RunInfo) -> dict[str, Path]:
    """Weights kept on the way and, unless the last of these are they, at the end, under their headings.

    Raises:
        DataError: when there are none on the way.
    """
    snapshots = sorted((info.path / "snapshots").glob("*.safetensors"))
    if not snapshots:
        raise DataError(f"{info.path} has no snapshots", hint="train with trainer.snapshot_every=IMAGES")
    named = {f"{grouped(int(file.stem), ' ')} images": file for file in snapshots}
    if int(snapshots[-1].stem) == info.config["trainer"]["images"]:
        return named
    return named | {"end": info.path / WEIGHTS}


def _shown(
    session: Session[SampleConfig], layouts: Any, prompt: Prompt, samples: list[Any], again: bool = False
) -> Any:
    """A row of the grid; `again`, further samples of the prompt above."""
    if again:
        return layouts.Shown(name="", image=None, samples=samples)
    image = session.pack.images[session.pack.index_of(prompt.source)] if prompt.source is not None else None
    words = prompt.source or ", ".join(prompt.description.values())
    return layouts.Shown(name=words, image=image, given=pictures_of(prompt.values), samples=samples)


_LAYOUTS = {Grid.conditions: _rows, Grid.variations: _rows, Grid.attributes: _attributes}
