"""Attributes alone: are the maps that `model=maps` draws like real ones, and do pictures have what they imply?

    python -m benchmarks.open_maps --maps drawn64-maps

samples the attributes of held-out people four ways: with their own map, with a map drawn for them, with the map of the training
person most like them by attributes, made to agree (facecond/editing/agree.py), and with no map at all. Judges read the pictures.
Drawn maps are held against real ones by class, by what a linear classifier can tell them apart with, and by how much ten of one
set of attributes differ. A picture of some of them, the tables and all figures go to a folder in WORKSPACE/open_maps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from facecond.assembly.session import Session
    from facecond.data.pack import Pack
    from facecond.sampling.plans import Prompt

LEAST = 4
"""Pixels from which a class is there."""

FOLDS, RIDGE = 5, 1e-2
"""Of the classifier that tells drawn maps from real ones: cross-validation, weight of its squared weights."""

SETS, TEN = 24, 10
"""Sets of attributes whose maps are compared with one another, and maps of each where no other number is asked for."""

SHOWN = ["+Eyeglasses", "+Wearing_Hat,+Male", "+Wearing_Earrings,-Male", "+Mouth_Slightly_Open,+Smiling", "+Bald,+Male"]


def shapes(labels_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What classes look like in each map: float64 (N, 19 classes, 7).

    Whether there, share of the pixels, connected pieces, mean row and column, height and width of the box around; as shares of the
    side, 0 where absent.
    """
    from skimage.measure import label

    from facecond.faces.names import NUM_CLASSES

    side = labels_NHW.shape[1]
    found = np.zeros((len(labels_NHW), NUM_CLASSES, 7))
    for row, labels_HW in zip(found, labels_NHW, strict=True):
        for number in range(NUM_CLASSES):
            mask_HW = labels_HW == number
            if mask_HW.sum() < LEAST:
                continue
            rows, columns = np.nonzero(mask_HW)
            row[number] = (
                1, len(rows) / side**2, label(mask_HW, connectivity=2).max(), rows.mean() / side, columns.mean() / side,
                np.ptp(rows) / side, np.ptp(columns) / side,
            )  # fmt: skip
    return found


def told_apart(one_NF: NDArray[np.float64], other_NF: NDArray[np.float64], seed: int = 0) -> float:
    """Share of rows that a ridge-regularised logistic regression on F features puts in the right one of two sets of equal size,
    cross-validated; 0.5 where nothing tells them apart."""
    from scipy.optimize import minimize

    x_NF = np.concatenate([one_NF, other_NF])
    y_N = np.repeat([1.0, -1.0], [len(one_NF), len(other_NF)])
    spread_F = x_NF.std(axis=0)
    x_NF = (x_NF[:, spread_F > 0] - x_NF.mean(axis=0)[spread_F > 0]) / spread_F[spread_F > 0]
    fold_N = np.random.default_rng(seed).permutation(len(x_NF)) % FOLDS
    right = 0
    for fold in range(FOLDS):
        x, y = x_NF[fold_N != fold], y_N[fold_N != fold]

        def loss(w: NDArray[np.float64], x: Any = x, y: Any = y) -> tuple[float, NDArray[np.float64]]:
            margin = y * (x @ w[:-1] + w[-1])
            slope = -y / (1 + np.exp(margin)) / len(y)
            value = np.logaddexp(0, -margin).mean() + RIDGE * (w[:-1] ** 2).sum()
            return value, np.append(x.T @ slope + 2 * RIDGE * w[:-1], slope.sum())

        w = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
        right += int(((x_NF[fold_N == fold] @ w[:-1] + w[-1] > 0) == (y_N[fold_N == fold] > 0)).sum())
    return right / len(x_NF)


def by_class(real: NDArray[np.float64], drawn: NDArray[np.float64]) -> str:
    """A Markdown table of both kinds of maps, from what `shapes` returns."""
    from facecond.faces.labels import CLASSES
    from facecond.reports.tables import markdown

    rows = [["class", "in % of real maps", "of drawn", "% of their pixels, real", "drawn", "pieces, real", "drawn"]]
    for number, name in enumerate(CLASSES):
        cells: list[list[str]] = [[], [], []]
        for each in (real[:, number], drawn[:, number]):
            there = each[each[:, 0] > 0]
            cells[0].append(f"{100 * each[:, 0].mean():.1f}")
            cells[1].append(f"{100 * there[:, 1].mean():.2f}" if len(there) else "-")
            cells[2].append(f"{there[:, 2].mean():.2f}" if len(there) else "-")
        rows.append([name, *cells[0], *cells[1], *cells[2]])
    return markdown(rows)


