import math

import pytest
import torch

from facecond.config.networks import ClassifierConfig, ClassifierKind
from facecond.errors import CheckpointError
from facecond.judges.classifier import CLASSIFIERS, ResNet18Classifier, attribute_loss, build_classifier


def test_resnet18_equals_torchvision() -> None:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None, num_classes=40).eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    ours = ResNet18Classifier(ClassifierConfig(input_size=None)).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    normalise = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(normalise(images / 255)), rtol=1e-4, atol=1e-5)


def test_trunk_is_taken_without_the_classification_layer_and_checked() -> None:
    source = ResNet18Classifier(ClassifierConfig())
    weights = {name: value + 1 for name, value in source.state_dict().items()}
    weights["fc.weight"], weights["fc.bias"] = torch.zeros(1000, 512), torch.zeros(1000)
    classifier = ResNet18Classifier(ClassifierConfig())
    head = classifier.fc.weight.clone()
    classifier.load_trunk(weights, "resnet18.pth")
    assert torch.equal(classifier.layer3[1].conv2.weight, weights["layer3.1.conv2.weight"])
    assert torch.equal(classifier.fc.weight, head)
    old = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    classifier.load_trunk(old, "resnet18.pth")
    del weights["layer4.1.bn2.bias"]
    with pytest.raises(CheckpointError, match=r"layer4\.1\.bn2\.bias"):
        classifier.load_trunk(weights, "resnet18.pth")


@pytest.mark.parametrize("kind", list(CLASSIFIERS))
@pytest.mark.parametrize("size", [64, 128])
def test_every_classifier_answers_and_trains(kind: ClassifierKind, size: int) -> None:
    classifier = build_classifier(ClassifierConfig(kind=kind, input_size=None))
    images = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    logits = classifier(images)
    assert logits.shape == (2, 40)
    attribute_loss(logits, torch.ones(2, 40, dtype=torch.int8)).backward()
    assert all(parameter.grad is not None for parameter in classifier.parameters())
    with pytest.raises(TypeError, match="uint8"):
        classifier(images.float())


def test_small_classifier_is_small() -> None:
    classifier = build_classifier(ClassifierConfig(kind=ClassifierKind.small, input_size=None))
    assert 700_000 < sum(parameter.numel() for parameter in classifier.parameters()) < 900_000


def test_unknown_attributes_do_not_count() -> None:
    logits = torch.tensor([[2.0, -1.0, 50.0]])
    attributes = torch.tensor([[1, -1, 0]], dtype=torch.int8)
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert float(attribute_loss(logits, attributes)) == pytest.approx(expected, rel=1e-6)
    assert float(attribute_loss(logits, torch.zeros(1, 3, dtype=torch.int8))) == 0
