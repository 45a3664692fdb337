"""Are samples copies of training faces? Their nearest training faces in the features of a classifier, and a threshold for copies.

The threshold is calibrated: a model is trained on a few of the training faces until it can do nothing but repeat them; its samples
are copies. Held-out faces are none. Both, and the samples of the model in question, are looked up among all of its training faces.
One half of either chooses the threshold, the other half says how well it tells them apart.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.commands import encode, sample, train
from facecond.config.compose import compose
from facecond.data.mixing import Part
from facecond.errors import ConfigError, DataError
from facecond.experiments.plan import override
from facecond.experiments.studies import Findings
from facecond.io.files import sha256_file
from facecond.io.runs import WEIGHTS
from facecond.reports.tables import value_text
from facecond.rng import numpy_generator
from facecond.workspace.find import RunInfo, find_pack, find_run, first_stage_of, is_bundled, read_run
from facecond.workspace.learnt import faces_of
from facecond.workspace.origin import learnt_from

if TYPE_CHECKING:
    from facecond.config.commands.data import DrawConfig
    from facecond.config.commands.whole import ReproduceConfig
    from facecond.data.pack import Pack
    from facecond.experiments.studies import Work

DRAWN_AGAIN = (
    "Caution: {pack} is not byte for byte the pack that {run} learnt from; drawn with the same words, these are the same people, "
    "whose pixels another processor rounds otherwise."
)

PAINTED_OTHERWISE = (
    "Caution: their label maps differ, too: they were drawn by another version of the program, or another processor."
)

COPIES, HELD_OUT = "samples of the overfitted model", "held-out faces"
"""Sets that the threshold is chosen and judged on."""

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
    from facecond.metrics.memorisation import CHOSEN, JUDGED, calibrate_and_judge, nearest
    from facecond.metrics.spread import wilson

    study, info = work.study, _studied(work)
    place = _pack(work, info)
    pack = Pack.open(place)
    same = sha256_file(place / "manifest.json") == info.pack
    cautions = [] if same else _check_pack(info, pack, work.config.workspace)
    training, held_out = pack.indices("train"), pack.indices("validation")
    if len(held_out) < 2:
        raise DataError(
            f"{place} holds out {len(held_out)} faces, and two are needed at least",
            hint="name a pack with a validation split: pack=NAME",
        )
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
        "samples": _pictures(samples), COPIES: _pictures(copies),
        HELD_OUT: np.asarray(pack.images[held_out[: max(study.count, 2)]]),
    }  # fmt: skip
    looked = {name: Looked(name, images, *nearest(features(images), among)) for name, images in sets.items()}
    copies_N, others_M = looked[COPIES].apart_N, looked[HELD_OUT].apart_N
    found = calibrate_and_judge(copies_N, others_M)
    rows = [["pictures", "count", "median distance", "nearest", "below the threshold", "95 % interval"]]
    for each in looked.values():
        judged_N = each.apart_N[JUDGED] if each.name in (COPIES, HELD_OUT) else each.apart_N
        part, low, high = wilson(int((judged_N < found.value).sum()), len(judged_N))
        rows.append([
            each.name, str(len(judged_N)), value_text(float(np.median(judged_N))), value_text(float(judged_N.min())),
            f"{part:.3f}", f"{low:.3f} to {high:.3f}",
        ])  # fmt: skip
    copied = len({int(k) for k in looked[COPIES].place_N} & {*np.flatnonzero(np.isin(training, few))})
    notes = [
        f"Distances to the nearest of {len(training)} training faces of {info.path.name}, in features of {called}.",
        f"Threshold {value_text(found.value)}: chosen on one half of the copies ({len(copies_N[CHOSEN])}) and of the held-out "
        f"faces ({len(others_M[CHOSEN])}). Of the other halves, which the table shows, {found.found:.3f} of the copies lie below "
        f"it and {found.mistaken:.3f} of the held-out faces; a copy is nearer than a held-out face with probability "
        f"{found.area:.3f}.",
        f"The overfitted model learnt from {len(few)} of the training faces; {copied} of them are nearest to one of its samples.",
        "Samples are told what held-out people show, so that a map or attributes that were told make no copy.",
        *cautions,
    ]  # fmt: skip
    sheet = work.folder / "nearest.png"
    _draw(sheet, list(looked.values()), np.asarray(pack.images), training, found.value)
    return Findings(tables={"Nearest training faces": rows}, notes=notes, files={"sheet": sheet})


def check(config: ReproduceConfig, run: Path) -> None:
    """Refuse what could only end in a wrong answer: faces that are not those the model learnt from, before they are drawn.

    Raises ConfigError.
    """
    from facecond.data.pack import Pack

    info, study = read_run(run), config.study
    if study.count < 2:
        raise ConfigError(f"study.count={study.count}: a threshold needs two samples at least")
    if config.pack is not None:
        place = find_pack(config.workspace, config.pack).path
        if sha256_file(place / "manifest.json") != info.pack:
            _check_pack(info, Pack.open(place), config.workspace)
    elif learnt_from(info, config.workspace) is None and (noted := faces_of(info, config.workspace)) is not None:
        _check_faces(info, "study.draw", of_drawing(study.draw), noted)


def of_drawing(words: Sequence[str]) -> dict[str, Any]:
    """What `facecond.data.learnt.learnt_from` would say of a pack that `facecond data draw` draws with these words."""
    config: DrawConfig = compose("data draw", words).config
    count = config.data.count - config.data.held_out
    return {
        "source": "drawn", "resolution": config.resolution, "split": "train", "count": count,
        "faces_by": f"number, drawn with seed {config.data.seed}", "faces": [[0, count]],
    }  # fmt: skip


def _check_faces(info: RunInfo, what: str, faces: Mapping[str, Any], noted: Mapping[str, Any]) -> None:
    """Raise ConfigError unless `faces` are those that the model notes."""
    keys = ("resolution", "count", "faces_by", "faces")
    if [json.dumps(faces[key]) for key in keys] != [json.dumps(noted[key]) for key in keys]:
        raise ConfigError(
            f"{what}: {_in_words(faces)}; {info.path.name} learnt from {_in_words(noted)}",
            hint="name the pack that it learnt from: pack=NAME, or study.draw=",
        )


def _in_words(faces: Mapping[str, Any]) -> str:
    which = ""
    if faces["faces_by"] != "pictures":
        which = " (" + ", ".join(f"{first} to {stop - 1}" for first, stop in faces["faces"][:3])
        which += f"{', ...' if len(faces['faces']) > 3 else ''} by {faces['faces_by']})"
    return f"{faces['count']} faces{which} of {faces['resolution']} px"


def _check_pack(info: RunInfo, pack: Pack, workspace: str) -> list[str]:
    """Cautions about a pack that is not byte for byte the one that the model learnt from.

    Raises ConfigError unless it holds the same drawn people, split in the same way, and the model came with the program: that was
    trained elsewhere, and pixels that are drawn anew may be rounded otherwise.
    """
    from facecond.data.learnt import learnt_from as faces_in
    from facecond.io.checkpoint import load_weights

    noted = faces_of(info, workspace)
    if not is_bundled(info.path) or noted is None or pack.manifest["source"].get("kind") != noted["source"]:
        raise ConfigError(
            f"{pack.path} is not the pack that {info.path.name} learnt from",
            hint="name that one: pack=NAME, or study.draw=",
        )
    _check_faces(info, str(pack.path), faces_in(pack), noted)
    arrays = load_weights(info.path / WEIGHTS).metadata["identity"]["pack"]
    own = pack.manifest["sha256"]
    if own["attributes.npy"] != arrays["attributes.npy"]:
        raise ConfigError(
            f"{pack.path}: its people have other attributes than those that {info.path.name} learnt from, by the SHA-256 of "
            "attributes.npy",
            hint="draw them with this version of the program",
        )
    again = DRAWN_AGAIN.format(pack=pack.path, run=info.path.name)
    return [again, *([] if own["labels.npy"] == arrays["labels.npy"] else [PAINTED_OTHERWISE])]


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
