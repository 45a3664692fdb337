"""Where faces come from: one configuration class per option of the group `data`."""

from dataclasses import dataclass
from enum import Enum

from facecond.bounds import MOST, bounded


class ReleaseSplit(Enum):
    """Division of the official release: LDM's 25000 / 5000 (the paper's), or CelebA's partition (mapping file)."""

    ldm = "ldm"
    celeba = "celeba"


class ClassOrder(Enum):
    """The class order label maps on disk are numbered in: CelebAMask-HQ's, or that of face-parsing.PyTorch."""

    celebamaskhq = "celebamaskhq"
    face_parsing = "face_parsing"


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Base of the data configurations; an option of the group `data` is one of them."""


@dataclass(kw_only=True, slots=True)
class CelebAMaskHQConfig(DataConfig):
    """The official CelebAMask-HQ release, whole or in part."""

    root: str = "???"
    """Folder that holds CelebA-HQ-img, CelebAMask-HQ-mask-anno and CelebAMask-HQ-attribute-anno.txt."""
    split: ReleaseSplit = ReleaseSplit.ldm
    """Division into training and validation."""


@dataclass(kw_only=True, slots=True)
class LabelMapsConfig(DataConfig):
    """Any folder of pictures and label maps with equal file stems."""

    root: str | None = None
    """Folder with the folders images and labels; or name both below."""
    images: str | None = None
    """Folder of pictures; null: images under root."""
    labels: str | None = None
    """Folder of label maps, pixel value = class; null: labels under root."""
    class_order: ClassOrder = ClassOrder.celebamaskhq
    """Order the pixel values are numbered in."""
    attributes: str | None = None
    """CSV file with attribute values (-1, 0, 1), one row per picture, columns named by attribute; null: all unknown."""
    validation_fraction: float = bounded(0.1, minimum=0.0, maximum=1.0)
    """Share of the pictures held out, chosen by a hash of the stem, so that adding pictures moves none."""
    seed: int = 0
    """Seed of that hash."""


@dataclass(kw_only=True, slots=True)
class DrawnConfig(DataConfig):
    """Faces drawn by program: the default, since it needs no download."""

    count: int = bounded(8192, minimum=2, maximum=MOST)
    """Number of faces, validation included."""
    validation: int | None = bounded(None, minimum=1, maximum=MOST)
    """Number of faces held out, the last of them; none = one in sixteen, at least one."""

    @property
    def held_out(self) -> int:
        """Number of faces in the validation split."""
        return self.validation if self.validation is not None else max(1, self.count // 16)

    seed: int = 0
    """Seed of the drawn people; a face is a function of (seed, index)."""
