"""Figures against torchmetrics, torch-fidelity and prdc, which others wrote."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from facecond.faces.attributes import ATTRIBUTES
from facecond.measuring.evidence import Evidence, measure
from facecond.measuring.features import Network
from facecond.measuring.pictures import Files
from facecond.measuring.table import measures_named
from facecond.metrics.faithfulness import AttributeScores, Confusion
from facecond.metrics.frechet import frechet_distance
from facecond.metrics.kernel import kernel_distance
from facecond.metrics.neighbours import Neighbours
from facecond.pretrained.inception import Inception


def maps(classes: int, count: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Label maps asked for, some pixels unspecified, and maps found, of which about 60 % of the pixels are right."""
    random = np.random.default_rng(3)
    asked = (random.random((count, 24, 24)) ** 2 * classes).astype(np.uint8)  # the first classes are the largest
    found = np.where(random.random(asked.shape) < 0.6, asked, random.integers(0, 19, asked.shape)).astype(np.uint8)
    asked[random.random(asked.shape) < 0.1] = 255
    return asked, found


@pytest.mark.parametrize("classes", [19, 12], ids=["all classes", "some are only found"])
def test_mask_miou_and_accuracy_are_torchmetrics(classes: int) -> None:
    """Its classes are those of the union of both sides; ours, those of the reference: the mean over these is compared."""
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    asked, found = maps(classes)
    ours = Confusion.merge([Confusion.of(asked[:4], found[:4]), Confusion.of(asked[4:], found[4:])])
    ious = MulticlassJaccardIndex(19, average="none", ignore_index=255)
    mean = MulticlassJaccardIndex(19, average="macro", ignore_index=255)
    accuracy = MulticlassAccuracy(19, average="micro", ignore_index=255)
    for metric in (ious, mean, accuracy):
        for rows in (slice(0, 2), slice(2, None)):
            metric.update(torch.from_numpy(found[rows]).long(), torch.from_numpy(asked[rows]).long())
    expected = ious.compute().numpy()
    np.testing.assert_allclose(ours.iou_per_class[:classes], expected[:classes], rtol=1e-6)
    assert ours.mean_iou == pytest.approx(expected[:classes].mean(), rel=1e-6)
    assert ours.accuracy == pytest.approx(float(accuracy.compute()), rel=1e-6)
    if classes == 19:
        assert ours.mean_iou == pytest.approx(float(mean.compute()), rel=1e-6)
    else:
        assert ours.mean_iou > float(mean.compute()) + 0.05


def test_mean_of_image_ious_is_torchmetrics_segmentation_score() -> None:
    """Where every picture has every class, about which the two agree."""
    from torchmetrics.segmentation import MeanIoU

    asked, found = (np.concatenate([values, values[:, ::-1] % 4], axis=1) % 4 for values in maps(19))
    metric = MeanIoU(num_classes=4, input_format="index")
    metric.update(torch.from_numpy(found).long(), torch.from_numpy(asked).long())
    assert Confusion.of(asked, found, 4).mean_of_image_ious == pytest.approx(float(metric.compute()), rel=1e-6)


def test_attribute_accuracies_are_torchmetrics() -> None:
    from torchmetrics.classification import MultilabelAccuracy, MultilabelRecall, MultilabelSpecificity

    random, width = np.random.default_rng(4), len(ATTRIBUTES)
    asked = random.choice([-1, 0, 1], size=(60, width), p=[0.6, 0.1, 0.3]).astype(np.int8)
    found = (asked > 0) ^ (random.random(asked.shape) < random.random(width) / 2)
    ours = AttributeScores(found, asked)
    target = torch.from_numpy(np.where(asked == 0, -1, asked > 0)).long()
    each = {
        kind: kind(width, average="none", ignore_index=-1)(torch.from_numpy(found).long(), target).numpy()
        for kind in (MultilabelAccuracy, MultilabelRecall, MultilabelSpecificity)
    }
    np.testing.assert_allclose(ours.accuracy_per_attribute, each[MultilabelAccuracy], rtol=1e-6)
    assert ours.accuracy == pytest.approx(each[MultilabelAccuracy].mean(), rel=1e-6)
    balanced = (each[MultilabelRecall] + each[MultilabelSpecificity]) / 2
    np.testing.assert_allclose(ours.balanced_per_attribute, balanced, rtol=1e-6)


