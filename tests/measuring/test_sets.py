"""Distances and diversity: what is shown of features, what is kept on the disk, and what others are used when some are missing."""

import dataclasses
import logging
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import log_softmax

from facecond.config.commands.evaluate import EvalConfig
from facecond.data.pack import Pack
from facecond.errors import CheckpointError, ConfigError, DataError
from facecond.measuring import pictures
from facecond.measuring.detectors import find_detectors, identity, load_detectors
from facecond.measuring.evidence import Evidence, measure
from facecond.measuring.features import Network
from facecond.measuring.measure import DetectorKind, Source
from facecond.measuring.pictures import Averaged, Files, Reconstructed, Rows
from facecond.measuring.table import DETECTORS, measures_named
from facecond.metrics import neighbours
from facecond.metrics.classes import class_score
from facecond.metrics.extrapolation import frechet_at_infinity
from facecond.metrics.frechet import frechet_distance
from facecond.metrics.kernel import kernel_distance
from facecond.metrics.sliced import sliced_distance
from facecond.pretrained.published import UnavailableError
from facecond.workspace.find import Found
from tests.measuring.test_evidence import ITEMS, Counting, pack, samples_of
from tests.measuring.test_evidence import evidence as sets_of

__all__ = ["pack"]


def features(images: np.ndarray) -> np.ndarray:
    """Mean and deviation of each colour."""
    flat = images.reshape(len(images), -1, 3).astype(np.float32)
    return np.concatenate([flat.mean(1), flat.std(1)], axis=1)


def evidence(pack: Pack, folder: Path, items: list[int] = ITEMS, **more: Any) -> Evidence:
    network = {
        name: Counting(features, keeps=name == "features", published=False) for name in ("features", "perceptual")
    }
    return sets_of(samples_of(pack, items, ("mask",), folder), pack, detectors=network, **more)


def test_distances_are_those_of_the_features(pack: Pack, tmp_path: Path) -> None:
    seen = evidence(pack, tmp_path)
    fid, kid, mind = measure(measures_named(["fid", "kid", "mind"]), seen)
    real = features(np.asarray(pack.images[pack.indices("validation")]))
    samples, again = features(seen.behind.samples.images), features(255 - np.asarray(pack.images[sorted(set(ITEMS))]))
    for figure, distance in ((fid, frechet_distance), (kid, kernel_distance), (mind, sliced_distance)):
        assert figure.value == pytest.approx(distance(samples, real).value)
        halves = [distance(real[list(half)], np.delete(real, half, axis=0)).value for half in combinations(range(8), 4)]
        assert any(figure.ceiling == pytest.approx(each) for each in halves)
        assert figure.marks["reconstructions"] == pytest.approx(distance(again, real).value)
        assert figure.spread == pytest.approx(distance(samples, real).spread(np.array(ITEMS)))
        assert figure.better == "lower"
        average = np.asarray(pack.images[pack.indices("validation")]).astype(np.float64).mean(axis=0)
        alone = features(np.stack([average.round().astype(np.uint8)] * 8))
        assert figure.floor == pytest.approx(distance(alone, real).value)
        assert figure.floor_of == "the average picture again and again"
    assert (fid.name, fid.title) == ("frechet_distance", "Frechet distance, counting features")
    assert (mind.name, mind.title) == ("sliced_wasserstein_distance", "Sliced Wasserstein distance, counting features")
    assert (fid.count, fid.reference) == (8, "validation split of faces, 8 items")
    seen.detectors["features"].published = True  # type: ignore[misc]
    figures = measure(measures_named(["fid", "kid", "mind"]), seen)
    assert [(each.name, each.title) for each in figures] == [("fid", "FID"), ("kid", "KID"), ("mind", "MIND")]


