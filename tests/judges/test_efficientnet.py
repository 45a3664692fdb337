"""Judges on EfficientNet-Lite0: the encoder is the package's, and what stands on it has the shapes of a judge."""

import pytest
import torch

from facecond.config.networks import ClassifierConfig, ClassifierKind, ParserConfig, ParserKind
from facecond.errors import ConfigError
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.faces.labels import NUM_CLASSES
from facecond.judges import efficientnet
from facecond.judges.classifier import build_classifier
from facecond.judges.efficientnet import EfficientNetClassifier, EfficientNetParser
from facecond.judges.parser import build_parser
from facecond.pretrained.efficientnet import EfficientNet, weights_file

pytest.importorskip("efficientnet_lite_pytorch")

PICTURES = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def parser() -> EfficientNetParser:
    built = build_parser(ParserConfig(kind=ParserKind.efficientnet, input_size=None, width=8))
    assert isinstance(built, EfficientNetParser)
    return built


def classifier() -> EfficientNetClassifier:
    built = build_classifier(ClassifierConfig(kind=ClassifierKind.efficientnet, input_size=None))
    assert isinstance(built, EfficientNetClassifier)
    return built


def test_the_encoder_sees_what_the_package_s_network_sees() -> None:
    file = weights_file()
    assert file is not None
    whole = EfficientNet(file)
    read, sort = parser(), classifier()
    for judge in (read, sort):
        judge.load_imagenet()
        judge.eval()
    normalised = whole.normalised(PICTURES, None)
    with torch.no_grad():
        for ours, theirs in zip(read.encoder.levels(read.pixels(PICTURES)), whole.levels(normalised), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
        pooled = sort.encoder.pooled(sort.pixels(PICTURES))
        torch.testing.assert_close(pooled, whole.pooled(normalised), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [64, 96])
def test_a_map_is_as_large_as_its_picture(size: int) -> None:
    pictures = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    assert parser()(pictures.expand(2, -1, -1, -1)).shape == (2, NUM_CLASSES, size, size)
    assert classifier()(pictures.expand(2, -1, -1, -1)).shape == (2, NUM_ATTRIBUTES)


def test_every_weight_learns() -> None:
    for judge in (parser(), classifier()):
        judge(PICTURES).square().mean().backward()
        assert not [name for name, weight in judge.named_parameters() if weight.grad is None]


def test_without_the_package_s_weights_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "weights_file", lambda: None)
    with pytest.raises(ConfigError, match=r"not installed.*facecond\[features\]"):
        parser().load_imagenet()