def features(count: int, seed: int, shift: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, 24)) @ np.random.default_rng(7).normal(size=(24, 24)) / 5 + shift).astype(
        np.float32
    )


def test_fid_and_kid_are_torch_fidelity_s() -> None:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    one, two = features(150, 0, 0.0), features(150, 1, 0.3)
    statistics = [fid_features_to_statistics(torch.from_numpy(rows.astype(np.float64))) for rows in (one, two)]
    fid = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(one, two).value == pytest.approx(fid, rel=1e-5)
    doubles = [torch.from_numpy(rows.astype(np.float64)) for rows in (one, two)]
    kid = kid_features_to_metric(*doubles, kid_subsets=1, kid_subset_size=150, verbose=False)
    assert kernel_distance(one, two).value == pytest.approx(kid["kernel_inception_distance_mean"], rel=1e-5)


@pytest.mark.parametrize("k", [1, 5])
def test_precision_recall_density_and_coverage_are_prdc_s(k: int) -> None:
    """Of its authors (Naeem et al. 2020)."""
    from prdc import compute_prdc

    samples, real = features(110, 0, 0.6).astype(np.float64), features(140, 1, 0.0).astype(np.float64)
    expected = compute_prdc(real, samples, nearest_k=k)
    ours = Neighbours.of(samples, real, k)
    parts = {
        "precision": ours.precise_N,
        "recall": ours.recalled_M,
        "density": ours.dense_N,
        "coverage": ours.covered_M,
    }
    for name, values in parts.items():
        assert 0 < expected[name] < 2
        assert float(values.mean()) == pytest.approx(expected[name], abs=1e-12)


class Small(nn.Module):
    """What the published Inception looks like from outside, with few features."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 48, 24, stride=24), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )  # fmt: skip

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        x = nn.functional.interpolate(x, size=[299, 299], mode="bilinear", align_corners=False)
        return self.layers((x - 128) / 128)


def test_two_folders_are_measured_as_torch_fidelity_measures_them(tmp_path: Path) -> None:
    """The same network on the same files: everything from the files to FID, KID, precision and recall."""
    from torch_fidelity import calculate_metrics, register_feature_extractor
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    random = np.random.default_rng(0)
    for name, tint in (("samples", 0), ("reference", 25)):
        (tmp_path / name).mkdir()
        for index in range(60):
            smooth = random.integers(0, 220, (5, 5, 3)).astype(np.uint8)
            picture = np.asarray(Image.fromarray(smooth).resize((40, 40), Image.Resampling.BICUBIC))
            Image.fromarray((picture + tint).clip(0, 255).astype(np.uint8)).save(tmp_path / name / f"{index:03}.png")
    torch.manual_seed(0)
    file = tmp_path / "inception-2015-12-05.pt"
    torch.jit.script(Small()).save(str(file))

    class Theirs(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **more: object) -> None:
            super().__init__(name, features_list)
            self.network = torch.jit.load(str(file)).eval()

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("48",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "48"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (self.network(images.float(), return_features=True),)

    register_feature_extractor("small-inception", Theirs)
    expected = calculate_metrics(
        input1=str(tmp_path / "samples"), input2=str(tmp_path / "reference"), fid=True, kid=True, prc=True, cuda=False,
        feature_extractor="small-inception", kid_subsets=1, kid_subset_size=60, prc_neighborhood=5, verbose=False,
        cache=False, batch_size=16, save_cpu_ram=True,
    )  # fmt: skip
    looking = Inception(file, torch.device("cpu"), mode="legacy")
    evidence = Evidence(
        sets={name: Files.of(tmp_path / name) for name in ("samples", "reference")}, reference="reference",
        detectors={"features": Network(name="", sha256="", preprocessing="", look=looking, published=True)},
    )  # fmt: skip
    named = measures_named(["fid", "kid", "precision", "recall"])
    ours = {figure.name: figure.value for figure in measure(named, evidence)}
    assert ours["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert ours["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert 0 < expected["precision"] < 1
    assert (ours["precision"], ours["recall"]) == pytest.approx((expected["precision"], expected["recall"]), abs=1e-6)