def disagreement(maps_NHW: NDArray[np.uint8]) -> float:
    """Share of pixels at which two of the maps differ, mean over pairs."""
    pairs = [(i, j) for i in range(len(maps_NHW)) for j in range(i)]
    return float(np.mean([(maps_NHW[i] != maps_NHW[j]).mean() for i, j in pairs]))


def most_alike(pack: Pack, place: int, training: NDArray[np.int64]) -> int:
    """The training person who shares most attributes with validation item `place`."""
    own = np.asarray(pack.attributes[pack.indices("validation")[place]])
    return int(training[(np.asarray(pack.attributes[training]) != own).sum(axis=1).argmin()])


def ways(session: Session[Any]) -> dict[str, Callable[[int], Prompt]]:
    """How each way tells the model of held-out person number i."""
    from facecond.editing.agree import with_agreeing_map

    pack = session.pack
    training = pack.indices("train")[:8192]

    def own(place: int) -> Prompt:
        return session.prompt(place)

    def alone(place: int) -> Prompt:
        prompt = session.prompt(place)
        return replace(
            prompt,
            values={"attributes": prompt.values["attributes"]},
            description={"attributes": prompt.description["attributes"]},
        )

    def borrowed(place: int) -> Prompt:
        prompt = session.prompt(place)
        labels_HW = np.array(pack.labels[most_alike(pack, place, training)])
        taken = replace(prompt, values={**prompt.values, "mask": labels_HW})
        return with_agreeing_map(taken, {"attributes": prompt.values["attributes"]}, pack, place)

    return {"own map": own, "drawn map": alone, "borrowed map": borrowed, "no map": alone}


class Alone(NamedTuple):
    """What is measured, and on what."""

    workspace: str
    pack: str
    runs: Mapping[str, str | None]
    """The model of pictures, the generator of maps (None = the latest that fits), the judges."""
    people: int = 256
    device: str = "auto"
    seed: int = 0
    each: int = TEN
    """Maps of one set of attributes."""


