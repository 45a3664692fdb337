"""What is measured passes by once, in pieces; agreement is what comparing everything at once gives."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecond.conditions.table import CONDITIONS
from facecond.data.pack import Pack, PackWriter
from facecond.drawn.painter import draw
from facecond.errors import DataError
from facecond.measuring import pictures
from facecond.measuring.evidence import Evidence, measure
from facecond.measuring.items import RealItems, SampledItems
from facecond.measuring.pictures import Reconstructed, Rows
from facecond.measuring.table import DETECTORS, MEASURES, measures_named
from facecond.metrics.faithfulness import AttributeScores, Confusion
from facecond.sampling.folder import digest_of
from facecond.sampling.generation import Generation

COUNT, SIZE = 12, 32


@dataclass
class Counting:
    """A detector that answers from pixels and counts what it sees."""

    answer: Callable[[np.ndarray], np.ndarray]
    name: str = "counting"
    sha256: str = "ab" * 32
    preprocessing: str = "none"
    published: bool = True
    keeps: bool = False
    learnt_from: Any = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def __call__(self, images_NHWC: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images_NHWC))
        return self.answer(images_NHWC)


def parse(images: np.ndarray) -> np.ndarray:
    return (images[..., 0] // 16).astype(np.uint8)


def classify(images: np.ndarray) -> np.ndarray:
    return images[:, 0, :40, 1].repeat(2, axis=1)[:, :40] > 120


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    faces = draw(0, range(COUNT), SIZE)
    writer = PackWriter(
        tmp_path_factory.mktemp("pack") / "faces", count=COUNT, resolution=SIZE, source={"kind": "drawn"}
    )
    writer.write(slice(0, COUNT), faces.images, faces.labels, faces.attributes)
    return writer.finish([f"face-{index}" for index in range(COUNT)], ["train"] * 4 + ["validation"] * 8)


def record_of(pack: Pack, item: int, name: str, folder: Path) -> dict[str, str]:
    """What is recorded of a sample that was told the condition `name` of an item."""
    value = np.asarray(pack.values(CONDITIONS[name])[item])
    digest = digest_of(value)
    return {"value": CONDITIONS[name].record(value, folder, digest), "sha256": digest}


def samples_of(pack: Pack, items: list[int], told: tuple[str, ...], folder: Path) -> Generation:
    """Noise said to be samples of these items."""
    images = np.random.default_rng(5).integers(0, 256, (len(items), SIZE, SIZE, 3)).astype(np.uint8)
    records = [
        {"index": row, "source": pack.ids[item], "told": {name: record_of(pack, item, name, folder) for name in told}}
        for row, item in enumerate(items)
    ]
    return Generation(folder=folder, images=images, records=records, made_with={}, about={})


def evidence(
    samples: Generation,
    pack: Pack,
    reconstruct: Callable[[np.ndarray], np.ndarray] = lambda images: 255 - images,
    detectors: dict[str, Counting] | None = None,
    **more: Any,
) -> Evidence:
    """Samples beside the pictures behind them, their reconstructions, and the validation split."""
    items = SampledItems(samples=samples, pack=pack)
    name = pack.manifest["sha256"]["images.npy"]
    real = Rows(pack.images, items.unique, name)
    sets = {
        "samples": Rows(samples.images, np.arange(len(samples.images))),
        "real pictures": real,
        "reconstructions": Reconstructed(real, reconstruct, "f" * 64),
        "samples of one condition": Rows(samples.images, items.grouped),
        "reference": Rows(pack.images, pack.indices("validation"), name),
    }
    return Evidence(
        sets=sets, detectors=detectors or {"parser": Counting(parse), "classifier": Counting(classify)}, items=items,
        reference=f"validation split of {pack.path.name}", varied=items.places[items.grouped], **more,
    )  # fmt: skip


ITEMS = [4, 9, 4, 6, 9, 11, 6, 5]


@pytest.mark.parametrize("piece", [3, 64])
def test_agreement_is_that_of_everything_at_once(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(pictures, "PIECE", piece)
    samples = samples_of(pack, ITEMS, ("attributes", "mask"), tmp_path)
    seen = evidence(samples, pack)
    figures = {figure.name: figure for figure in measure(measures_named(["miou", "attributes"]), seen)}
    unique = sorted(set(ITEMS))
    real, labels = pack.images[unique], pack.labels[unique]
    miou = figures["miou"]
    assert miou.value == pytest.approx(Confusion.of(pack.labels[ITEMS], parse(samples.images)).mean_iou)
    assert miou.ceiling == pytest.approx(Confusion.of(labels, parse(real)).mean_iou)
    assert miou.marks == {"reconstructions": pytest.approx(Confusion.of(labels, parse(255 - real)).mean_iou)}
    others = np.array(ITEMS)[seen.behind.partners]
    assert miou.floor == pytest.approx(Confusion.of(pack.labels[others], parse(samples.images)).mean_iou)
    accuracy = figures["attribute_accuracy"]
    assert accuracy.value == pytest.approx(AttributeScores(classify(samples.images), pack.attributes[ITEMS]).accuracy)
    assert (miou.count, miou.reference) == (8, "validation split of faces, 5 items")
    assert accuracy.marks["majority class"] == pytest.approx(
        AttributeScores(classify(samples.images), pack.attributes[ITEMS]).majority(
            (pack.attributes[:4] > 0).sum(0) >= (pack.attributes[:4] < 0).sum(0)
        )
    )


def test_real_pictures_reach_their_ceiling(pack: Pack, tmp_path: Path) -> None:
    """Samples that are the real pictures score exactly as these do: both are measured the same way."""
    items = sorted(set(ITEMS))
    samples = samples_of(pack, items, ("attributes", "mask", "sketch"), tmp_path)
    samples.images[:] = pack.images[items]
    figures = measure(measures_named(["miou", "accuracy", "attributes", "edges"]), evidence(samples, pack))
    assert len(figures) >= 10
    for figure in figures:
        assert figure.value == figure.ceiling


def test_every_set_passes_by_once_whatever_is_measured(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PIECE", 3)
    again: list[int] = []

    def reconstruct(images: np.ndarray) -> np.ndarray:
        again.append(len(images))
        return images

    seen = evidence(samples_of(pack, ITEMS, ("attributes", "mask"), tmp_path), pack, reconstruct=reconstruct)
    measure(measures_named(["miou", "accuracy", "attributes", "reconstruction", "edges"]), seen)
    assert again == [3, 2]
    for detector in seen.detectors.values():
        assert detector.sizes == [3, 3, 2, 3, 2, 3, 2]  # type: ignore[attr-defined]


def test_what_is_too_much_at_once_is_looked_at_in_pieces(
    pack: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def greedy(images: np.ndarray) -> np.ndarray:
        if len(images) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 13.00 GiB")
        return parse(images)

    samples = samples_of(pack, ITEMS, ("attributes", "mask"), tmp_path)
    patient, hungry = (evidence(samples, pack, detectors={"parser": Counting(answer)}) for answer in (parse, greedy))
    figures = [measure(measures_named(["miou", "reconstruction"]), each) for each in (patient, hungry)]
    assert [each.value for each in figures[0]] == [each.value for each in figures[1]]
    assert "memory is not enough for 8 at once; going on with 4" in caplog.text
    assert hungry.detectors["parser"].sizes == [8, 4, 2, 2, 2, 2, 2, 2, 1, 2, 2, 1]  # type: ignore[attr-defined]


def test_the_floor_is_the_condition_of_another_item(pack: Pack, tmp_path: Path) -> None:
    seen = evidence(samples_of(pack, ITEMS, ("mask",), tmp_path), pack)
    items = np.array(ITEMS)
    assert (items[seen.behind.partners] != items).all()


def test_what_was_not_told_is_compared_with_the_item_and_said(pack: Pack, tmp_path: Path) -> None:
    told = evidence(samples_of(pack, ITEMS, ("mask", "attributes"), tmp_path), pack)
    untold = evidence(samples_of(pack, ITEMS, ("attributes",), tmp_path), pack)
    (with_map,), (without,) = (measure(measures_named(["accuracy"]), each) for each in (told, untold))
    assert with_map.value == without.value
    said = "the samples were not told mask, and are compared with that of the items behind them"
    assert said in without.caution
    assert said not in with_map.caution


def test_what_was_told_otherwise_is_compared_with_that_and_said(pack: Pack, tmp_path: Path) -> None:
    samples = samples_of(pack, ITEMS, ("mask",), tmp_path)
    for row in (0, 3):
        samples.records[row]["told"]["mask"] = record_of(pack, 10, "mask", tmp_path)
    (figure,) = measure(measures_named(["accuracy"]), evidence(samples, pack))
    told = [10, *ITEMS[1:3], 10, *ITEMS[4:]]
    assert figure.value == pytest.approx(Confusion.of(pack.labels[told], parse(samples.images)).accuracy)
    said = "2 of 8 samples were told another mask than that of the items behind them, and are compared with what they were told"
    assert said in figure.caution


def test_what_a_judge_read_for_the_samples_is_not_what_they_are_compared_with(pack: Pack, tmp_path: Path) -> None:
    samples = samples_of(pack, ITEMS, ("mask", "attributes"), tmp_path)
    samples.about["noisy"] = {"mask": "some parser"}
    for record in samples.records:
        record["told"]["mask"] = record_of(pack, 10, "mask", tmp_path)
    seen = evidence(samples, pack)
    figures = {figure.name: figure for figure in measure(measures_named(["accuracy", "attributes", "psnr"]), seen)}
    accuracy, others = figures["mask_accuracy"], np.array(ITEMS)[seen.behind.partners]
    for value, items in ((accuracy.value, ITEMS), (accuracy.floor, others)):
        assert value == pytest.approx(Confusion.of(pack.labels[items], parse(samples.images)).accuracy)
    said = "the model was told mask as some parser reads it off the real pictures"
    assert f"{said}, and is compared with the true mask" in accuracy.caution
    assert figures["attribute_accuracy"].caution.startswith(said)
    assert "compared" not in figures["attribute_accuracy"].caution
    assert "told" not in figures["psnr"].caution  # no sample is looked at


def test_what_only_some_were_told_is_refused(pack: Pack, tmp_path: Path) -> None:
    samples = samples_of(pack, ITEMS, ("mask", "attributes"), tmp_path)
    del samples.records[2]["told"]["mask"]
    with pytest.raises(DataError, match=r"mask: image 2 of .* was not told it"):
        measure(measures_named(["miou"]), evidence(samples, pack))


@pytest.mark.parametrize(
    ("sources", "words"), [(["face-4", "x"], "image 1 of .* has no item"), (["face-4"] * 2, "one item only")]
)
def test_samples_that_cannot_be_compared_are_refused(
    pack: Pack, tmp_path: Path, sources: list[str], words: str
) -> None:
    samples = samples_of(pack, [4, 5], ("mask",), tmp_path)
    for record, source in zip(samples.records, sources, strict=True):
        record["source"] = source
    with pytest.raises(DataError, match=words):
        measure(measures_named(["miou"]), evidence(samples, pack))


def test_edges_of_real_pictures_lie_on_their_sketches(pack: Pack, tmp_path: Path) -> None:
    """A sketch holds every edge of its picture, and outlines besides: precision 1, recall the share of lines near an edge."""
    samples = samples_of(pack, ITEMS, ("sketch",), tmp_path)
    (figure,) = measure(measures_named(["edges"]), evidence(samples, pack, reconstruct=lambda images: images))
    assert figure.ceiling == figure.marks["reconstructions"]
    assert figure.ceiling is not None
    assert 0.6 < figure.ceiling <= 1
    assert figure.value < figure.ceiling


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_finds_its_detector_and_its_condition(name: str) -> None:
    scores = MEASURES[name].scores
    assert scores.detector is None or scores.detector in DETECTORS
    assert scores.condition is None or scores.condition in CONDITIONS
    assert MEASURES[name].help


def test_every_condition_s_measures_are_there() -> None:
    for condition in CONDITIONS.values():
        assert set(condition.measures) <= set(MEASURES)


def test_psnr_and_ssim_can_be_asked_for_alone(pack: Pack, tmp_path: Path) -> None:
    seen = evidence(samples_of(pack, ITEMS, ("mask",), tmp_path), pack)
    (psnr,), (ssim,), both = (measure(measures_named(names), seen) for names in (["psnr"], ["ssim"], ["ssim", "psnr"]))
    assert ([psnr.name, ssim.name], [each.name for each in both]) == (["psnr", "ssim"], ["ssim", "psnr"])
    together = measure(measures_named(["reconstruction"]), seen)
    assert [(each.name, each.value, each.spread) for each in together] == [
        (each.name, each.value, each.spread) for each in (psnr, ssim)
    ]
    real = np.asarray(pack.images[sorted(set(ITEMS))]).astype(np.float64)
    errors = ((real - (255 - real)) ** 2).mean(axis=(1, 2, 3))
    assert psnr.value == pytest.approx(np.mean(20 * np.log10(255) - 10 * np.log10(errors)))
    assert (psnr.unit, psnr.count) == ("dB", 5)
    apart = ((np.roll(real, -1, axis=0) - (255 - real)) ** 2).mean(axis=(1, 2, 3))
    assert psnr.floor == pytest.approx(np.mean(20 * np.log10(255) - 10 * np.log10(apart)))
    assert (psnr.ceiling, ssim.ceiling) == (None, 1.0)
    one = Rows(pack.images, np.array([5]))
    alone = dataclasses.replace(
        seen, sets={"real pictures": one, "reconstructions": Reconstructed(one, lambda images: 255 - images, "f" * 64)}
    )
    assert [each.floor for each in measure(measures_named(["reconstruction"]), alone)] == [None, None]


def test_a_judge_of_real_pictures_that_cannot_tell_says_so(pack: Pack) -> None:
    """It answers the same whatever it sees."""
    own = RealItems(pack=pack, items=pack.indices("validation"))
    pictures = Rows(pack.images, own.items)
    for answer, said in ((lambda images: np.zeros(images.shape[:3], np.uint8), True), (None, False)):
        labels = {
            images.tobytes(): np.asarray(pack.labels[item]) for item, images in enumerate(np.asarray(pack.images))
        }
        parser = Counting(
            answer or (lambda images, labels=labels: np.stack([labels[each.tobytes()] for each in images]))
        )
        seen = Evidence(
            sets={"samples": pictures, "reference": pictures}, detectors={"parser": parser}, reference="real", items=own
        )
        figures = measure(measures_named(["miou", "accuracy"]), seen)
        assert all((figure.ceiling is None) and (figure.floor is not None) for figure in figures)
        assert {"it is near or below its floor: this judge cannot tell" in figure.cautions for figure in figures} == {
            said
        }
        assert said or [figure.value for figure in figures] == [1.0] * 3
