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
    boxes_B4: Tensor
    """float32 (B, 4): a box of the label map that is not seen: upper and lower edge as shares of the height, left and right
    edge as shares of the width; all 0 for none."""

    def rows(self, rows: slice, device: torch.device | str = "cpu") -> Withheld:
        """Return some of the items, on `device`."""
        return Withheld(
            {name: keep_B[rows].to(device) for name, keep_B in self.keep.items()},
            self.attributes_BA[rows].to(device),
            self.classes_BK[rows].to(device),
            self.boxes_B4[rows].to(device),
        )

    def hide(self, batch: Batch) -> Batch:
        """Return `batch` with withheld attributes at 0, withheld classes and boxes at 255. Label maps are uint8 (B, H, W).

        Whole conditions are left alone: they are withheld by passing `keep` to the conditioner.
        """
        values = torch.arange(256, dtype=torch.uint8, device=batch.labels_BHW.device)
        tables_BV = values.repeat(len(batch.labels_BHW), 1)
        tables_BV[:, :NUM_CLASSES].masked_fill_(~self.classes_BK, UNSPECIFIED)
        labels_BHW = tables_BV.gather(1, batch.labels_BHW.flatten(1).long()).view_as(batch.labels_BHW)
        labels_BHW.masked_fill_(self._inside(*batch.labels_BHW.shape[1:]), UNSPECIFIED)
        return batch._replace(attributes_BA=batch.attributes_BA * self.attributes_BA, labels_BHW=labels_BHW)

    def _inside(self, height: int, width: int) -> Tensor:
        """Return bool (B, H, W): pixels whose centre lies in the box."""
        top_B, bottom_B, left_B, right_B = self.boxes_B4.T[:, :, None]
        rows_H, columns_W = ((torch.arange(n, device=self.boxes_B4.device) + 0.5) / n for n in (height, width))
        in_rows_BH = (rows_H >= top_B) & (rows_H < bottom_B)
        in_columns_BW = (columns_W >= left_B) & (columns_W < right_B)
        return in_rows_BH[:, :, None] & in_columns_BW[:, None, :]


def draw(config: DiffusionConfig, count: int, generator: torch.Generator) -> Withheld:
    """Draw what is withheld from each of `count` items.

    Each condition is withheld with probability `condition_dropout` (the mask: `mask_dropout`, where it is given), apart
    from the others. With probability `partial_dropout`, apart for attributes and for the label map, a share drawn evenly
    from [0, 1] is withheld: of the 40 attributes; of the label map either of its 19 classes or, as often, of its area, in
    one box. The numbers drawn are the same ones whatever the probabilities and the conditions.
    """
    whole_2B, partial_2B, share_2B = torch.rand(3, 2, count, generator=generator)
    share_2B = torch.where(partial_2B < config.partial_dropout, share_2B, 0.0)
    attributes_BA = torch.rand(count, NUM_ATTRIBUTES, generator=generator) >= share_2B[0, :, None]
    classes_BK = torch.rand(count, NUM_CLASSES, generator=generator) >= share_2B[1, :, None]
    by_box_B, down_B, across_B, slimness_B = torch.rand(4, count, generator=generator)
    by_box_B = by_box_B < 0.5
    classes_BK |= by_box_B[:, None]
    area_B = torch.where(by_box_B, share_2B[1], 0.0)
    height_B, width_B = area_B**slimness_B, area_B ** (1 - slimness_B)
    top_B, left_B = down_B * (1 - height_B), across_B * (1 - width_B)
    boxes_B4 = torch.stack([top_B, top_B + height_B, left_B, left_B + width_B], dim=1) * (area_B > 0)[:, None]
    mask_dropout = config.condition_dropout if config.mask_dropout is None else config.mask_dropout
    keep = {"attributes": whole_2B[0] >= config.condition_dropout, "mask": whole_2B[1] >= mask_dropout}
    return Withheld(
        {name: keep[name] for name in keep if name in config.conditions}, attributes_BA, classes_BK, boxes_B4
    )
