"""Many commands in one: `facecond demo` and `reproduce`."""

from dataclasses import dataclass, field

from facecond.bounds import MOST, bounded
from facecond.config.commands.base import CommandConfig, Device
from facecond.config.reproduce import PaperConfig, ScaleConfig, StudyConfig


@dataclass(kw_only=True, slots=True)
class DemoConfig(CommandConfig):
    """`facecond demo`: the whole path in one command, on drawn faces."""

    device: Device = Device.auto
    """auto = the first CUDA device when there is one."""
    minutes: float = bounded(14.0, minimum=0.2)
    """Time to plan for on this machine, minutes; a short timing at the start turns it into numbers of images."""
    resolution: int = bounded(64, minimum=64, maximum=64)
    """Pixels. The small configurations of the demo are made for 64."""
    seed: int = bounded(0, minimum=0, maximum=2**63 - 1)
    """Seed of the faces, the trainings and the samples."""
    count: int = bounded(256, minimum=16, maximum=MOST)
    """Validation conditions sampled and measured."""
    scratch: bool = False
    """Train first stage and judges here too; false = those that came with the program, where any did."""
    name: str = "demo"
    """Prefix of the pack and the runs, and name of the page's folder."""


@dataclass(kw_only=True, slots=True)
class ReproduceConfig(CommandConfig):
    """`facecond reproduce`: one table or figure of the paper, or a study of our own."""

    paper: PaperConfig = field(default_factory=PaperConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    device: Device = Device.auto
    """auto = the first CUDA device when there is one."""
    pack: str | None = None
    """Pack to use, a folder or a name in WORKSPACE/packs; none = the one the scale draws."""
    first_stage: str | None = None
    """Trained first stage to use, a run or a file; none = one is trained."""
    parser: str | None = None
    """Face parser to measure with; none = one is trained."""
    classifier: str | None = None
    """Attribute classifier to measure with; none = one is trained."""
    plan: bool = False
    """Print what would be trained and sampled and how long that takes here, and run nothing."""
