"""Where faces come from: the readers of `facecond.data`, and drawn faces behind the same interface."""

from collections.abc import Sequence
from typing import Any

from facecond.config.data import CelebAMaskHQConfig, DataConfig, DrawnConfig, LabelMapsConfig
from facecond.data.celebamask import CelebAMaskHQ
from facecond.data.labelmaps import LabelMaps
from facecond.data.pack import Finding
from facecond.data.source import Items, Source
from facecond.drawn.painter import draw


class DrawnFaces:
    """Drawn faces as a `Source`: item i is face (seed, i), the last ones are the validation split."""

    def __init__(self, config: DrawnConfig) -> None:
        self.config = config
        self.ids: Sequence[str] = [f"{index:06d}" for index in range(config.count)]
        training = config.count - config.held_out
        self.splits: Sequence[str] = ["train"] * training + ["validation"] * config.held_out
        self.findings: Sequence[Finding] = ()

    def __len__(self) -> int:
        return self.config.count

    def describe(self) -> dict[str, Any]:
        """What tells these faces from others."""
        return {
            "kind": "drawn",
            "seed": self.config.seed,
            "count": self.config.count,
            "validation": self.config.held_out,
        }

    def read_many(self, indices: Sequence[int], resolution: int) -> Items:
        """Draw the faces `indices`; nothing can be wrong with them."""
        drawing = draw(self.config.seed, indices, resolution)
        return Items(drawing.images, drawing.labels, drawing.attributes, [()] * len(indices))


def open_source(config: DataConfig) -> Source:
    """Return the source a data configuration describes. Raises DataError when its files are not there."""
    if isinstance(config, CelebAMaskHQConfig):
        return CelebAMaskHQ(config)
    if isinstance(config, LabelMapsConfig):
        return LabelMaps(config)
    if isinstance(config, DrawnConfig):
        return DrawnFaces(config)
    raise TypeError(f"no source for {type(config).__name__}")
