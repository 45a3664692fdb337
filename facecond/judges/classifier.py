"""Attribute classifiers: pictures to 40 logits (paper, section 4: a ResNet-18 fine-tuned on the training split).

`small` is for pictures of 64 to 128 pixels: a short residual network of about 0.8 M parameters; `efficientnet` starts from
ImageNet's features and is for few real faces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import ClassifierConfig, ClassifierKind
from facecond.errors import CheckpointError
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.judges.efficientnet import EfficientNetClassifier
from facecond.judges.pixels import Pixels
from facecond.judges.resnet import BasicBlock, ResNet18


class ResNet18Classifier(ResNet18):
    """ResNet-18 under torchvision's parameter names, with 40 logits."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.pixels = Pixels(config.input_size)
        self.fc = nn.Linear(512, NUM_ATTRIBUTES)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 40), attributes in CelebA order."""
        return self.fc(self.levels(images_BCHW)[-1].mean((2, 3))).float()

    def levels(self, images_BCHW: Tensor) -> list[Tensor]:
        """uint8 pictures (B, 3, H, W) -> feature maps, from fine to coarse."""
        return list(self.features(self.pixels(images_BCHW)))

    def load_trunk(self, tensors: Mapping[str, Tensor], origin: str) -> None:
        """Start from torchvision's ImageNet weights, without their classification layer; raises CheckpointError."""
        trunk = {name: value for name, value in tensors.items() if not name.startswith("fc.")}
        wanted = {name: value.shape for name, value in self.state_dict().items() if not name.startswith("fc.")}
        wrong = [name for name in wanted if name not in trunk or trunk[name].shape != wanted[name]]
        # Files of torchvision before 0.3 lack the batch counters.
        wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
        wrong += [name for name in trunk if name not in wanted]
        if wrong:
            raise CheckpointError(
                f"{origin} does not hold torchvision's resnet18: missing, unexpected or misshapen: {', '.join(wrong[:3])}",
                hint="give torchvision's resnet18 file, or a run of model=classifier",
            )
        self.load_state_dict(trunk, strict=False)


class SmallClassifier(nn.Module):
    """Residual blocks at 1/2, 1/4 and 1/8 of the picture's size, then the mean and the maximum over the picture."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        w = config.width
        self.pixels = Pixels(config.input_size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self.stem = nn.Sequential(nn.Conv2d(3, w, 3, padding=1, bias=False), nn.BatchNorm2d(w), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(
            BasicBlock(w, 2 * w, 2),
            BasicBlock(2 * w, 4 * w, 2),
            BasicBlock(4 * w, 6 * w, 2),
            BasicBlock(6 * w, 6 * w, 1),
        )
        self.fc = nn.Linear(12 * w, NUM_ATTRIBUTES)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 40), attributes in CelebA order."""
        h = self.levels(images_BCHW)[-1]
        pooled = torch.cat([h.mean((2, 3)), h.amax((2, 3))], dim=1)
        return self.fc(pooled).float()

    def levels(self, images_BCHW: Tensor) -> list[Tensor]:
        """uint8 pictures (B, 3, H, W) -> feature maps, from fine to coarse."""
        maps = [self.stem(self.pixels(images_BCHW))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:]


ClassifierNetwork = ResNet18Classifier | SmallClassifier | EfficientNetClassifier

CLASSIFIERS: dict[ClassifierKind, Callable[[ClassifierConfig], ClassifierNetwork]] = {
    ClassifierKind.resnet18: ResNet18Classifier,
    ClassifierKind.small: SmallClassifier,
    ClassifierKind.efficientnet: EfficientNetClassifier,
}


def build_classifier(config: ClassifierConfig) -> ClassifierNetwork:
    """Return the classifier that `config` names, with random weights."""
    return CLASSIFIERS[config.kind](config)


def attribute_loss(logits_BA: Tensor, attributes_BA: Tensor) -> Tensor:
    """Return the binary cross-entropy over the attributes that are known (int8 -1 / +1; 0 = unknown is left out)."""
    known_BA = attributes_BA != 0
    losses_BA = F.binary_cross_entropy_with_logits(logits_BA, (attributes_BA > 0).to(logits_BA.dtype), reduction="none")
    return (losses_BA * known_BA).sum() / known_BA.sum().clamp(min=1)


def classify(classifier: nn.Module, images_BCHW: Tensor) -> Tensor:
    """uint8 pictures (B, 3, H, W) -> bool (B, 40): the attribute is more likely there than not."""
    logits_BA: Tensor = classifier(images_BCHW)
    return logits_BA > 0
