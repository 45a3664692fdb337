"""How far two pictures are from each other to the eye: LPIPS, else the same on features that install from the package index, else
on those of our own classifier."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from facecond.measuring.features import Network, chosen, find_efficientnet, find_published
from facecond.measuring.judges import judge
from facecond.measuring.measure import Detector, DetectorKind, Source
from facecond.pretrained.published import ALEXNET

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from facecond.config.commands.evaluate import EvalConfig


def _load_lpips(path: Path, config: EvalConfig, device: torch.device) -> Detector:
    from facecond.io.files import sha256_file
    from facecond.pretrained.lpips import LPIPS

    file = ALEXNET.obtain(path, download=config.download)
    network = LPIPS(file, "alex").to(device)

    def look(images_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        from facecond.pretrained.efficientnet import batch

        with torch.inference_mode():
            return network.embed(batch(images_NHWC, device).float() / 127.5 - 1).cpu().numpy()

    return Network(
        name="LPIPS 0.1 (AlexNet)", sha256=sha256_file(file), look=look, published=True,
        preprocessing="as sampled, scaled to [-1, 1]",
    )  # fmt: skip


def _load_efficientnet(path: Path, config: EvalConfig, device: torch.device) -> Detector:
    from facecond.io.files import sha256_file
    from facecond.pretrained.efficientnet import EfficientNet

    network = EfficientNet(path).to(device)

    def look(images_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        from facecond.pretrained.efficientnet import batch
        from facecond.pretrained.lpips import embedding

        with torch.inference_mode():
            pictures = network.normalised(batch(images_NHWC, device), None)
            return embedding(list(network.levels(pictures))).cpu().numpy()

    return Network(
        name="EfficientNet-Lite0", sha256=sha256_file(path), look=look, published=False, preprocessing="as sampled",
    )  # fmt: skip


def _load_classifier(place: Path, config: EvalConfig, device: torch.device) -> Detector:
    from facecond.assembly.judges import load_classifier
    from facecond.pretrained.lpips import embedding

    classifier = load_classifier(place, device)
    look = dataclasses.replace(
        classifier, answer=lambda network, images: embedding([level.float() for level in network.levels(images)])
    )
    return Network(
        name=classifier.name, sha256=classifier.sha256, look=look, published=False,
        preprocessing=classifier.preprocessing, learnt_from=classifier.learnt_from,
    )  # fmt: skip


PERCEPTUAL = DetectorKind(
    sources=(
        Source(
            find=find_published(ALEXNET, "lpips_trunk"),
            load=_load_lpips,
            named=lambda config: (
                chosen(config, "perceptual", "lpips") or (config.perceptual is None and config.lpips_trunk is not None)
            ),
        ),
        Source(
            find=find_efficientnet,
            load=_load_efficientnet,
            named=lambda config: chosen(config, "perceptual", "efficientnet"),
        ),
        Source(
            find=judge("classifier").find,
            load=_load_classifier,
            named=lambda config: chosen(config, "perceptual", "classifier"),
        ),
    ),
)
"""Embeds pictures so that the squared distance of two rows is the perceptual distance of the two pictures."""


def not_lpips(detector: Detector) -> str:
    """Why what is measured with a detector that is not the published one is not LPIPS."""
    return f"in the features of {detector.name}, not of AlexNet with LPIPS's weights: not LPIPS"
