"""`facecond swap-masks`: parts of the masks of two people are exchanged, and both mixed masks sampled (paper, section 4)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facecond.assembly.session import open_session
from facecond.commands.prepared import Prepared, prepare_generation
from facecond.commands.result import Result
from facecond.conditions.mask import Mask
from facecond.config.commands.sample import SwapConfig
from facecond.errors import ConfigError
from facecond.faces.labels import CLASSES, part_indices
from facecond.workspace.names import generation_name
from facecond.workspace.origin import Origin, generation_key, how_sampled, items_plan


def prepare(words: Sequence[str]) -> Prepared[SwapConfig, Origin]:
    """Check parts, pairs and that the run follows masks."""
    prepared = prepare_generation("swap-masks", words, _check_alone)
    config = prepared.config
    if config.pairs and prepared.composed.given("count"):
        raise ConfigError(
            "pairs and count are both given", hint="count is for pairs that are chosen; drop one of the two"
        )
    if Mask.name not in prepared.found.conditions:
        raise ConfigError(f"the model of {prepared.name} is not conditioned on masks", hint="name another run: run=...")
    prepared.used["pairs"] = "named" if config.pairs else "people whose heads are turned most differently"
    parts = [CLASSES[part] for part in part_indices(config.parts)]
    pairs = [_read_pair(pair) for pair in config.pairs]
    plan = items_plan(prepared.found) | {"samples": config.samples, "swap": parts, "pairs": pairs or "turned"}
    if config.name is not None:
        prepared.name = config.name
        return prepared
    people = [f"{first}x{second}" for first, second in pairs]
    told = ["swap", *parts, *people, *how_sampled(prepared.found.run, config)]
    key = generation_key(prepared.found, config, plan)
    prepared.name = generation_name(Path(config.workspace) / "swaps", prepared.name, told, key)
    return prepared


def _check_alone(config: SwapConfig) -> None:
    """Check what needs neither run nor pack."""
    if not part_indices(config.parts):
        raise ConfigError("no parts to exchange", hint="name some, for example parts=[hair,nose]")
    for pair in config.pairs:
        _read_pair(pair)


def run(prepared: Prepared[SwapConfig, Origin]) -> Result:
    """Exchange, sample, and draw the grid: person, map, mixed map, samples."""
    import numpy as np

    from facecond.editing.swap import swap_parts, turned_pairs
    from facecond.io.images import write_png
    from facecond.reports.layouts import MOST_COLUMNS, MOST_ROWS, Shown, first_of, swap_figure
    from facecond.sampling.plans import several

    prepared.announce()
    config = prepared.config
    session = open_session(prepared.found, config, processes=prepared.processes)
    items = session.pack.indices("validation")
    labels = np.asarray(session.pack.labels[items])
    pairs = [_read_pair(pair) for pair in config.pairs] or turned_pairs(
        labels, config.count, parts=config.parts
    ).tolist()
    folder = Path(config.workspace) / "swaps" / prepared.name
    prompts, people = [], []
    for first, second in pairs:
        for place in (first, second):
            session.prompt(place)
        swap = swap_parts(labels[first], labels[second], config.parts)
        for place, mixed, channels in (
            (first, swap.labels_a_HW, swap.channels_a_KHW),
            (second, swap.labels_b_HW, swap.channels_b_KHW),
        ):
            prompts.append(session.prompt(place, {Mask.name: channels}))
            people.append((place, mixed))
    made = session.generate(several(prompts, config.samples, config.seed), folder, "sampling swaps")
    shown: list[Any] = []
    for row, (place, mixed) in enumerate(people[:MOST_ROWS]):
        samples = list(made.images[row * config.samples :][: min(config.samples, MOST_COLUMNS)])
        shown.append(
            Shown(
                name=f"item {place}",
                image=session.pack.images[items[place]],
                given={"own map": labels[place], "mixed map": mixed},
                samples=samples,
            )
        )
    title = "Parts exchanged between two people" + first_of(sum(len(row.samples) for row in shown), len(made.images))
    picture = swap_figure(list(zip(shown[::2], shown[1::2], strict=True)), part_indices(config.parts), title=title)
    if prepared.processes.first:
        write_png(folder / "swap.png", picture)
    return Result(
        command="swap-masks",
        used=prepared.used,
        facts={
            "pairs": " ".join(f"{a}:{b}" for a, b in pairs),
            "parts": ", ".join(config.parts),
            "images": len(made.images),
        },
        made={"figure": folder / "swap.png", "images": folder / "images"},
    )


def _read_pair(text: str) -> tuple[int, int]:
    first, colon, second = text.partition(":")
    if not colon or not first.strip().isdigit() or not second.strip().isdigit() or int(first) == int(second):
        raise ConfigError(f"{text!r} is not a pair of validation items", hint="write two different items like 3:17")
    return int(first), int(second)
