"""Are samples copies of training faces? Their nearest training faces in the features of a classifier, and a threshold for copies.

The threshold is calibrated: a model is trained on a few of the training faces until it can do nothing but repeat them; its samples
are copies. Held-out faces are none. Both, and the samples of the model in question, are looked up among all of its training faces.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.commands import encode, sample, train
from facecond.data.mixing import Part
from facecond.errors import ConfigError
from facecond.experiments.plan import override
from facecond.experiments.studies import Findings
from facecond.io.files import sha256_file
from facecond.reports.tables import value_text
from facecond.rng import numpy_generator
from facecond.workspace.find import RunInfo, find_run, first_stage_of, is_bundled, read_run
from facecond.workspace.origin import learnt_from

if TYPE_CHECKING:
    from facecond.data.pack import Pack
    from facecond.experiments.studies import Work

DRAWN_AGAIN = (
    "Caution: {pack} is not byte for byte the pack that {run} learnt from; drawn with the same words, these are the same people, "
    "whose pixels another processor rounds otherwise."
)

SHOWN = 8
"""Samples shown of each model beside their nearest training faces, the nearest ones."""


class Looked(NamedTuple):
    """A set of pictures, and their nearest training faces."""

    name: str
    images_NHWC: NDArray[np.uint8]
    apart_N: NDArray[np.float64]
    place_N: NDArray[np.int64]


def plan(work: Work) -> None:
    """Note the commands."""
    info = _studied(work)
    pack = _pack(work, info)
    _samples(work, "sample the model", str(info.path), pack, "samples")
    _overfitted(work, info, work.workspace / "packs" / f"{work.name}-few")


def made(work: Work) -> Findings:
    """Do it."""
    from facecond.data.pack import Pack
    from facecond.metrics.memorisation import calibrate, nearest
    from facecond.metrics.spread import wilson

    study, info = work.study, _studied(work)
    place = _pack(work, info)
    pack = Pack.open(place)
    same = sha256_file(place / "manifest.json") == info.pack
    if not (same or (is_bundled(info.path) and pack.manifest["source"].get("kind") == "drawn")):
        raise ConfigError(
            f"{place} is not the pack that {info.path.name} learnt from",
            hint="name that one: pack=NAME, or study.draw=",
        )
    training, held_out = pack.indices("train"), pack.indices("validation")
    few = np.sort(numpy_generator(0, "overfitted", len(training)).permutation(training)[: study.faces])
    small = work.mixed(
        f"{work.name}-few", [Part(place, few, "train", "real"), Part(place, held_out[:64], "validation", "real")]
    )
    samples = _samples(work, "sample the model", str(info.path), place, "samples")
    copies = _overfitted(work, info, small)
    features, called = _features(work, pack)
    among = np.concatenate(
        [features(np.asarray(pack.images[training[k : k + 1024]])) for k in range(0, len(training), 1024)]
    )
    sets = {
        "samples": _pictures(samples), "samples of the overfitted model": _pictures(copies),
        "held-out faces": np.asarray(pack.images[held_out[: max(study.count, 2)]]),
    }  # fmt: skip
    looked = {name: Looked(name, images, *nearest(features(images), among)) for name, images in sets.items()}
    found = calibrate(looked["samples of the overfitted model"].apart_N, looked["held-out faces"].apart_N)
    rows = [["pictures", "count", "median distance", "nearest", "below the threshold", "95 % interval"]]
    for each in looked.values():
        part, low, high = wilson(int((each.apart_N < found.value).sum()), len(each.apart_N))
        rows.append([
            each.name, str(len(each.apart_N)), value_text(float(np.median(each.apart_N))), value_text(float(each.apart_N.min())),
            f"{part:.3f}", f"{low:.3f} to {high:.3f}",
        ])  # fmt: skip
    copied = len(
        {int(k) for k in looked["samples of the overfitted model"].place_N} & {*np.flatnonzero(np.isin(training, few))}
    )
    notes = [
        f"Distances to the nearest of {len(training)} training faces of {info.path.name}, in features of {called}.",
        f"Threshold {value_text(found.value)}: {found.found:.3f} of the copies lie below it, {found.mistaken:.3f} of the "
        f"held-out faces; a copy is nearer than a held-out face with probability {found.area:.3f}.",
        f"The overfitted model learnt from {len(few)} of the training faces; {copied} of them are nearest to one of its samples.",
        "Samples are told what held-out people show, so that a map or attributes that were told make no copy.",
        *([] if same else [DRAWN_AGAIN.format(pack=place, run=info.path.name)]),
    ]  # fmt: skip
    sheet = work.folder / "nearest.png"
    _draw(sheet, list(looked.values()), np.asarray(pack.images), training, found.value)
    return Findings(tables={"Nearest training faces": rows}, notes=notes, files={"sheet": sheet})


def _studied(work: Work) -> RunInfo:
    return read_run(find_run(work.config.workspace, work.study.run, "diffusion").path)


def _pack(work: Work, info: RunInfo) -> Path:
    """The pack the model learnt from: the one that is named, the one that is here, else the one that is drawn again."""
    found = learnt_from(info, work.config.workspace) if work.config.pack is None else None
    if found is not None:
        return found.path
    return work.faces(work.study.draw, f"{work.name}-faces")


def _samples(work: Work, title: str, run: str, pack: Path, name: str) -> Path:
    """Sample as many pictures as there are held-out people to say what they show, at most `count`."""
    called = f"{work.name}-{name}"
    words = [
        override("run", run),
        override("pack", str(pack)),
        f"count={work.study.count}",
        "maps=none",
        *work.study.sampling,
    ]
    work.command(title, sample, [*words, override("name", called), *work.computing])
    return work.workspace / "samples" / called


def _overfitted(work: Work, info: RunInfo, pack: Path) -> Path:
    """Train a model on a few faces until it repeats them; return its samples."""
    stage = first_stage_of(work.config.workspace, str(info.first_stage), str(info.path))
    first_stage, name = override("first_stage", str(stage)), f"{work.name}-overfitted"
    if str(info.first_stage) != "none":
        work.command("encode the few faces", encode, [override("pack", str(pack)), first_stage, *work.computing])
    words = [*work.study.overfit, override("pack", str(pack)), first_stage, override("name", name), *work.computing]
    work.command("overfit a model", train, words)
    return _samples(work, "sample the overfitted model", str(work.workspace / "runs" / name), pack, "copies")


def _pictures(folder: Path) -> NDArray[np.uint8]:
    from facecond.sampling.generation import open_generation

    return np.asarray(open_generation(folder).images)


def _features(work: Work, pack: Pack) -> tuple[Any, str]:
    """What a classifier that was made for the pack sees before it answers, and what it is called."""
    from torch import nn

    from facecond.assembly.judges import load_classifier
    from facecond.training.device import choose_device
    from facecond.workspace.judges import choose_judge

    found = choose_judge(work.config.workspace, "classifier", pack)
    judge = load_classifier(found.path, choose_device(work.config.device))
    judge.network.fc = nn.Identity()
    return dataclasses.replace(judge, answer=lambda network, images: network(images)), judge.name


def _draw(
    path: Path, looked: list[Looked], images: NDArray[np.uint8], training: NDArray[np.int64], threshold: float
) -> None:
    """Of each set the pictures that are nearest to a training face, each above that face."""
    from facecond.io.images import write_png
    from facecond.reports.grids import Cell, grid

    rows, names = [], []
    for each in looked:
        order = np.argsort(each.apart_N)[:SHOWN]
        rows.append([Cell(picture=each.images_NHWC[k]) for k in order])
        rows.append([
            Cell(picture=images[training[each.place_N[k]]], caption=value_text(float(each.apart_N[k]))) for k in order
        ])  # fmt: skip
        names += [each.name, "nearest training face"]
    title = "Nearest training faces, the nearest pictures of each set first"
    write_png(path, grid(rows, title=title, text=f"threshold {value_text(threshold)}", names=names, cell=96))
