"""What a workspace holds: `facecond runs`, `verify` and `report`."""

from dataclasses import dataclass, field
from enum import Enum

from facecond.bounds import MOST, bounded
from facecond.config.commands.base import CommandConfig


class Held(Enum):
    """What a workspace holds: all entries of a kind, or runs of one kind of model."""

    packs = "packs"
    runs = "runs"
    samples = "samples"
    results = "results"
    parsed = "parsed"
    edits = "edits"
    synthesized = "synthesized"
    exports = "exports"
    reproduced = "reproduced"
    diffusion = "diffusion"
    maps = "maps"
    vq = "vq"
    parser = "parser"
    classifier = "classifier"


@dataclass(kw_only=True, slots=True)
class VerifyConfig(CommandConfig):
    """`facecond verify`: every file is read again and compared with what vouches for it."""

    places: list[str] = field(default_factory=list)
    """Folders and files to check; none = the workspace."""
    repair: bool = False
    """Make again what can be made from files that are whole."""


@dataclass(kw_only=True, slots=True)
class RunsConfig(CommandConfig):
    """`facecond runs`: what a workspace holds."""

    kind: Held | None = None
    """packs, runs, samples (and swaps), results, parsed photographs, edits, synthesized sets, exports or what was reproduced; or
    runs of one kind of model: diffusion, maps, vq, parser, classifier; none = everything."""
    words: list[str] = field(default_factory=list)
    """What a name must contain, all of it, in any case."""
    most: int = bounded(20, minimum=1, maximum=MOST)
    """Entries of each kind shown, the newest; `--json` has all."""
    next: int | None = bounded(None, minimum=0, maximum=MOST)
    """Entries of each kind, the newest, below which stand the commands one could type next; none = three, or all where a word is
    given; `--json` has those of all."""


@dataclass(kw_only=True, slots=True)
class ReportConfig(CommandConfig):
    """`facecond report`: runs beside one another on one page."""

    runs: list[str] = field(default_factory=list)
    """Runs: folders, or names in WORKSPACE/runs; empty = the latest finished ones, at most six."""
    name: str | None = None
    """Name of the folder in WORKSPACE/reports; none = made from the runs, or `latest`."""
    samples: int = bounded(4, minimum=0, maximum=MOST)
    """Folders of samples and swaps shown of each run, the latest."""
    records: int = bounded(8, minimum=0, maximum=MOST)
    """Pictures of each folder whose records are shown."""
