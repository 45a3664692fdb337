"""What is withheld from the model in training, so that it can later be left unspecified (classifier-free guidance).

Everything random is drawn from a generator that is passed in, for the whole global batch at once; rows can be sliced.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from facecond.config.diffusion import DiffusionConfig
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.faces.labels import NUM_CLASSES, UNSPECIFIED
from facecond.types import Batch


class Withheld(NamedTuple):
    """Which values of each item the model gets to see; True = seen."""

    keep: dict[str, Tensor]
    """Condition name -> bool (B,): the whole condition."""
    attributes_BA: Tensor
    """bool (B, 40): single attributes."""
    classes_BK: Tensor
    """bool (B, 19): single classes of the label map."""

    def rows(self, rows: slice, device: torch.device | str = "cpu") -> Withheld:
        """Return some of the items, on `device`."""
        return Withheld(
            {name: keep_B[rows].to(device) for name, keep_B in self.keep.items()},
            self.attributes_BA[rows].to(device),
            self.classes_BK[rows].to(device),
        )

    def hide(self, batch: Batch) -> Batch:
        """Return `batch` with withheld attributes at 0 and withheld classes at 255. Label maps are uint8 (B, H, W).

        Whole conditions are left alone: they are withheld by passing `keep` to the conditioner.
        """
        values = torch.arange(256, dtype=torch.uint8, device=batch.labels_BHW.device)
        tables_BV = values.repeat(len(batch.labels_BHW), 1)
        tables_BV[:, :NUM_CLASSES].masked_fill_(~self.classes_BK, UNSPECIFIED)
        labels_BHW = tables_BV.gather(1, batch.labels_BHW.flatten(1).long()).view_as(batch.labels_BHW)
        return batch._replace(attributes_BA=batch.attributes_BA * self.attributes_BA, labels_BHW=labels_BHW)


def draw(config: DiffusionConfig, count: int, generator: torch.Generator) -> Withheld:
    """Draw what is withheld from each of `count` items.

    Each condition is withheld with probability `condition_dropout` (the mask: `mask_dropout`, where it is given), apart
    from the others. With probability
    `partial_dropout`, apart for attributes and for the label map, a share of its values drawn evenly from [0, 1] is
    withheld. The numbers drawn are the same ones whatever the probabilities and the conditions.
    """
    whole_2B, partial_2B, share_2B = torch.rand(3, 2, count, generator=generator)
    share_2B = torch.where(partial_2B < config.partial_dropout, share_2B, 0.0)
    attributes_BA = torch.rand(count, NUM_ATTRIBUTES, generator=generator) >= share_2B[0, :, None]
    classes_BK = torch.rand(count, NUM_CLASSES, generator=generator) >= share_2B[1, :, None]
    mask_dropout = config.condition_dropout if config.mask_dropout is None else config.mask_dropout
    keep = {"attributes": whole_2B[0] >= config.condition_dropout, "mask": whole_2B[1] >= mask_dropout}
    return Withheld({name: keep[name] for name in keep if name in config.conditions}, attributes_BA, classes_BK)
