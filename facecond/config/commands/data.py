"""Packs: `facecond data pack`, `data draw` and `data inspect`."""

from dataclasses import dataclass, field
from enum import Enum

from facecond.bounds import bounded
from facecond.config.commands.base import MISSING, CommandConfig
from facecond.config.data import DataConfig, DrawnConfig


class Layout(Enum):
    """Form in which drawn faces are written."""

    pack = "pack"
    release = "release"


@dataclass(kw_only=True, slots=True)
class PackConfig(CommandConfig):
    """`facecond data pack`: a data set becomes one folder of memory-mapped arrays."""

    data: DataConfig = MISSING
    name: str | None = None
    """Name of the pack; none = the source and the resolution."""
    resolution: int = bounded(256, minimum=16, maximum=1024)
    """Height and width of pictures and label maps, pixels."""
    workers: int = bounded(0, minimum=0, maximum=1024)
    """Processes that read and resize; 0 = one per core."""


@dataclass(kw_only=True, slots=True)
class DrawConfig(CommandConfig):
    """`facecond data draw`: faces drawn by program."""

    data: DrawnConfig = field(default_factory=DrawnConfig)
    name: str | None = None
    """Name of the pack or release; none = drawn and the resolution."""
    resolution: int = bounded(64, minimum=32, maximum=1024)
    """Height and width of pictures and label maps, pixels."""
    layout: Layout = Layout.pack
    """pack = arrays ready for training; release = the folders of the official CelebAMask-HQ release."""


@dataclass(kw_only=True, slots=True)
class InspectConfig(CommandConfig):
    """`facecond data inspect`: what is in a pack."""

    pack: str | None = None
    """Pack to look at: a folder, or a name in WORKSPACE/packs; none = the latest."""
    sheet: int = bounded(48, minimum=0, maximum=400)
    """Faces on the contact sheet; 0 = no sheet."""
