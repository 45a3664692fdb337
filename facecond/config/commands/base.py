"""Keys that commands share."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from facecond.bounds import bounded
from facecond.conditions.table import CONDITIONS
from facecond.config.diffusion import GuidanceConfig, SamplerConfig
from facecond.config.launcher import LauncherConfig
from facecond.config.training import Capture, Precision

MISSING: Any = "???"

NO_MAPS = "none"
"""`maps=none`: what is open stays open."""

NO_FIRST_STAGE = "none"
"""`first_stage=none`: diffusion runs on the pictures themselves. Stands for its hash in files as well."""

NO_JUDGE = "none"
"""`parser=none`, `classifier=none`: nobody reads that off the faces."""


class Device(Enum):
    """Where tensors live."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Verify(Enum):
    """How packs, latents and samples are compared with what was noted when they were written."""

    full = "full"
    size = "size"


@dataclass(kw_only=True, slots=True)
class CommandConfig:
    """Keys every command has."""

    workspace: str = "outputs"
    """Folder that holds packs, runs, samples and results."""
    verify: Verify = Verify.full
    """full = compare the SHA-256 of packs, latents and samples, once and whenever they were written since; size = only their
    sizes, for slow disks. Weights are always compared in full."""
    limits: bool = True
    """false = let through numbers that look like slips, and networks that look too large for this machine's memory."""


@dataclass(kw_only=True, slots=True)
class ComputeConfig(CommandConfig):
    """Keys of every command that computes with networks."""

    device: Device = Device.auto
    """auto = the first CUDA device when there is one."""
    pack: str | None = None
    """Pack to use: a folder, or a name in WORKSPACE/packs; none = the latest."""


def launched() -> list[tuple[str, Any, Any, str]]:
    """The key of commands that can be jobs."""
    meaning = "What starts the command as a job; none = it runs here."
    return [("launcher", LauncherConfig | None, field(default=None), meaning)]


def by_hand() -> list[tuple[str, Any, Any, str]]:
    """The keys of what a person can say by hand, one for each condition."""
    return [(each.word, str | None, field(default=None), f"{each.help}.") for each in CONDITIONS.values()]


@dataclass(kw_only=True, slots=True)
class GenerateConfig(ComputeConfig):
    """Keys of every command that draws samples from a trained model."""

    run: str | None = None
    """Run of a diffusion model: a folder, or a name in WORKSPACE/runs; none = the latest."""
    first_stage: str | None = None
    """Where the run's first stage is (a run or a file), when it is not in the workspace; none = found by its content."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    seed: int = bounded(0, minimum=0, maximum=2**63 - 1)
    """Seed of the starting noise; every picture gets a seed of its own from it."""
    batch_size: int = bounded(64, minimum=1, maximum=65_536)
    """Pictures sampled at once; has no influence on the pictures beyond rounding."""
    precision: Precision = Precision.auto
    """Arithmetic of the denoiser; auto = bfloat16 where the hardware has it."""
    capture: Capture = Capture.auto
    """auto = replay the steps of a batch as a CUDA graph on a GPU: the same pictures, faster where the network is small."""


def said_by_hand(config: Any) -> dict[str, str]:
    """What the keys of `by_hand` say: condition -> text."""
    texts = {name: getattr(config, each.word) for name, each in CONDITIONS.items()}
    return {name: text for name, text in texts.items() if text is not None}
