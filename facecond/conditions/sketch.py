"""The sketch condition: a line drawing, read by the same network as a mask (the paper names sketches as the next feature).

Values are uint8 (H, W): 1 on a line, 0 beside one, 255 where nothing is said. For training they are made from pictures
and label maps: the edges of the photograph (Canny 1986) and the outlines of the parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.conditions.condition import Column
from facecond.conditions.spatial import SpatialCondition, draw_boxes, inside
from facecond.errors import DataError
from facecond.types import UNSPECIFIED_LABEL

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

LINE, PAPER, OPEN = 0, 255, 128
"""Grey levels of a sketch on disk: lines, paper, and regions about which nothing is said."""

LEAST_COVER = 0.2
"""Share of a pixel that ink must cover for the pixel to lie on a line, when a drawing is shrunk."""


def sketches(images_NHWC: NDArray[np.uint8], labels_NHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8 (N, H, W): the edges of each picture joined with the outlines of its parts; 255 where the map is."""
    import numpy as np

    from facecond.faces.lines import edges, outlines

    pairs = zip(images_NHWC, labels_NHW, strict=True)
    lines = np.stack([edges(image_HWC) | outlines(labels_HW) for image_HWC, labels_HW in pairs])
    return np.where(labels_NHW == UNSPECIFIED_LABEL, UNSPECIFIED_LABEL, lines).astype(np.uint8)


def require_lines(lines_HW: NDArray[Any], origin: str) -> None:
    """Raise DataError where no pixel is true, on a line."""
    if not lines_HW.any():
        raise DataError(f"{origin} has no dark line", hint="draw dark lines on white, or leave the sketch out")


def drawing_of(picture: Image.Image, origin: str, resolution: int) -> NDArray[np.uint8]:
    """Return what a picture of dark lines on white says, uint8 (`resolution`, `resolution`).

    1 on a line, 0 beside one, 255 where the picture is transparent; `origin` names it in messages.

    Raises DataError when it is not square, smaller than that, or without a line.
    """
    import numpy as np
    from PIL import Image

    picture = picture.convert("RGBA")
    if picture.width != picture.height:
        raise DataError(f"{origin} is {picture.width}x{picture.height}", hint="a sketch is square; cut it to the face")
    if picture.width < resolution:
        raise DataError(f"{origin} is {picture.width} px wide", hint=f"expected at least {resolution}")
    alpha_HW = np.asarray(picture)[..., 3] >= 128
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    ink_HW = (np.asarray(on_white.convert("L")) < 128) & alpha_HW
    require_lines(ink_HW, origin)
    cover, said = (
        np.asarray(Image.fromarray(each.astype(np.float32)).resize((resolution,) * 2, Image.Resampling.BOX))
        for each in (ink_HW, alpha_HW)
    )
    return np.where(said < 0.5, UNSPECIFIED_LABEL, cover >= LEAST_COVER).astype(np.uint8)


class Sketch(SpatialCondition):
    """A line drawing -> grid x grid tokens, each with its place."""

    name = "sketch"
    word = "sketch"
    help = "Line drawing (PNG, dark lines on white, transparent = nothing said) as the condition"
    heading = "its sketch"
    unsaid = "some regions of the sketch"
    column = Column(
        "sketches", lambda resolution: (resolution, resolution), "uint8", (0, 1, UNSPECIFIED_LABEL), sketches
    )
    measures = ("edges",)
    num_channels = 1

    def read(self, text: str, resolution: int) -> NDArray[Any]:
        """Read a drawing and bring it to `resolution`. Raises DataError when it is no picture, not square or without a line."""
        from facecond.io.images import open_picture

        return drawing_of(open_picture(Path(text)), text, resolution)

    def check(self, text: str) -> None:
        """Raise DataError when there is no such file."""
        if not Path(text).is_file():
            raise DataError(f"{text}: no such sketch", hint=f"{self.word}= takes a picture of dark lines on white")

    def leaves_open(self, text: str) -> bool:
        """A drawing may have transparent regions; that is seen when it is read."""
        return False

    def describe(self, value: NDArray[Any], origin: str) -> str:
        """Where the sketch comes from."""
        return origin

    def record(self, value: NDArray[Any], folder: Path, digest: str) -> str:
        """Keep the sketch as a grey PNG; return the file's place in `folder`."""
        from facecond.io.images import write_png

        name = f"conditions/{digest[:16]}-{self.name}.png"
        if not (folder / name).exists():
            write_png(folder / name, _grey(value))
        return name

    def recall(self, text: str, folder: Path) -> NDArray[Any]:
        """Read the file that `record` wrote."""
        import numpy as np

        from facecond.io.files import inside
        from facecond.io.images import read_image

        path = inside(folder, text, of=f"a record of {folder}, {self.name}")
        grey = read_image(path)[..., 0]
        if not np.isin(grey, (LINE, PAPER, OPEN)).all():
            raise DataError(f"{path} holds other levels than {LINE}, {OPEN}, {PAPER}", hint="it was changed")
        return np.where(grey == OPEN, UNSPECIFIED_LABEL, grey == LINE).astype(np.uint8)

    def picture(self, value: NDArray[Any]) -> NDArray[np.uint8] | None:
        """Black lines on white, open regions grey."""
        return _grey(value)[..., None].repeat(3, axis=2)

    def nothing(self, count: int, resolution: int, device: torch.device | str = "cpu") -> Tensor:
        """255 everywhere."""
        import torch

        return torch.full((count, resolution, resolution), UNSPECIFIED_LABEL, dtype=torch.uint8, device=device)

    def says_something(self, values: Tensor) -> Tensor:
        """Items with a pixel about which something is said."""
        return (values != UNSPECIFIED_LABEL).flatten(1).any(dim=1)

    def says_everything(self, values: Tensor) -> Tensor:
        """Items that say something about all pixels."""
        return (values != UNSPECIFIED_LABEL).flatten(1).all(dim=1)

    def mirror(self, values: Tensor) -> Tensor:
        """Mirror left to right."""
        return values.flip(-1)

    def draw_hidden(self, share_B: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Hide an area in one box, float32 (B, 4)."""
        return (draw_boxes(share_B, generator),)

    def hide(self, values: Tensor, *hidden: Tensor) -> Tensor:
        """Put 255 inside the boxes."""
        return values.masked_fill(inside(hidden[0], *values.shape[1:]), UNSPECIFIED_LABEL)

    def channels(self, values: Tensor, *, optional: bool) -> Tensor:
        """Return bool (B, 1 or 2, H, W): lines, then, with `optional`, "nothing is said here"."""
        import torch

        lines = values == 1
        return torch.stack([lines, values == UNSPECIFIED_LABEL], dim=1) if optional else lines[:, None]


def _grey(value: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    return np.where(value == UNSPECIFIED_LABEL, OPEN, np.where(value == 1, LINE, PAPER)).astype(np.uint8)
