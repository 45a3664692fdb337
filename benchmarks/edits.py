"""How well edits do what they are asked and leave the rest alone: `python -m benchmarks.edits`.

The drawer knows the same person with one trait changed, which nobody can photograph. Of each of `TRAITS`, people are drawn with
and without it, half of the pairs either way: the first picture is edited towards the second, which is the truth. Attributes and map
of the first picture are known. Asked for are the attribute alone (`maps=` draws what it changes of the map), or the attribute and
the true map. What came of it is read by the judges that come with the program:

- obeyed: the classifier sees the trait as asked; of traits that a class of the map shows, also the parser.
- inside: mean absolute difference to the truth, in percent of the range, where the truth differs from the picture before.
- outside: the same where it does not: what should have been left alone.

Rows to compare with: nothing done, and the truth itself. All figures go to WORKSPACE/edits-benchmark.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from facecond.assembly.edits import Edited, Face

TRAITS = (
    "Bangs", "Blond_Hair", "Bushy_Eyebrows", "Eyeglasses", "Mouth_Slightly_Open", "Mustache", "Pale_Skin", "Smiling",
    "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
)  # fmt: skip

SEED, LOOKED_AT = 17, 4000
"""Of the drawn people, which no model that comes with the program learnt from; and how many are looked at for pairs."""

WAYS = {
    f"{method}{'' if blend else ', not blended'}{', true map' if told else ''}": (method, blend, told)
    for told in (False, True) for method, blend in itertools.product(("sdedit", "ddim", "friendly"), (True, False))
}  # fmt: skip


class Pair(NamedTuple):
    """The same person without and with a trait, or the other way round."""

    trait: str
    sign: int
    before: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    true_labels: NDArray[np.uint8]
    attributes: NDArray[np.int8]


def pairs(count: int, resolution: int) -> list[Pair]:
    """Pairs whose attributes differ in the trait alone and whose pictures differ, traits in turn."""
    from facecond.drawn.painter import draw

    found: list[Iterator[Pair]] = [_of_trait(trait, resolution, draw) for trait in TRAITS]
    return list(itertools.islice((pair for turn in zip(*found, strict=False) for pair in turn), count))


def _of_trait(trait: str, resolution: int, draw: Any) -> Iterator[Pair]:
    made = 0
    for index in range(LOOKED_AT):
        without, having = (draw(SEED, [index], resolution, {trait: value}) for value in (False, True))
        if (without.attributes != having.attributes).sum() != 1 or np.array_equal(without.images, having.images):
            continue
        one, other, sign = (without, having, 1) if made % 2 == 0 else (having, without, -1)
        made += 1
        yield Pair(trait, sign, one.images[0], other.images[0], one.labels[0], other.labels[0], one.attributes[0])


@dataclass(frozen=True)
class Judged:
    """What became of a pair."""

    trait: str
    obeyed: bool
    shown: bool | None
    inside: float
    outside: float


def judge(pair: Pair, picture: NDArray[np.uint8], present: NDArray[np.bool_], labels: NDArray[np.uint8]) -> Judged:
    """Hold a picture against the truth. `present`, bool (40,), is the classifier's answer, `labels` the parser's."""
    from facecond.editing.agree import LEAST, PARTS
    from facecond.faces.names import ATTRIBUTES, CLASSES

    differs = (pair.before != pair.truth).any(axis=-1)
    error = np.abs(picture.astype(float) - pair.truth).mean(axis=-1) / 2.55
    shown = None
    if pair.trait in PARTS:
        there = (labels == CLASSES.index(PARTS[pair.trait].shown_by)).sum() >= LEAST
        shown = bool(there) == (pair.sign > 0)
    obeyed = bool(present[ATTRIBUTES.index(pair.trait)]) == (pair.sign > 0)
    return Judged(pair.trait, obeyed, shown, float(error[differs].mean()), float(error[~differs].mean()))


def edited(session: Any, found: list[Pair], way: tuple[str, bool, bool], batch: int) -> tuple[list[Any], float]:
    """Edit the pairs' first pictures; return what came of each and the seconds an edit took."""
    from facecond.assembly.edits import edit
    from facecond.config.commands import EditMethod
    from facecond.progress import bar

    method, blend, told = way
    made: dict[int, Edited] = {}
    began = time.perf_counter()
    with bar(f"{method}{'' if blend else ', not blended'}", len(found)) as progress:

        def asked(k: int) -> tuple[str, int]:
            return found[k].trait, found[k].sign

        for (trait, sign), group in itertools.groupby(sorted(range(len(found)), key=asked), asked):
            config = replace(
                session.config, method=EditMethod[method], blend=blend, attr=f"{'+' if sign > 0 else '-'}{trait}"
            )
            places = list(group)
            for start in range(0, len(places), batch):
                some = places[start : start + batch]
                faces = [face_of(k, found[k]) for k in some]
                own = replace(session, config=config, maps=None if told else session.maps)
                wanted = [found[k].true_labels if told else None for k in some]
                made |= zip(some, edit(own, faces, wanted), strict=True)
                progress.update(len(some))
    return [made[k] for k in range(len(found))], (time.perf_counter() - began) / len(found)


