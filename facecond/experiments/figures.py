"""The paper's figures (section 4) of trained models: pictures, and the words below them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands import eval as evaluate
from facecond.commands import sample, swap_masks
from facecond.commands.evidence import load_evidence
from facecond.commands.prepared import prepare_generation
from facecond.commands.steps import run_command
from facecond.config.reproduce import Kind, VariantConfig
from facecond.experiments.plan import Work, override

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.assembly.session import Session
    from facecond.experiments.plan import Plan

log = logging.getLogger("facecond")

PEOPLE, NOISES, CONDITIONS, VARIATIONS, PAIRS, MIXED, WORST, AGAIN = 8, 4, 8, 10, 3, 4, 6, 6
"""Columns and rows of the figures; the paper's ten variations."""


def draw_figure(plan: Plan, folder: Path) -> dict[str, str]:
    """Draw the figure of a plan into `folder`; return what was made, by name."""
    from shutil import copyfile

    made = _FIGURES[plan.paper.kind](plan, folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "figure.png"
    if Path(made["figure"]) != target:
        copyfile(made["figure"], target)
    return made | {"figure": str(target)}


def samplings(plan: Plan) -> list[Work]:
    """What is sampled of each variant for drawing the figure of a plan, beside what is measured; nothing for a table."""
    works = []
    for place, variant in enumerate(plan.paper.variants):
        if plan.paper.kind in _COMMANDS:
            module, own, amount = _COMMANDS[plan.paper.kind](plan, variant)
            words = [*own, *_words(plan)]
        elif plan.paper.kind in _SESSIONS:
            module, words, amount = None, _words(plan, place=place), _SESSIONS[plan.paper.kind]
        else:
            continue
        title = f"sample {variant.name}, eta {plan.paper.etas[0]:g}"
        works.append(
            Work(key=title, title=title, module=module, words=words, amount=amount, training=plan.what(variant))
        )
    return works


def told(plan: Plan) -> list[str]:
    """What drawing the figure of a plan is told."""
    return [plan.paper.kind.name, *(word for work in samplings(plan) for word in work.words)]


def _words(plan: Plan, *, place: int = 0) -> list[str]:
    """What every command that samples the variant at `place` is told."""
    run, (eta,) = plan.run(plan.paper.variants[place], plan.seeds()[0]), plan.paper.etas
    return [
        override("run", str(run)),
        override("pack", plan.pack),
        *plan.sampling,
        *plan.computing,
        f"sampler.eta={eta:g}",
    ]


def _grid(made: Mapping[str, str]) -> dict[str, str]:
    return {"figure": made["grid"], "images": made["images"]}


def _checkpoints(plan: Plan, folder: Path) -> dict[str, str]:
    """Rows: the same noise in each variant; columns: checkpoints."""
    from facecond.reports.layouts import checkpoint_figure

    prepared = sample.prepare(samplings(plan)[0].words)
    prepared.announce()
    pictures, columns = sample.over_training(prepared)
    named = {variant.name: rows for variant, rows in zip(plan.paper.variants, pictures.values(), strict=True)}
    made = _written(folder, checkpoint_figure(named, columns, title=plan.paper.title, text=_caption(plan)))
    return made | {"images": str(Path(plan.config.workspace) / "samples" / prepared.name)}


def _conditions(plan: Plan, folder: Path) -> dict[str, str]:
    """Rows: validation items, what the model was told of them, a sample; a plain sheet for a model that is told nothing."""
    (work,) = samplings(plan)
    return _grid(run_command(work.module, work.words))


def _swaps(plan: Plan, folder: Path) -> dict[str, str]:
    """Pairs of people, with their hair exchanged."""
    (work,) = samplings(plan)
    made = run_command(work.module, work.words)
    return {"figure": made["figure"], "images": made["images"]}


def _session(plan: Plan, place: int) -> tuple[Session[Any], Callable[..., str]]:
    """The model of a variant, and what names a folder of its samples."""
    from facecond.assembly.session import open_session
    from facecond.workspace.names import generation_name
    from facecond.workspace.origin import generation_key, how_sampled, items_plan, told_items

    prepared = prepare_generation("sample", _words(plan, place=place))
    session = open_session(prepared.found, prepared.config)

    def name(items: Sequence[int], **plan_of: Any) -> str:
        key = generation_key(prepared.found, prepared.config, items_plan(prepared.found, items) | plan_of)
        told = [*told_items(items, conditions=session.names), *how_sampled(session.run, prepared.config)]
        return generation_name(Path(plan.config.workspace) / "samples", prepared.name, told, key)

    return session, name


def _attribute_sets(plan: Plan, folder: Path) -> dict[str, str]:
    """Rows: one noise each; columns: the attributes of the validation item whose picture stands above."""
    from facecond.reports.grids import Cell, grid
    from facecond.sampling.plans import same_noise

    session, name = _session(plan, 0)
    pack, items = session.pack, list(range(PEOPLE))
    asked = [session.prompt(item) for item in items]
    place = Path(plan.config.workspace) / "samples" / name(items, same_noise=NOISES)
    made = session.generate(same_noise([asked] * NOISES, session.config.seed), place, "sampling sets")
    people = [Cell(picture=pack.images[pack.indices("validation")[item]], caption=f"item {item}") for item in items]
    rows = [[Cell(picture=made.images[row * PEOPLE + column]) for column in range(PEOPLE)] for row in range(NOISES)]
    names = ["attributes of", *(f"noise {row + 1}" for row in range(NOISES))]
    picture = grid(
        [people, *rows], title=plan.paper.title, text=_caption(plan), names=names, cell=_cell(session), breaks=[1]
    )
    return _written(folder, picture) | {"images": str(place / "images")}


def _variations(plan: Plan, folder: Path) -> dict[str, str]:
    """Rows: models; what each was told of one validation item, as far as there is something to see, and ten samples of that."""
    from facecond.conditions.table import pictures_of
    from facecond.reports.layouts import Shown, samples_figure
    from facecond.sampling.plans import several

    shown, cell = [], 128
    for place, variant in enumerate(plan.paper.variants):
        session, name = _session(plan, place)
        folder_of = Path(plan.config.workspace) / "samples" / name([0], samples=VARIATIONS, alone=True)
        prompt = session.prompt(0)
        made = session.generate(several([prompt], VARIATIONS, session.config.seed), folder_of, variant.name)
        image = session.pack.images[session.pack.indices("validation")[0]] if place == 0 else None
        given = pictures_of(prompt.values)
        shown.append(Shown(name=variant.name, image=image, given=given, samples=list(made.images)))
        cell = _cell(session)
    return _written(folder, samples_figure(shown, title=plan.paper.title, text=_caption(plan), cell=cell))


def ranked(plan: Plan) -> tuple[list[int], NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint8]]:
    """Samples of the validation items from the worst to the best, as the face parser ranks them.

    Returns the items in that order, their mean IoU over the classes asked for (N,), samples (N, H, W, 3) and the maps seen in them
    (N, H, W), all by item.
    """
    import numpy as np

    from facecond.measuring.masks import MaskAgreement
    from facecond.measuring.measure import SAMPLES
    from facecond.metrics.faithfulness import Confusion

    (work,) = plan.measurings()
    evidence, _ = load_evidence(evaluate.prepare(work.words))
    parser, items = evidence.detectors[MaskAgreement.detector], evidence.behind
    scores, pictures, maps = [], [], []
    for rows in evidence.pieces(SAMPLES):
        images = evidence.sets[SAMPLES].read(rows)
        seen = parser(images)
        scores.append(Confusion.of(items.asked(MaskAgreement.condition, rows), seen).image_ious)
        pictures.append(images)
        maps.append(seen)
    iou = np.concatenate(scores)
    order = [int(place) for place in np.argsort(iou, kind="stable")]
    return order, iou, np.concatenate(pictures), np.concatenate(maps)