def measure(options: Alone) -> Path:
    """Sample, measure, and write; return the folder."""
    import facecond
    from facecond.commands import eval as evaluate
    from facecond.commands.steps import run_command
    from facecond.io.documents import write_json
    from facecond.io.images import write_png
    from facecond.reports.grids import grid
    from facecond.reports.tables import markdown
    from facecond.sampling.plans import Lazy, one_each
    from facecond.workspace.origin import short_hash

    session = facecond.open(
        options.runs["multicond"],
        pack=options.pack,
        maps=options.runs["maps"],
        device=options.device,
        workspace=options.workspace,
    )
    assert session.maps is not None
    pack, maps = session.pack, session.maps
    what = short_hash([maps.made_with, session.pack_sha256, options.seed])
    folder = Path(options.workspace) / "open_maps" / f"{session.generator.sha256[:8]}-{what}"
    folder.mkdir(parents=True, exist_ok=True)
    count = min(options.people, len(pack.indices("validation")))
    figures: dict[str, dict[str, Any]] = {}
    rows = [["map", "balanced, mask-implied", "balanced, mask-free", "attributes", "mIoU beside the map told"]]
    drawn_NHW = np.empty(0, dtype=np.uint8)
    for way, prompt in ways(session).items():
        told = session if way == "drawn map" else replace(session, maps=None)
        plan = one_each(Lazy(count, prompt), options.seed)
        made = told.generate(plan, folder / way.replace(" ", "-"), way)
        if way == "drawn map":
            drawn_NHW = np.stack([told.told(request.prompt, made, request.index).values["mask"] for request in plan])
        results = run_command(evaluate, [
            f"workspace={options.workspace}", f"run={options.runs['multicond']}", f"pack={pack.path}", f"samples={made.folder}",
            f"measures=[{'attributes' if way == 'no map' else 'miou,attributes'}]", f"parser={options.runs['parser']}",
            f"classifier={options.runs['classifier']}", f"device={options.device}",
        ])["results"]  # fmt: skip
        figures[way] = {each["name"]: each for each in json.loads(Path(results).read_text())["figures"]}
        names = ["attribute_balanced_mask_implied", "attribute_balanced_mask_free", "attribute_accuracy", "miou"]
        read = [figures[way].get(name) for name in names]
        rows.append([way, *(f"{each['value']:.3f} ± {each['spread']:.3f}" if each else "-" for each in read)])
    for words, take in {
        "real pictures": lambda f: f["ceiling"],
        "floor: others' conditions": lambda f: f["floor"],
    }.items():
        rows.append([words, *(f"{take(figures['own map'][name]):.3f}" for name in names)])
    real_NHW = np.asarray(pack.labels[pack.indices("validation")])
    real, drawn = shapes(real_NHW), shapes(drawn_NHW)
    first, second = real[: len(drawn)], real[len(drawn) : 2 * len(drawn)]
    apart = {"drawn and real": told_apart(_flat(drawn), _flat(first))}
    if len(second) == len(first):
        apart["real and real"] = told_apart(_flat(second), _flat(first))
    few = pack.indices("validation")[:SETS]
    values = np.asarray(pack.attributes[few])
    ten = np.stack([_drawn(maps, np.repeat(row[None], options.each, axis=0), options.seed) for row in values])
    training = pack.indices("train")[:8192]
    alike = [[pack.labels[place], pack.labels[most_alike(pack, i, training)]] for i, place in enumerate(few)]
    diversity = {
        f"{options.each} maps of one set of attributes": float(np.mean([disagreement(each) for each in ten])),
        "two people of the most similar attributes": float(np.mean([disagreement(np.asarray(each)) for each in alike])),
        "any two people": disagreement(real_NHW[: 2 * SETS]),
        "the maps drawn for two people": disagreement(drawn_NHW[: 2 * SETS]),
    }
    table = "\n\n".join([
        f"{count} people, each once; maps by {maps.name}.", markdown(rows), by_class(real, drawn),
        "Told apart by a linear classifier: " + ", ".join(f"{name} {value:.3f}" for name, value in apart.items()) + ".",
        "Pixels that differ: " + ", ".join(f"{name} {value:.3f}" for name, value in diversity.items()) + ".",
    ])  # fmt: skip
    (folder / "table.md").write_text(table + "\n", encoding="utf-8")
    write_json(folder / "figures.json", {"figures": figures, "told_apart": apart, "pixels_that_differ": diversity})
    pictures = []
    for text in SHOWN:
        images, records = session.sample(attributes=text, count=options.each, seed=options.seed)
        pictures += [[record["told"]["mask"]["value"] for record in records], list(images)]
    words_of = [word for text in SHOWN for word in (text.replace(",", "\n"), "")]
    write_png(folder / "grid.png", grid(
        pictures, title="Maps drawn from attributes, and faces that follow them", names=words_of, cell=96, legend=True,
        breaks=range(0, len(pictures), 2), text=f"{maps.name}, {session.run.path.name}; no map was given",
    ))  # fmt: skip
    return folder


def _flat(shapes_NKF: NDArray[np.float64]) -> NDArray[np.float64]:
    return shapes_NKF.reshape(len(shapes_NKF), -1)


def _drawn(maps: Any, attributes_NA: NDArray[np.int8], seed: int) -> NDArray[np.uint8]:
    import torch

    from facecond.conditions.table import CONDITIONS
    from facecond.rng import mix

    seeds: Sequence[int] = [mix(seed, "image", i) for i in range(len(attributes_NA))]
    values = {
        "attributes": torch.from_numpy(attributes_NA).to(maps.device),
        "mask": CONDITIONS["mask"].nothing(len(seeds), maps.resolution, maps.device),
    }
    drawn_NHW: NDArray[np.uint8] = maps.complete(values, seeds)
    return drawn_NHW


def main() -> None:
    """Read the words and measure."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--workspace", default="outputs")
    words.add_argument("--maps", default=None, help="run of model=maps; none = the latest that fits")
    words.add_argument("--run", default="drawn64-multicond", help="run whose pictures follow the maps")
    words.add_argument("--parser", default="drawn64-parser")
    words.add_argument("--classifier", default="drawn64-classifier")
    words.add_argument("--pack", required=True, help="drawn people that none of the models saw")
    words.add_argument("--count", type=int, default=256)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--device", default="auto")
    options = words.parse_args()
    runs = {
        "multicond": options.run, "maps": options.maps, "parser": options.parser, "classifier": options.classifier,
    }  # fmt: skip
    folder = measure(Alone(options.workspace, options.pack, runs, options.count, options.device, options.seed))
    print((folder / "table.md").read_text())


if __name__ == "__main__":
    main()