def face_of(number: int, pair: Pair) -> Face:
    """The first picture of a pair, of which all is known."""
    from facecond.assembly.edits import Face
    from facecond.io.images import digest_of_pixels
    from facecond.photos.frame import central_frame

    values = {"attributes": pair.attributes, "mask": pair.labels}
    frame = central_frame(*pair.before.shape[:2])
    return Face(f"pair {number}", digest_of_pixels(pair.before), pair.before, frame, pair.before, values)


def figures(judged: list[Judged]) -> dict[str, Any]:
    """Means with half of their 95 % intervals over pairs."""
    shown = [each.shown for each in judged if each.shown is not None]
    columns = {
        "obeyed": [100.0 * each.obeyed for each in judged],
        "shown": [100.0 * value for value in shown],
        "inside": [each.inside for each in judged],
        "outside": [each.outside for each in judged],
    }
    return {
        name: [mean(values) if values else 0.0, 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0]
        for name, values in columns.items()
    }


def table(results: dict[str, Any]) -> str:
    """Everything as Markdown."""
    rows = [
        "| way | obeyed, % | map shows it, % | error inside, % | error outside, % | seconds an edit |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way, of in results["ways"].items():
        cells = [f"{of[name][0]:.1f} ± {of[name][1]:.1f}" for name in ("obeyed", "shown")]
        cells += [f"{of[name][0]:.2f} ± {of[name][1]:.2f}" for name in ("inside", "outside")]
        cells.append("" if of["seconds"] is None else f"{of['seconds']:.2f}")
        rows.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Read the words, edit, judge, write."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--workspace", default="outputs")
    words.add_argument("--run", default="drawn64-multicond")
    words.add_argument("--pairs", type=int, default=200)
    words.add_argument("--batch", type=int, default=32)
    words.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    words.add_argument("overrides", nargs="*", help="of `facecond edit`: strength=0.6 guidance.scale=3")
    options = words.parse_args()

    from facecond.assembly.judges import load_classifier, load_parser
    from facecond.assembly.maps import load_map_generator
    from facecond.assembly.session import open_session
    from facecond.commands.edit import prepare
    from facecond.io.documents import write_json
    from facecond.workspace.find import bundled_runs

    prepared = prepare([
        f"workspace={options.workspace}", f"run={options.run}", "items=[0]", "attr=+Smiling", *options.overrides,
    ])  # fmt: skip
    session: Any = open_session(prepared.found, prepared.config)
    device = session.generator.device
    if prepared.found.maps is not None:
        session = replace(session, maps=load_map_generator(prepared.found.maps, device))
    classifier, parser = (
        load(bundled_runs(kind)[0], device) for load, kind in ((load_classifier, "classifier"), (load_parser, "parser"))
    )
    found = pairs(options.pairs, session.generator.resolution)

    def judged(pictures: NDArray[np.uint8]) -> list[Judged]:
        present, labels = classifier(pictures), parser(pictures)
        return [judge(*each) for each in zip(found, pictures, present, labels, strict=True)]

    results: dict[str, Any] = {"pairs": len(found), "overrides": options.overrides, "ways": {}, "by_trait": {}}
    befores, truths = np.stack([pair.before for pair in found]), np.stack([pair.truth for pair in found])
    for name, pictures in {"nothing done": befores, "the truth": truths}.items():
        results["ways"][name] = figures(judged(pictures)) | {"seconds": None}
    for name in options.only:
        made, seconds = edited(session, found, WAYS[name], options.batch)
        of_all = judged(np.stack([each.picture_HWC for each in made]))
        leaks = sum(
            int(((each.picture_HWC != pair.before).any(axis=-1) & ~each.change.region_HW).any())
            for each, pair in zip(made, found, strict=True)
        )
        results["ways"][name] = figures(of_all) | {"seconds": seconds, "changed_outside_of_the_region": leaks}
        by_trait = defaultdict(list)
        for each in of_all:
            by_trait[each.trait].append(each.obeyed)
        results["by_trait"][name] = {trait: [sum(values), len(values)] for trait, values in by_trait.items()}
        write_json(Path(options.workspace) / "edits-benchmark.json", results)
        print(name, json.dumps(results["ways"][name]), flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