def _worst(plan: Plan, folder: Path) -> dict[str, str]:
    """Rows: the samples that agree least with their map; the real picture, the map asked for, the sample, the map seen in it."""
    from facecond.reports.grids import Cell, Heads, grid

    order, iou, samples, maps = ranked(plan)
    session, _ = _session(plan, 0)
    items = session.pack.indices("validation")
    rows = []
    for place in order[:WORST]:
        real, asked = session.pack.images[items[place]], session.pack.labels[items[place]]
        rows.append([Cell(picture=real), Cell(picture=asked), Cell(picture=samples[place]), Cell(picture=maps[place])])
    heads = Heads(columns=["real", "map asked for", "sample", "map seen in it"])
    names = [f"item {place}, mIoU {iou[place]:.2f}" for place in order[:WORST]]
    title = f"{plan.paper.title} of {len(order)}"
    picture = grid(rows, title=title, text=_caption(plan), heads=heads, names=names, cell=_cell(session), legend=True)
    return _written(folder, picture)


def _again(plan: Plan, folder: Path) -> dict[str, str]:
    """Rows: the masks of the worst samples; the worst sample and further ones from other noise."""
    from facecond.reports.layouts import Shown, samples_figure
    from facecond.sampling.plans import several

    order, iou, samples, _ = ranked(plan)
    session, name = _session(plan, 0)
    worst, items = order[:WORST], session.pack.indices("validation")
    place = Path(plan.config.workspace) / "samples" / name(worst, samples=AGAIN)
    made = session.generate(
        several([session.prompt(item) for item in worst], AGAIN, session.config.seed), place, "sampling again"
    )
    shown = [
        Shown(
            name=f"item {item}, the first: mIoU {iou[item]:.2f}", image=session.pack.images[items[item]],
            given={"map": session.pack.labels[items[item]]},
            samples=[samples[item], *made.images[row * AGAIN : (row + 1) * AGAIN]],
        )
        for row, item in enumerate(worst)
    ]  # fmt: skip
    return _written(folder, samples_figure(shown, title=plan.paper.title, text=_caption(plan), cell=_cell(session)))


