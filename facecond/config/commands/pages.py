"""Pages to paint on: `facecond studio` and `export web`."""

from dataclasses import dataclass, field

from facecond.bounds import bounded
from facecond.config.commands.base import CommandConfig, ComputeConfig
from facecond.config.diffusion import GuidanceConfig, SamplerConfig


@dataclass(kw_only=True, slots=True)
class StudioConfig(ComputeConfig):
    """`facecond studio`: one page, served on this machine, on which a label map is painted and becomes a face."""

    run: str | None = None
    """Run of a diffusion model: a folder, or a name in WORKSPACE/runs; none = the latest."""
    compare: str | None = None
    """Second run, whose faces stand beside those of the first; none = one run alone."""
    maps: str | None = None
    """Run of `model=maps` that draws what a map leaves open, where the page asks for that; null = the latest that fits, if there is
    one; none = what is open stays open."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch, that reads photographs; none = the latest run."""
    classifier: str | None = None
    """Run of `model=classifier` that says which attributes a photograph shows; none = the latest run, if there is one."""
    steps: int = bounded(10, minimum=1, maximum=250)
    """Sampling steps that the page begins with."""
    threads: int | None = bounded(None, minimum=1, maximum=1024)
    """Threads that sample on a CPU; none = one fewer than there are cores, since the browser needs one, or OMP_NUM_THREADS."""
    people: int = bounded(24, minimum=0, maximum=200)
    """People of the pack in the page's gallery, those of the validation split first."""
    host: str = "127.0.0.1"
    """Address to listen at. Any other than the machine itself (127.0.0.1, ::1, localhost) lets others in who know the token."""
    port: int = bounded(8765, minimum=0, maximum=65535)
    """Port to listen at; 0 = any that is free."""
    browser: bool = True
    """Open the page in the browser."""


@dataclass(kw_only=True, slots=True)
class ExportWebConfig(CommandConfig):
    """`facecond export web`: the studio's page as a folder for any static host, which samples inside the browser."""

    run: str | None = None
    """Run of a diffusion model: a folder, or a name in WORKSPACE/runs; none = the latest."""
    pack: str | None = None
    """Pack whose people the gallery shows: a folder, or a name in WORKSPACE/packs; none = the one the run was trained on."""
    first_stage: str | None = None
    """Where the run's first stage is (a run or a file), when it is not in the workspace; none = found by its content."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """What the page begins with."""
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    """What the page begins with."""
    maps: str | None = None
    """Run of `model=maps` that draws what a map leaves open; null = the latest that fits, if there is one; none = nothing does."""
    people: int | None = bounded(None, minimum=0, maximum=200)
    """People of the pack in the page's gallery, for everyone to see who opens it; none = 24 of drawn faces, 0 of any others."""
    runtime: str | None = None
    """onnxruntime-web: the .tgz that npm packs, or its folder; none = fetched once, compared with its hash and kept."""
    name: str | None = None
    """Name of the folder in WORKSPACE/exports; none = the run's, and `web`."""
