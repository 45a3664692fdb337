"""Measured numbers with what it takes to read them: ceiling, floor, spread, count, per-class values.

Turns scores into `io.results.Figure`s. Three sets are measured the same way by the same judge: what is judged, the real
images (ceiling), and the same pictures beside conditions of other items (floor).
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.faces.attributes import MASK_FREE, MASK_IMPLIED
from facecond.faces.labels import CLASSES
from facecond.io.results import ClassValue, Figure
from facecond.metrics.classes import SPLITS, ClassScore
from facecond.metrics.faithfulness import AttributeScores, Confusion
from facecond.metrics.influence import Distance
from facecond.metrics.lines import TOLERANCE, LineMatches
from facecond.metrics.neighbours import Neighbours
from facecond.metrics.resampling import mean_spread

SPREAD_NOTE = "±: half of the 95 % interval, by drawing conditions again with all their images."

NEAR = 0.05
"""A ceiling that is no more than this above its floor, or a distance's by no more of the floor below it, shows that the judge tells
nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What all figures of one measurement share; see `io.results.Figure`."""

    reference: str = ""
    """The set compared with, for example "validation split, 256 items"."""
    preprocessing: str = ""
    """What happened to the pictures before the judge saw them."""
    judge: str = ""
    """The network that judged."""
    judge_hash: str = ""
    """SHA-256 of its weights."""
    caution: str = ""
    """Why its numbers may say less than they seem to."""


def mask_figures(
    scores: Confusion,
    *,
    ceiling: Confusion | None = None,
    floor: Confusion | None = None,
    marks: Mapping[str, Confusion] | None = None,
    conditions_N: NDArray[np.int64] | None = None,
    circumstances: Circumstances | None = None,
    seed: int = 0,
) -> list[Figure]:
    """Return "miou" (with per-class IoU), "mask_accuracy" and "mean_of_image_ious".

    `marks` are further sets on the same scale, for example {"reconstructions": ...}; `conditions_N` numbers the condition
    of each image, the unit of the intervals (None: each image has its own).
    """
    others = marks or {}
    ious = [_per_class(part) for part in (scores, ceiling, floor)]
    images = scores.images_per_class
    classes = tuple(
        ClassValue(name=name, value=ious[0][i], ceiling=ious[1][i], floor=ious[2][i], count=int(images[i]))
        for i, name in enumerate(CLASSES)
    )
    figures = [
        Figure(
            name="miou", value=scores.mean_iou, count=scores.count, title="Mask mIoU",
            spread=scores.spread("mean_iou", conditions_N, seed=seed),
            ceiling=ceiling.mean_iou if ceiling else None, floor=floor.mean_iou if floor else None,
            marks={name: part.mean_iou for name, part in others.items()}, classes=classes,
            note=f"One confusion matrix over all images; mean over classes present in the reference. {SPREAD_NOTE}",
        ),
        Figure(
            name="mask_accuracy", value=scores.accuracy, count=scores.count, title="Mask accuracy",
            spread=scores.spread("accuracy", conditions_N, seed=seed),
            ceiling=ceiling.accuracy if ceiling else None, floor=floor.accuracy if floor else None,
            marks={name: part.accuracy for name, part in others.items()},
            note=f"Share of pixels. {SPREAD_NOTE}",
        ),
        Figure(
            name="mean_of_image_ious", value=scores.mean_of_image_ious, count=scores.count,
            title="Mean of per-image mIoU", spread=mean_spread(scores.image_ious, conditions_N, seed=seed),
            ceiling=ceiling.mean_of_image_ious if ceiling else None, floor=floor.mean_of_image_ious if floor else None,
            marks={name: part.mean_of_image_ious for name, part in others.items()},
            note=f"Each image's own mIoU, averaged; not the mask mIoU. {SPREAD_NOTE}",
        ),
    ]  # fmt: skip
    return _under(circumstances, figures)


def attribute_figures(
    scores: AttributeScores,
    *,
    ceiling: AttributeScores | None = None,
    floor: AttributeScores | None = None,
    marks: Mapping[str, AttributeScores] | None = None,
    majority: NDArray[np.bool_] | None = None,
    conditions_N: NDArray[np.int64] | None = None,
    circumstances: Circumstances | None = None,
    seed: int = 0,
) -> list[Figure]:
    """Return attribute accuracy and balanced accuracy: of all attributes, and of mask-free and mask-implied ones apart.

    Names: "attribute_accuracy", "attribute_balanced", each also with "_mask_free" and "_mask_implied". Accuracies carry
    the mark "majority class": always answering `majority`, bool (A,) (the training split's; else the reference's own).
    """
    groups: dict[str, Iterable[str]] = {"": scores.names, "_mask_free": MASK_FREE, "_mask_implied": MASK_IMPLIED}
    titles = {"": "", "_mask_free": ", mask-free", "_mask_implied": ", mask-implied"}
    figures = []
    for suffix, names in groups.items():
        part, top, bottom = (_selected(each, names) for each in (scores, ceiling, floor))
        if part is None or not part.names:
            continue
        others = {name: each.select(names) for name, each in (marks or {}).items()}
        answers = majority[[scores.names.index(name) for name in part.names]] if majority is not None else None
        figures += [
            Figure(
                name=f"attribute_accuracy{suffix}", value=part.accuracy, count=part.count,
                title=f"Attribute accuracy{titles[suffix]}", spread=part.spread("accuracy", conditions_N, seed=seed),
                ceiling=top.accuracy if top else None, floor=bottom.accuracy if bottom else None,
                marks={"majority class": part.majority(answers), **{n: each.accuracy for n, each in others.items()}},
                classes=_per_attribute("accuracy_per_attribute", part, top, bottom),
                note=f"Mean over {len(part.names)} attributes. {SPREAD_NOTE}",
            ),
            Figure(
                name=f"attribute_balanced{suffix}", value=part.balanced, count=part.count,
                title=f"Balanced attribute accuracy{titles[suffix]}", spread=part.spread("balanced", conditions_N, seed=seed),
                ceiling=top.balanced if top else None, floor=bottom.balanced if bottom else None,
                marks={"guessing": 0.5, **{n: each.balanced for n, each in others.items()}},
                classes=_per_attribute("balanced_per_attribute", part, top, bottom),
                note=f"Mean over the attributes that occur both ways. {SPREAD_NOTE}",
            ),
        ]  # fmt: skip
    return _under(circumstances, figures)


def line_figures(
    scores: LineMatches,
    *,
    ceiling: LineMatches | None = None,
    floor: LineMatches | None = None,
    marks: Mapping[str, LineMatches] | None = None,
    conditions_N: NDArray[np.int64] | None = None,
    circumstances: Circumstances | None = None,
    seed: int = 0,
) -> list[Figure]:
    """Return "edge_agreement", the F1 of edges and lines; sets and `conditions_N` as in `mask_figures`."""
    figure = Figure(
        name="edge_agreement", value=scores.f1, count=scores.count, title="Edge agreement",
        spread=scores.spread(conditions_N, seed=seed),
        ceiling=ceiling.f1 if ceiling else None, floor=floor.f1 if floor else None,
        marks={name: part.f1 for name, part in (marks or {}).items()},
        note=f"F1 of edges and lines within {TOLERANCE:g} pixel: precision {scores.precision:.3f}, recall "
             f"{scores.recall:.3f}. {SPREAD_NOTE}",
    )  # fmt: skip
    return _under(circumstances, [figure])


def distance_figure(
    distance: Distance,
    *,
    name: str,
    title: str,
    against: int,
    words: str,
    ceiling: float | None,
    halves: int,
    floor: float,
    marks: Mapping[str, float] | None = None,
    conditions_N: NDArray[np.int64] | None = None,
    circumstances: Circumstances | None = None,
) -> Figure:
    """Return a distance of samples from a reference of `against` pictures, beside that of its halves from one another.

    `floor` is that of the reference's average picture, again and again. `words` say what is to be known of the distance.
    """
    figure = Figure(
        name=name, value=distance.value, count=len(distance.of_samples_N), title=title, better="lower",
        spread=distance.spread(conditions_N), ceiling=ceiling, ceiling_of=f"real halves, {halves} each",
        floor=floor, floor_of="the average picture again and again", marks=marks or {},
        note=f"Samples against {against} pictures; {words}. ±: half of the 95 % interval, from what each "
             "condition and each picture of the reference contributes.",
    )  # fmt: skip
    return _under(circumstances, [figure])[0]


def class_figure(
    score: ClassScore,
    *,
    name: str,
    title: str,
    ceiling: float,
    real: int,
    marks: Mapping[str, float] | None = None,
    conditions_N: NDArray[np.int64] | None = None,
    circumstances: Circumstances | None = None,
) -> Figure:
    """Return how clear and various the classes of samples are, beside those of `real` real pictures."""
    customary = {} if score.of_parts is None else {f"mean of {SPLITS} parts": score.of_parts}
    figure = Figure(
        name=name, value=score.value, count=len(score.influence_N), title=title, spread=score.spread(conditions_N),
        ceiling=ceiling, ceiling_of=f"{real} real pictures", floor=1.0, floor_of="pictures of one kind",
        marks={**customary, **(marks or {})},
        note="Of all pictures at once; of fewer it is smaller. ImageNet has no classes of faces, so that this tells little "
             "of them. ±: half of the 95 % interval, from what each condition contributes.",
    )  # fmt: skip
    return _under(circumstances, [figure])[0]


def neighbour_figures(
    scores: Neighbours,
    *,
    features: str,
    k: int,
    halves: Neighbours | None = None,
    conditions_N: NDArray[np.int64] | None = None,
    circumstances: Circumstances | None = None,
) -> list[Figure]:
    """Return "precision", "recall", "density" and "coverage" beside those of the reference's `halves`.

    The first and the third are means over samples, the others over pictures of the reference; each has the count of its own.
    """
    parts = {
        "precision": ("precise_N", conditions_N, "samples in the ball of a real picture"),
        "recall": ("recalled_M", None, "real pictures in the ball of a sample"),
        "density": ("dense_N", conditions_N, f"real balls around a sample, divided by {k}"),
        "coverage": ("covered_M", None, "real pictures whose ball holds a sample"),
    }
    notes = {"N": SPREAD_NOTE, "M": "±: half of the 95 % interval, by drawing real pictures again; the samples stay."}
    figures = []
    for name, (key, groups, words) in parts.items():
        values = getattr(scores, key).astype(np.float64)
        figures.append(Figure(
            name=name, title=f"{name.capitalize()}, {features} features", value=_mean(values),
            count=len(values), spread=mean_spread(values, groups),
            ceiling=_mean(getattr(halves, key).astype(np.float64)) if halves else None, ceiling_of="real halves",
            floor=0.0, floor_of="pictures like none of the other set",
            note=f"{words.capitalize()}; a ball reaches to neighbour {k} of its own set. {notes[key[-1]]}",
        ))  # fmt: skip
    return _under(circumstances, figures)


def diversity_figure(
    distances_N: NDArray[np.float64],
    *,
    name: str,
    title: str,
    samples: int,
    apart: float,
    circumstances: Circumstances | None = None,
    seed: int = 0,
) -> Figure:
    """Return the mean over conditions of the mean distance between their samples, beside that of different real pictures."""
    figure = Figure(
        name=name, value=float(distances_N.mean()), count=samples, title=title, spread=mean_spread(distances_N, seed=seed),
        ceiling=apart, ceiling_of="real pictures of different people", floor=0.0, floor_of="one picture again and again",
        note=f"Mean over {len(distances_N)} conditions of the mean over pairs of their samples. {SPREAD_NOTE}",
    )  # fmt: skip
    return _under(circumstances, [figure])[0]


def reconstruction_figures(
    psnr_N: NDArray[np.float64],
    ssim_N: NDArray[np.float64],
    *,
    apart: tuple[float | None, float | None],
    circumstances: Circumstances | None = None,
    seed: int = 0,
) -> list[Figure]:
    """Return "psnr" and "ssim": means over images, each of a condition of its own.

    `apart` are those of pictures of different people; None when there is one picture alone.
    """
    figures = [
        Figure(
            name=name, value=float(values_N.mean()), count=len(values_N), title=f"Reconstruction {name.upper()}",
            unit=unit, spread=mean_spread(values_N, seed=seed), note=f"Mean over images. {SPREAD_NOTE}",
            ceiling=most, ceiling_of="a picture and itself" if most else "", floor=least,
            floor_of="a picture and another's reconstruction",
        )
        for name, values_N, unit, most, least in (
            ("psnr", psnr_N, "dB", None, apart[0]), ("ssim", ssim_N, "", 1.0, apart[1]),
        )
    ]  # fmt: skip
    return _under(circumstances, figures)


def reconstruction_distance_figure(
    distances_N: NDArray[np.float64],
    *,
    name: str,
    title: str,
    apart: float,
    circumstances: Circumstances | None = None,
    seed: int = 0,
) -> Figure:
    """Return the mean distance of pictures from their reconstructions, beside that of different real pictures (`apart`)."""
    figure = Figure(
        name=name, value=float(distances_N.mean()), count=len(distances_N), title=title, better="lower",
        spread=mean_spread(distances_N, seed=seed), ceiling=0.0, ceiling_of="a picture and itself",
        floor=apart, floor_of="real pictures of different people", note=f"Mean over images. {SPREAD_NOTE}",
    )  # fmt: skip
    return _under(circumstances, [figure])[0]


def _mean(values_N: NDArray[np.float64]) -> float:
    """The mean, whatever the order of the values, bit for bit."""
    return math.fsum(values_N) / len(values_N)


def _under(circumstances: Circumstances | None, figures: list[Figure]) -> list[Figure]:
    about = circumstances or Circumstances()
    return [
        dataclasses.replace(
            figure, reference=about.reference, preprocessing=about.preprocessing,
            judge=about.judge, judge_hash=about.judge_hash,
            caution="; ".join(filter(None, [about.caution, _caution(figure)])),
        )
        for figure in figures
    ]  # fmt: skip


def _caution(figure: Figure) -> str:
    """Say when a measure does not tell real pictures under their own condition from pictures under another item's."""
    if figure.ceiling is None or figure.floor is None or not _is_near(figure, figure.ceiling):
        return ""
    side = "below" if figure.better == "higher" else "above"
    return f"its ceiling is near or {side} its floor: this measure cannot tell"


