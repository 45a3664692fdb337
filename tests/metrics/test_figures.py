"""Figures say what the scores say, beside ceiling, floor and marks, and can be written and read."""

from pathlib import Path

import numpy as np
import pytest

from facecond.faces.attributes import ATTRIBUTES, MASK_FREE, MASK_IMPLIED
from facecond.io.results import Figure, read_results, write_results
from facecond.metrics.faithfulness import AttributeScores, Confusion
from facecond.metrics.figures import (
    Circumstances,
    attribute_figures,
    line_figures,
    mask_figures,
    reconstruction_figures,
)
from facecond.metrics.lines import LineMatches
from facecond.metrics.resampling import derangement

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 18, (12, 16, 16)).astype(np.uint8)
FOUND = np.where(GENERATOR.random(LABELS.shape) < 0.3, 0, LABELS).astype(np.uint8)
WANTED = np.where(GENERATOR.random((12, 40)) < 0.5, 1, -1).astype(np.int8)


def test_mask_figures() -> None:
    scores, ceiling = Confusion.of(LABELS, FOUND), Confusion.of(LABELS, LABELS)
    floor = Confusion.of(LABELS[derangement(12)], FOUND)
    about = Circumstances(judge="small parser", judge_hash="ab" * 32)
    figures = mask_figures(
        scores, ceiling=ceiling, floor=floor, marks={"reconstructions": ceiling}, circumstances=about
    )
    miou, accuracy, of_images = figures
    assert [figure.name for figure in figures] == ["miou", "mask_accuracy", "mean_of_image_ious"]
    assert (miou.value, miou.ceiling, miou.floor, miou.count) == (scores.mean_iou, 1.0, floor.mean_iou, 12)
    assert miou.value > 4 * floor.mean_iou
    assert miou.marks == {"reconstructions": 1.0}
    assert miou.spread == scores.spread()
    assert accuracy.value == pytest.approx((LABELS == FOUND).mean())
    assert of_images.value == scores.mean_of_image_ious
    assert all(figure.judge_hash == "ab" * 32 for figure in figures)
    rows = {row.name: row for row in miou.classes}
    assert rows["cloth"].value is None  # class 18 never occurs here
    assert rows["cloth"].count == 0
    assert rows["nose"].value == pytest.approx(scores.iou_per_class[2])
    assert rows["nose"].ceiling == 1.0


def test_attribute_figures() -> None:
    there = WANTED > 0
    scores = AttributeScores(there ^ (GENERATOR.random(there.shape) < 0.2), WANTED)
    perfect = AttributeScores(there, WANTED)
    majority = np.zeros(40, dtype=bool)
    figures = {f.name: f for f in attribute_figures(scores, ceiling=perfect, floor=scores, majority=majority)}
    assert len(figures) == 6
    assert figures["attribute_accuracy"].value == scores.accuracy
    assert figures["attribute_accuracy"].ceiling == 1.0
    assert figures["attribute_accuracy"].marks["majority class"] == pytest.approx((WANTED < 0).mean())
    for suffix, names in (("mask_free", MASK_FREE), ("mask_implied", MASK_IMPLIED)):
        kept = [index for index, name in enumerate(ATTRIBUTES) if name in names]
        figure = figures[f"attribute_accuracy_{suffix}"]
        assert figure.value == pytest.approx((scores.found_NA == there)[:, kept].mean())
        assert figure.marks["majority class"] == pytest.approx((WANTED < 0)[:, kept].mean())
        assert len(figures[f"attribute_balanced_{suffix}"].classes) == len(names)
    assert {row.group for row in figures["attribute_accuracy"].classes} == {"mask-free", "mask-implied"}


def test_figures_survive_the_file(tmp_path: Path) -> None:
    scores = Confusion.of(LABELS, FOUND)
    figures = [
        *mask_figures(scores),
        *reconstruction_figures(np.array([20.0, 30.0]), np.array([0.5, 0.7]), apart=(9.0, 0.1)),
    ]
    write_results(tmp_path / "results.json", figures, about={})
    read = read_results(tmp_path / "results.json")
    assert read["miou"].value == scores.mean_iou
    assert (read["psnr"].value, read["psnr"].unit) == (25.0, "dB")
    assert read["ssim"].value == pytest.approx(0.6)


def test_every_interval_is_of_conditions() -> None:
    """Ten copies of every image leave every interval as it is."""
    psnr, ssim = GENERATOR.normal(25, 3, 12), GENERATOR.random(12)
    lines = LineMatches(np.sort(GENERATOR.integers(1, 50, (12, 2, 2)), axis=2)[:, :, ::-1].reshape(12, 4))
    scores, attributes = Confusion.of(LABELS, FOUND), AttributeScores(GENERATOR.random(WANTED.shape) < 0.5, WANTED)

    def figures(copies: int) -> list[Figure]:
        conditions = np.repeat(np.arange(12), copies)
        masks = Confusion(scores.counts_NKK.repeat(copies, 0))
        faces = AttributeScores(attributes.found_NA.repeat(copies, 0), attributes.reference_NA.repeat(copies, 0))
        return [
            *mask_figures(masks, conditions_N=conditions),
            *attribute_figures(faces, conditions_N=conditions),
            *line_figures(LineMatches(lines.counts_N4.repeat(copies, 0)), conditions_N=conditions),
        ]

    for once, often in zip(figures(1), figures(10), strict=True):
        assert often.spread == pytest.approx(once.spread, rel=1e-9)
        assert often.count == 10 * once.count
        assert "95 % interval" in once.note
    expected = 2.201 * psnr.std(ddof=1) / np.sqrt(12)  # Student's quantile for 11 degrees of freedom
    assert reconstruction_figures(psnr, ssim, apart=(9.0, 0.1))[0].spread == pytest.approx(expected, rel=0.05)
