"""The mask condition: a ResNet-18 that turns part masks into tokens (the paper, section 3: E_m and E_mnp).

Values are label maps, uint8 (H, W) with 255 = not specified; or, where parts overlap (exchanged parts), bool (18, H, W),
one channel per part without the background, with a 19th where nothing is said.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.conditions.condition import Column
from facecond.conditions.spatial import SpatialCondition, draw_boxes, inside
from facecond.errors import DataError
from facecond.faces.names import NUM_CLASSES
from facecond.types import UNSPECIFIED_LABEL

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

NUM_PARTS = NUM_CLASSES - 1


class Mask(SpatialCondition):
    """A map of the parts of a face -> grid x grid tokens, each with its place, or one pooled token."""

    name = "mask"
    word = "mask"
    help = "Label map (PNG, pixel value = class) as the condition"
    heading = "its map"
    unsaid = "some regions of the mask"
    column = Column(
        "labels", lambda resolution: (resolution, resolution), "uint8", (*range(NUM_CLASSES), UNSPECIFIED_LABEL)
    )
    measures = ("miou", "accuracy")
    num_channels = NUM_PARTS

    def read(self, text: str, resolution: int) -> NDArray[Any]:
        """Read a PNG of class numbers and bring it to `resolution`, cut to its central square.

        Raises DataError for what is no label map, or one that packing would exclude.
        """
        return self._read(text, resolution)[0]

    def findings(self, text: str, resolution: int) -> list[str] | None:
        """Return what packing would find suspicious about the map."""
        return self._read(text, resolution)[1]

    def _read(self, text: str, resolution: int) -> tuple[NDArray[Any], list[str]]:
        from facecond.faces.checks import PROBLEMS, prepare_labels
        from facecond.io.images import read_label_map

        labels_HW, problems = prepare_labels(read_label_map(Path(text)), resolution)
        for problem in problems:
            if problem.unusable:
                raise DataError(
                    f"{text}: {PROBLEMS[problem.name]} ({problem.detail})", hint="paint at least one part of a face"
                )
        return labels_HW, [f"{PROBLEMS[problem.name]} ({problem.detail})" for problem in problems]

    def check(self, text: str) -> None:
        """Raise DataError when there is no such file."""
        if not Path(text).is_file():
            raise DataError(
                f"{text}: no such label map", hint=f"{self.word}= takes a PNG whose pixel value is the class"
            )

    def leaves_open(self, text: str) -> bool:
        """A file may leave regions open; that is seen when it is read."""
        return False

    def describe(self, value: NDArray[Any], origin: str) -> str:
        """Where the map comes from."""
        return origin

    def record(self, value: NDArray[Any], folder: Path, digest: str) -> str:
        """Keep a label map as a PNG in palette colours, channels as an npz; return the file's place in `folder`."""
        import io

        import numpy as np

        from facecond.io.files import atomic_write
        from facecond.io.images import write_label_map

        flat = value.dtype == np.uint8
        name = f"conditions/{digest[:16]}.{'png' if flat else 'npz'}"
        if flat and not (folder / name).exists():
            write_label_map(folder / name, value)
        elif not (folder / name).exists():
            content = io.BytesIO()
            np.savez_compressed(content, channels=np.packbits(value, axis=-1), shape=np.array(value.shape))
            with atomic_write(folder / name) as temporary:
                temporary.write_bytes(content.getvalue())
        return name

    def recall(self, text: str, folder: Path) -> NDArray[Any]:
        """Read the file that `record` wrote."""
        import numpy as np

        from facecond.io.arrays import read_archive
        from facecond.io.files import MOST_PICTURE, inside
        from facecond.io.images import read_label_map

        path = inside(folder, text, of=f"a record of {folder}, {self.name}")
        if path.suffix == ".png":
            return read_label_map(path)
        content = read_archive(path, ("channels", "shape"), most=MOST_PICTURE, hint="sample again")
        channels, shape = content["channels"], content["shape"].tolist()
        rows = channels.shape[:-1] if channels.dtype == np.uint8 and channels.ndim == 3 else ()
        if shape != [*rows, shape[-1] if rows else 0] or channels.shape[-1] != -(-shape[-1] // 8):
            raise DataError(f"{path}: holds no parts of a face", hint="sample again")
        return np.unpackbits(channels, axis=-1, count=shape[-1]).astype(bool)

    def picture(self, value: NDArray[Any]) -> NDArray[np.uint8] | None:
        """The label map, or overlapping parts painted one above the other in class order."""
        from facecond.faces.labels import paint

        return value if value.ndim == 2 else paint(value)

    def nothing(self, count: int, resolution: int, device: torch.device | str = "cpu") -> Tensor:
        """255 everywhere."""
        import torch

        return torch.full((count, resolution, resolution), UNSPECIFIED_LABEL, dtype=torch.uint8, device=device)

    def says_something(self, values: Tensor) -> Tensor:
        """Items with a pixel about which something is said."""
        return (~_unsaid(values)).flatten(1).any(dim=1)

    def says_everything(self, values: Tensor) -> Tensor:
        """Items that say something about all pixels."""
        return (~_unsaid(values)).flatten(1).all(dim=1)

    def mirror(self, values: Tensor) -> Tensor:
        """Mirror label maps left to right and exchange the subject's left and right parts."""
        from facecond.faces.labels import mirror_labels

        return mirror_labels(values)

    def draw_hidden(self, share_B: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Hide either classes, bool (B, 19), or as often an area in one box, float32 (B, 4)."""
        import torch

        by_box_B = torch.rand(len(share_B), generator=generator) < 0.5
        classes_BK = torch.rand(len(share_B), NUM_CLASSES, generator=generator) < share_B[:, None]
        boxes_B4 = draw_boxes(torch.where(by_box_B, share_B, 0.0), generator)
        return classes_BK & ~by_box_B[:, None], boxes_B4

    def hide(self, values: Tensor, *hidden: Tensor) -> Tensor:
        """Put 255 on hidden classes and inside the boxes of label maps, uint8 (B, H, W)."""
        import torch

        classes_BK, boxes_B4 = hidden
        tables_BV = torch.arange(256, dtype=torch.uint8, device=values.device).repeat(len(values), 1)
        tables_BV[:, :NUM_CLASSES].masked_fill_(classes_BK, UNSPECIFIED_LABEL)
        labels_BHW = tables_BV.gather(1, values.flatten(1).long()).view_as(values)
        return labels_BHW.masked_fill_(inside(boxes_B4, *values.shape[1:]), UNSPECIFIED_LABEL)

    def channels(self, values: Tensor, *, optional: bool) -> Tensor:
        """Return bool (B, 18 or 19, H, W): one channel per part, then, with `optional`, "nothing is said here"."""
        import torch
        from torch.nn import functional as F

        if values.dtype == torch.uint8 and values.ndim == 3:
            return values[:, None] == _classes(values.device)[: NUM_PARTS + optional, None, None]
        if values.dtype != torch.bool or values.ndim != 4 or values.shape[1] - NUM_PARTS not in (0, 1):
            found = f"{values.dtype} {tuple(values.shape)}"
            raise ValueError(
                f"masks are uint8 (B, H, W) or bool (B, {NUM_PARTS} or {NUM_PARTS + 1}, H, W), got {found}"
            )
        return F.pad(values, (0, 0, 0, 0, 0, NUM_PARTS + optional - values.shape[1]))  # less than 0 cuts off


def _unsaid(values: Tensor) -> Tensor:
    """bool (B, H, W): pixels about which nothing is said."""
    if values.ndim == 3:
        return values == UNSPECIFIED_LABEL
    return values[:, NUM_PARTS] if values.shape[1] > NUM_PARTS else values.new_zeros(values.shape[0], *values.shape[2:])


def _classes(device: torch.device) -> Tensor:
    """uint8 (19,): the value of every channel, parts first, then "nothing is said here"."""
    import torch

    numbers = torch.arange(1, NUM_CLASSES + 1, dtype=torch.uint8, device=device)  # made there: nothing is sent
    return numbers.masked_fill(numbers == NUM_CLASSES, UNSPECIFIED_LABEL)