def test_distance_at_infinity_keeps_samples_of_one_condition_together(pack: Pack, tmp_path: Path) -> None:
    items = [4, 5, 6, 7, 8, 9, 4, 5, 10, 11]
    seen = evidence(pack, tmp_path, items)
    (figure,) = measure(measures_named(["fid_infinity"]), seen)
    real = features(np.asarray(pack.images[pack.indices("validation")]))
    samples, again = features(seen.behind.samples.images), features(255 - np.asarray(pack.images[sorted(set(items))]))
    assert figure.value == pytest.approx(frechet_at_infinity(samples, real, np.array(items)).value)
    assert figure.marks["reconstructions"] == pytest.approx(frechet_at_infinity(again, real).value)
    assert (figure.name, figure.count, figure.ceiling) == (
        "frechet_distance_infinity",
        10,
        None,
    )  # halves of 4 pictures
    assert "extrapolated from parts of 3 samples, fewer than the 6 features" in figure.caution
    seen.detectors["features"].published = True  # type: ignore[misc]
    (figure,) = measure(measures_named(["fid_infinity"]), seen)
    assert (figure.name, figure.title) == ("fid_infinity", "FID-infinity")
    with pytest.raises(DataError, match=r"5 conditions are too few for FID-infinity.*6 or more"):
        measure(measures_named(["fid_infinity"]), evidence(pack, tmp_path))


def test_of_too_few_reconstructions_there_is_no_mark(pack: Pack, tmp_path: Path) -> None:
    """As many as a distance needs have one; the distance itself is there all the same."""
    seen = evidence(pack, tmp_path, [4, 5, 6, 7, 8, 9, 10, 11])
    for count in (5, 6):
        real = Rows(pack.images, np.arange(4, 4 + count))
        sets = {
            **seen.sets,
            "real pictures": real,
            "reconstructions": Reconstructed(real, lambda images: images, "f" * 64),
        }
        fid, infinity = measure(measures_named(["fid", "fid_infinity"]), dataclasses.replace(seen, sets=sets))
        assert set(fid.marks) == {"reconstructions"}
        assert set(infinity.marks) == ({"reconstructions"} if count == 6 else set())
        assert infinity.value == pytest.approx(
            frechet_at_infinity(seen_rows(seen, "samples"), seen_rows(seen, "reference")).value
        )


def seen_rows(seen: Evidence, which: str) -> np.ndarray:
    """The features of a set."""
    return features(seen.sets[which].read(np.arange(len(seen.sets[which]))))


def test_neighbours_count_what_their_means_are_over(pack: Pack, tmp_path: Path) -> None:
    seen = evidence(pack, tmp_path, [4, 5, 6, 7, 8, 9, 10, 11, 4, 5])
    shown = measure(measures_named(["precision", "recall", "density", "coverage"]), seen)
    assert {figure.name: figure.count for figure in shown} == {
        "precision": 10,
        "recall": 8,
        "density": 10,
        "coverage": 8,
    }
    assert all("8 pictures are too few for a distribution" in figure.caution for figure in shown)
    for figure in shown:  # a mean of so many answers, yes or no, or of so many counts of K = 5 balls
        assert figure.value * figure.count * (5 if figure.name == "density" else 1) == pytest.approx(
            round(figure.value * figure.count * (5 if figure.name == "density" else 1))
        )
    many = Rows(np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8), np.arange(60))
    enough = dataclasses.replace(seen, sets={"samples": many, "reference": many}, items=None)
    assert not any(figure.caution for figure in measure(measures_named(["recall"]), enough))