def _is_near(figure: Figure, value: float) -> bool:
    """Whether `value` is hardly better than the floor: a share by no more than `NEAR`, a distance by no more of the floor."""
    if figure.floor is None:
        return False
    if figure.better == "higher":
        return value - figure.floor <= NEAR
    return figure.floor - value <= NEAR * abs(figure.floor)


def of_real_pictures(figures: Iterable[Figure]) -> list[Figure]:
    """Figures of real pictures themselves, which have no ceiling; says where they are hardly better than the floor."""
    said = "it is near or below its floor: this judge cannot tell"
    return [
        dataclasses.replace(figure, caution="; ".join(filter(None, [figure.caution, said])))
        if _is_near(figure, figure.value)
        else figure
        for figure in figures
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _per_class(scores: Confusion | None) -> list[float | None]:
    return [_known(value) for value in scores.iou_per_class] if scores else [None] * len(CLASSES)


def _selected(scores: AttributeScores | None, names: Iterable[str]) -> AttributeScores | None:
    return scores.select(names) if scores else None


def _per_attribute(
    field: str, scores: AttributeScores, ceiling: AttributeScores | None, floor: AttributeScores | None
) -> tuple[ClassValue, ...]:
    """One row per attribute; "accuracy_per_attribute" or "balanced_per_attribute" of the three sets."""
    columns = [
        getattr(each, field) if each else np.full(len(scores.names), np.nan) for each in (scores, ceiling, floor)
    ]
    present = (scores.reference_NA > 0).sum(axis=0)
    return tuple(
        ClassValue(
            name=name, value=_known(columns[0][i]), ceiling=_known(columns[1][i]), floor=_known(columns[2][i]),
            count=int(present[i]), group="mask-implied" if name in MASK_IMPLIED else "mask-free",
        )
        for i, name in enumerate(scores.names)
    )  # fmt: skip