def _caption(plan: Plan) -> str:
    """What is drawn; every sampling is told the same (`_words`)."""
    names, scale = ", ".join(variant.name for variant in plan.paper.variants), plan.prefix.partition("-")[2]
    return f"{names}; scale {scale}, eta {plan.paper.etas[0]:g}"


def _cell(session: Session[Any]) -> int:
    return 128 if session.pack.resolution <= 128 else 256


def _written(folder: Path, picture: Any) -> dict[str, str]:
    from facecond.io.images import write_png

    folder.mkdir(parents=True, exist_ok=True)
    write_png(folder / "figure.png", picture)
    return {"figure": str(folder / "figure.png")}


def _over_training(plan: Plan, variant: VariantConfig) -> tuple[Any, list[str], int]:
    others = [str(plan.run(each, plan.seeds()[0])) for each in plan.paper.variants[1:]]
    words = ["grid=checkpoints", override("compare", others), f"count={NOISES}"]
    return sample, words, NOISES * len(plan.places(variant))


def _beside_conditions(plan: Plan, variant: VariantConfig) -> tuple[Any, list[str], int]:
    count = CONDITIONS if plan.conditions[variant.name] else 4 * CONDITIONS
    return sample, ["grid=conditions", f"count={count}"], count


def _of_swaps(plan: Plan, variant: VariantConfig) -> tuple[Any, list[str], int]:
    return swap_masks, ["parts=[hair]", f"count={PAIRS}", f"samples={MIXED}"], 2 * PAIRS * MIXED


_COMMANDS: dict[Kind, Callable[[Plan, VariantConfig], tuple[Any, list[str], int]]] = {
    Kind.checkpoints: _over_training,
    Kind.conditions: _beside_conditions,
    Kind.swaps: _of_swaps,
}
"""Figures whose samples a command makes, one for all variants: its module, its own words, and the pictures of a variant."""

_SESSIONS = {Kind.attribute_sets: PEOPLE * NOISES, Kind.variations: VARIATIONS, Kind.again: WORST * AGAIN}
"""Pictures of a variant in the others that sample."""

_FIGURES: dict[Kind, Callable[[Plan, Path], dict[str, str]]] = {
    Kind.checkpoints: _checkpoints,
    Kind.attribute_sets: _attribute_sets,
    Kind.conditions: _conditions,
    Kind.variations: _variations,
    Kind.swaps: _swaps,
    Kind.worst: _worst,
    Kind.again: _again,
}