def classes(rows: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities of six classes."""
    found: np.ndarray = log_softmax(rows.astype(np.float64) / 20, axis=1)
    return found


@pytest.mark.parametrize("published", [False, True])
def test_classes_follow_from_the_features_of_distances(pack: Pack, tmp_path: Path, published: bool) -> None:
    looked: list[int] = []

    def look(images: np.ndarray) -> np.ndarray:
        looked.append(len(images))
        return features(images)

    network = Network(
        name="six", sha256="ab" * 32, preprocessing="none", look=look, published=published, keeps=True, classes=classes
    )
    samples = samples_of(pack, ITEMS, ("mask",), tmp_path)
    seen = sets_of(samples, pack, detectors={"features": network}, kept=tmp_path / "features")  # type: ignore[dict-item]
    score, _ = measure(measures_named(["is", "fid"]), seen)
    assert sum(looked) == 8 + 5 + 8 + 8  # samples, reconstructions, reference and its average
    real = features(np.asarray(pack.images[pack.indices("validation")]))
    own = class_score(features(samples.images), classes)
    assert score.value == pytest.approx(own.value)
    assert score.spread == pytest.approx(own.spread(np.array(ITEMS)))
    assert score.ceiling == pytest.approx(class_score(real, classes).value)
    again = class_score(features(255 - np.asarray(pack.images[sorted(set(ITEMS))])), classes)
    assert score.marks == {"reconstructions": pytest.approx(again.value)}
    assert (score.floor, score.better, score.count) == (1.0, "higher", 8)
    named = ("inception_score", "Inception score") if published else ("class_score", "Class score, six classes")
    assert (score.name, score.title) == named
    assert ("not the Inception score" in score.caution) != published


@pytest.mark.parametrize("piece", [2, 64])
def test_diversity_is_the_mean_over_pairs(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(pictures, "PIECE", piece)
    items = [4, 9, 4, 6, 9, 6, 6, 4]
    seen = evidence(pack, tmp_path, items)
    (figure,) = measure(measures_named(["lpips"]), seen)
    rows = features(seen.behind.samples.images).astype(np.float64)

    def mean_over_pairs(rows: np.ndarray) -> float:
        return float(np.mean([((a - b) ** 2).sum() for a, b in combinations(rows, 2)]))

    own = [mean_over_pairs(rows[np.array(items) == item]) for item in sorted(set(items))]
    assert figure.value == pytest.approx(np.mean(own))
    assert figure.ceiling == pytest.approx(
        mean_over_pairs(features(np.asarray(pack.images[[4, 6, 9]])).astype(np.float64))
    )
    assert (figure.count, figure.floor) == (8, 0.0)


def test_one_sample_of_a_condition_has_no_diversity(pack: Pack, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one sample only of face-6, .*samples=10"):
        measure(measures_named(["lpips"]), evidence(pack, tmp_path, [4, 4, 6]))


@pytest.mark.parametrize("piece", [2, 64])
def test_reconstructions_are_as_far_from_their_pictures_as_their_features(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(pictures, "PIECE", piece)
    seen = evidence(pack, tmp_path)
    (figure,) = measure(measures_named(["lpips_reconstruction"]), seen)
    real = np.asarray(pack.images[sorted(set(ITEMS))])
    one, two = features(real).astype(np.float64), features(255 - real).astype(np.float64)
    assert figure.value == pytest.approx(((one - two) ** 2).sum(axis=1).mean(), rel=1e-6)
    assert figure.floor == pytest.approx(np.mean([((a - b) ** 2).sum() for a, b in combinations(one, 2)]))
    assert (figure.ceiling, figure.count, figure.better) == (0.0, 5, "lower")
    assert figure.name == "perceptual_reconstruction"
    assert figure.caution == "in the features of counting, not of AlexNet with LPIPS's weights: not LPIPS"
    seen.detectors["perceptual"].published = True  # type: ignore[misc]
    (figure,) = measure(measures_named(["lpips_reconstruction"]), seen)
    assert (figure.name, figure.title, figure.caution) == ("lpips_reconstruction", "Reconstruction LPIPS", "")


def test_features_are_kept_and_looked_at_once(pack: Pack, tmp_path: Path) -> None:
    kept = tmp_path / "features"
    first, second = (evidence(pack, tmp_path / name, kept=kept) for name in ("a", "b"))
    (before,), (after,) = (measure(measures_named(["fid"]), each) for each in (first, second))
    assert after == before
    assert sum(first.detectors["features"].sizes) == 8 + 5 + 8 + 8  # type: ignore[attr-defined]
    assert second.detectors["features"].sizes == []  # type: ignore[attr-defined]
    assert len(list(kept.glob("[!.]*.npy"))) == 4 + 2  # and two Gaussians
    other = evidence(pack, tmp_path / "c", kept=kept)
    other.behind.samples.images[3, 0, 0, 0] ^= 1
    measure(measures_named(["fid"]), other)
    assert sum(other.detectors["features"].sizes) == 8  # type: ignore[attr-defined]


@pytest.mark.parametrize("taken", [[], [1, 4], [0, 1, 2, 3, 4, 5, 6]])
def test_an_average_reads_what_it_was_not_given(monkeypatch: pytest.MonkeyPatch, taken: list[int]) -> None:
    monkeypatch.setattr(pictures, "PIECE", 2)
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3)).astype(np.uint8)
    average = Averaged(Rows(images, np.arange(7)))
    for _ in range(2):  # a row that comes again counts once
        average.take(np.array(taken, dtype=np.int64), images[taken])
    found = average.read(np.arange(2, 5))
    assert found.shape == (3, 4, 5, 3)
    assert (found == images.astype(np.float64).mean(axis=0).round()).all()


def test_the_statistics_of_features_are_kept_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random, fitted = np.random.default_rng(0), []
    sets = {
        which: Rows(random.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8), np.arange(count), which)
        for which, count in (("samples", 40), ("reference", 50))
    }
    seen = Evidence(
        sets=sets, detectors={"features": Counting(features, keeps=True)}, reference="b", kept=tmp_path / "kept"
    )
    whole = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (fitted.append(len(matrix)), whole(matrix))[1])
    (before,) = measure(measures_named(["fid"]), seen)
    assert len(fitted) == 5  # samples, reference, its halves, its average
    (after,) = measure(measures_named(["fid"]), seen)
    assert len(fitted) == 8  # what is kept is not worked out again
    assert after == before
    kept = sorted((tmp_path / "kept").glob("*.gaussian.npy"))
    assert len(kept) == 2
    kept[0].write_bytes(kept[1].read_bytes())
    (mended,) = measure(measures_named(["fid"]), seen)
    assert (mended, len(fitted)) == (before, 12)
    for file in (tmp_path / "kept").glob(
        "[!.]*[!n].npy"
    ):  # features that go, or come anew, take their Gaussian with them
        file.unlink()
    (anew,) = measure(measures_named(["fid"]), seen)
    assert (anew, len(fitted)) == (before, 17)


def test_what_was_interrupted_is_not_kept(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PIECE", 3)
    seen = evidence(pack, tmp_path, kept=tmp_path / "features")

    def stop(images: np.ndarray) -> np.ndarray:
        if len(list((tmp_path / "features").glob(".*.npy"))):  # a piece was kept already
            raise KeyboardInterrupt
        return features(images)

    seen.detectors["features"].answer = stop  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        measure(measures_named(["fid"]), seen)
    assert not any((tmp_path / "features").glob("*.npy"))


def source(name: str, *, missing: bool = False, named: bool = False) -> Source:
    def find(config: EvalConfig, pack: Pack) -> Found:
        if missing:
            raise CheckpointError(f"{name} is missing")
        return Found(Path(name), "there")

    return Source(find=find, load=lambda *of: Counting(features), named=lambda config: named)


@pytest.mark.parametrize(
    ("sources", "strict", "expected"),
    [
        ([source("a"), source("b")], False, ["a", "b"]),
        ([source("a", missing=True), source("b")], False, ["b"]),
        ([source("a"), source("b")], True, ["a"]),
        ([source("a", missing=True), source("b")], True, "a is missing"),
        ([source("a", missing=True, named=True), source("b")], False, "a is missing"),
        ([source("a", missing=True), source("b", missing=True)], False, "a is missing"),
    ],
)
def test_what_may_serve_as_a_detector(pack: Pack, sources: list[Source], strict: bool, expected: Any) -> None:
    kind = DetectorKind(sources=tuple(sources))
    if isinstance(expected, str):
        with pytest.raises(CheckpointError, match=expected):
            kind.candidates(EvalConfig(strict=strict), pack)
    else:
        assert [str(found.path) for _, found in kind.candidates(EvalConfig(strict=strict), pack)] == expected


def test_classes_are_asked_of_those_who_tell_them(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    blind, telling = source("blind"), dataclasses.replace(source("telling"), classes=True)
    monkeypatch.setitem(DETECTORS, "features", DetectorKind(sources=(blind, telling)))
    for names, expected in (
        (["fid"], ["blind", "telling"]),
        (["is"], ["telling"]),
        (["fid", "is", "kid"], ["telling", "blind"]),
    ):
        measures, found = find_detectors(measures_named(names), EvalConfig(), pack)
        assert list(measures) == names
        assert [str(each.path) for _, each in found["features"]] == expected
    blind = dataclasses.replace(blind, named=lambda config: True)
    monkeypatch.setitem(DETECTORS, "features", DetectorKind(sources=(blind, telling)))
    for names in (["is"], ["fid", "is"]):
        with pytest.raises(ConfigError, match="the network that is named tells no classes"):
            find_detectors(measures_named(names), EvalConfig(), pack)


def test_measures_without_a_detector_are_left_out(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("facecond").propagate = True
    monkeypatch.setitem(DETECTORS, "features", DetectorKind(sources=(source("net", missing=True),)))
    measures, found = find_detectors(measures_named(["fid", "psnr", "kid"]), EvalConfig(), pack)
    assert (list(measures), found) == (["psnr"], {})
    assert {record.message for record in caplog.records} == {"warning: fid, kid are left out: net is missing"}
    refused = [
        (["fid", "kid"], EvalConfig(), ()),
        (["fid", "psnr"], EvalConfig(strict=True), ()),
        (["psnr"], EvalConfig(), ("features",)),
    ]
    for names, config, also in refused:
        with pytest.raises(CheckpointError, match="net is missing"):
            find_detectors(measures_named(names), config, pack, also=also)
    monkeypatch.setitem(DETECTORS, "features", DetectorKind(sources=(source("net", missing=True, named=True),)))
    with pytest.raises(CheckpointError, match="net is missing"):
        find_detectors(measures_named(["fid", "psnr"]), EvalConfig(), pack)


def test_measures_whose_detector_cannot_be_fetched_are_left_out(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("facecond").propagate = True

    def fetch(*of: Any) -> Any:
        raise UnavailableError("net cannot be fetched", hint="name the file")

    away = dataclasses.replace(source("net"), load=fetch, classes=True)
    monkeypatch.setitem(DETECTORS, "features", DetectorKind(sources=(away, source("blind"))))
    monkeypatch.setitem(DETECTORS, "perceptual", DetectorKind(sources=(away,)))
    names, cpu, used = ["fid", "is", "lpips", "psnr"], torch.device("cpu"), {"perceptual": "net", "features": "net"}
    measures, found = find_detectors(measures_named(names), EvalConfig(), pack)
    assert list(measures) == names
    measures, loaded = load_detectors(measures, found, EvalConfig(), cpu, used)
    assert (list(measures), list(loaded), list(used)) == (["fid", "psnr"], ["features"], ["features"])
    said = [record.message for record in caplog.records]
    assert "warning: lpips is left out: net cannot be fetched (name the file)" in said
    assert any(line.startswith("warning: is is left out: counting tells no classes") for line in said)
    for names, config in (
        (["lpips"], EvalConfig()),
        (["is"], EvalConfig()),
        (["lpips", "psnr"], EvalConfig(strict=True)),
    ):
        measures, found = find_detectors(measures_named(names), config, pack)
        with pytest.raises(UnavailableError, match="net cannot be fetched"):
            load_detectors(measures, found, config, cpu, {})


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of pictures."""
    random = np.random.default_rng(0)
    for name, count in (("a", 5), ("b", 7)):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for index in range(count):
            image = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / name / ("deeper" if index % 2 else "") / f"{index}.png")
    return tmp_path / "a", tmp_path / "b"


def test_folders_of_pictures_from_anywhere(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sets = {which: Files.of(folder) for which, folder in zip(("samples", "reference"), folders, strict=True)}
    network = {"features": Counting(features, keeps=True, published=True)}
    seen = Evidence(sets=sets, detectors=network, reference="b", kept=tmp_path / "kept")
    fid, kid, mind = measure(measures_named(["fid", "kid", "mind"]), seen)
    one, two = (features(files.read(np.arange(len(files)))) for files in sets.values())
    assert fid.value == pytest.approx(frechet_distance(one, two).value)
    assert kid.value == pytest.approx(kernel_distance(one, two).value)
    assert mind.value == pytest.approx(sliced_distance(one, two).value)
    assert (fid.count, fid.reference, dict(fid.marks)) == (5, "b, 7 items", {})


def test_names_and_order_of_files_do_not_matter(folders: tuple[Path, Path]) -> None:
    """Bit for bit, given the same features of each picture."""
    before = Files.of(folders[0])
    values = [
        frechet_distance(features(before.read(np.arange(5))), features(Files.of(folders[1]).read(np.arange(7)))).value
    ]
    name = before.content()
    (folders[0] / "0.png").rename(folders[0] / "zzz.png")
    after = Files.of(folders[0])
    assert after.content() == name
    values.append(
        frechet_distance(features(after.read(np.arange(5))), features(Files.of(folders[1]).read(np.arange(7)))).value
    )
    assert values[0] == values[1]


def test_the_ceiling_does_not_depend_on_names_either(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Bit for bit, with features that were kept under the old names and without."""

    def ceilings(**kept: Path) -> list[float | None]:
        sets = {which: Files.of(folder) for which, folder in zip(("samples", "reference"), folders, strict=True)}
        seen = Evidence(sets=sets, detectors={"features": Counting(features, keeps=True)}, reference="b", **kept)
        return [figure.ceiling for figure in measure(measures_named(["fid", "kid"]), seen)]

    before = ceilings(kept=tmp_path / "kept")
    for name, other in (("0.png", "zzz.png"), ("4.png", "33.png")):
        (folders[1] / name).rename(folders[1] / other)
    assert ceilings(kept=tmp_path / "kept") == ceilings() == before


def test_what_is_no_picture_of_the_set_is_passed_over(folders: tuple[Path, Path]) -> None:
    before = Files.of(folders[0]).files
    (folders[0] / ".0.png.123.tmp.png").write_bytes(b"half a picture")
    (folders[0] / ".hidden").mkdir()
    (folders[0] / ".hidden" / "1.png").write_bytes(b"")
    (folders[0] / "folder.png").mkdir()
    assert Files.of(folders[0]).files == before
    for name in ("images", "labels"):
        (folders[0] / name).mkdir()
    with pytest.raises(DataError, match=r"holds label maps beside pictures .*images"):
        Files.of(folders[0])


def test_sets_that_are_too_small_are_refused_before_they_are_looked_at(pack: Pack, tmp_path: Path) -> None:
    seen = evidence(pack, tmp_path)
    one = dataclasses.replace(seen, sets={**seen.sets, "reference": Rows(pack.images, np.array([4]))})
    few = dataclasses.replace(seen, sets={**seen.sets, "samples": Rows(pack.images, np.array([0]))}, items=None)
    with pytest.raises(DataError, match="the samples: 1 picture is too few for a score of classes"):
        measure(measures_named(["is"]), few)
    for name in ("fid", "kid", "mind", "is"):
        with pytest.raises(DataError, match="validation split of faces: 1 picture is too few"):
            measure(measures_named([name]), one)
        with pytest.raises(DataError, match=r"1 pictures? (are|is) too few"):
            measure(measures_named([name]), few)
    assert seen.detectors["features"].sizes == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01", None])
def test_damaged_features_are_worked_out_again(pack: Pack, tmp_path: Path, damage: bytes | None) -> None:
    first, second = (evidence(pack, tmp_path / name, kept=tmp_path / "kept") for name in ("a", "b"))
    (before,) = measure(measures_named(["fid"]), first)
    for file in (tmp_path / "kept").glob("[!.]*.npy"):
        if damage is None:
            np.save(file, np.load(file)[:-1])
        else:
            file.write_bytes(damage)
    (after,) = measure(measures_named(["fid"]), second)
    assert after == before
    assert len(list((tmp_path / "kept").glob("[!.]*.npy"))) == 4 + 2


def test_results_are_named_after_everything_that_may_be_looked_with(tmp_path: Path) -> None:
    """A network that is not here yet, and the one that takes its place until it is."""
    absent, present, other = (tmp_path / name for name in ("absent.pt", "present.pt", "other.pt"))
    present.write_bytes(b"one")
    other.write_bytes(b"two")

    def named(*files: Path) -> str:
        return identity([(source("any"), Found(file, "")) for file in files])

    assert named(absent, present) != named(absent, other)
    assert named(present, other) == named(present, absent)


def test_only_what_is_missed_is_warned_of(pack: Pack, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("facecond").propagate = True
    DetectorKind(sources=(source("a"), source("b", missing=True))).candidates(EvalConfig(), pack)
    assert not caplog.records
    DetectorKind(sources=(source("a", missing=True), source("b"))).candidates(EvalConfig(), pack)
    assert {record.message for record in caplog.records} == {
        "warning: a is missing; another network may take its place, under other names"
    }


def test_folders_that_cannot_be_measured(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        Files.of(tmp_path / "nothing")
    (tmp_path / "one").mkdir()
    with pytest.raises(DataError, match="holds 0 pictures"):
        Files.of(tmp_path / "one")
    (folders[0] / "0.png").rename(tmp_path / "one" / "0.png")
    with pytest.raises(DataError, match=r"holds 1 picture .*at least two"):
        Files.of(tmp_path / "one")
    Image.new("RGB", (10, 11)).save(folders[0] / "other.png")
    files = Files.of(folders[0])
    with pytest.raises(DataError, match=r"other.png is 10 x 11, .* is 10 x 12"):
        files.read(np.arange(len(files)))


def test_figures_do_not_depend_on_batches_or_the_order_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, of features worked out in float64: pieces and batches of any size, files of any name."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 12, 3, stride=2), torch.nn.GELU(), torch.nn.Conv2d(12, 16, 3), torch.nn.GELU()
    ).double()
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 256, (count, 14, 14, 3)).astype(np.uint8) for name, count in SET_SIZES.items()}

    def figures(piece: int, batch: int, order: int) -> tuple[list[Any], dict[str, float | None]]:
        def look(pictures_NHWC: np.ndarray) -> np.ndarray:
            found = []
            with torch.inference_mode():
                for start in range(0, len(pictures_NHWC), batch):
                    some = torch.from_numpy(pictures_NHWC[start : start + batch]).double() / 255
                    found.append(network(some.permute(0, 3, 1, 2)).mean(dim=(2, 3)))
            return torch.cat(found).numpy().astype(np.float32)

        monkeypatch.setattr(pictures, "PIECE", piece)
        monkeypatch.setattr(neighbours, "BLOCK", 4)
        sets = {}
        for which, values in images.items():
            folder = tmp_path / f"{piece}-{batch}-{order}-{which}"
            folder.mkdir()
            names = np.random.default_rng(order).permutation(len(values))
            for name, value in zip(names, values, strict=True):
                Image.fromarray(value).save(folder / f"{name:03}.png")
            sets[which] = Files.of(folder)
        eyes = Network(name="eyes", sha256="0" * 64, preprocessing="", look=look, published=True, classes=classes)
        seen = Evidence(sets=sets, detectors={"features": eyes}, reference="real")
        names = ["fid", "fid_infinity", "kid", "mind", "is", "precision", "recall", "density", "coverage"]
        shown = measure(measures_named(names), seen)
        assert len(shown) == len(names)
        return [(each.name, each.value, each.ceiling, each.floor) for each in shown], {
            each.name: each.spread for each in shown
        }

    first, spreads = figures(piece=64, batch=64, order=0)
    assert figures(piece=7, batch=3, order=0) == (first, spreads)
    renamed, others = figures(piece=5, batch=64, order=1)
    assert renamed == first
    for name, spread in others.items():  # means of answers are drawn again by place, sums over pictures are not
        drawn = name in ("precision", "recall", "density", "coverage")
        assert spread == (pytest.approx(spreads[name], rel=0.2) if drawn else spreads[name]), name


SET_SIZES = {"samples": 70, "reference": 90}
