"""Figures: `facecond eval` and `compare`."""

from dataclasses import dataclass, field
from enum import Enum

from facecond.bounds import MOST, bounded, with_fields
from facecond.config.commands.base import GenerateConfig, launched


class FidMode(Enum):
    """How pictures become Inception's input."""

    clean = "clean"
    legacy = "legacy"


class Features(Enum):
    """What distances of whole sets, neighbours and classes are measured in."""

    inception = "inception"
    efficientnet = "efficientnet"
    classifier = "classifier"


class Perceptual(Enum):
    """What perceptual distances of two pictures are measured in."""

    lpips = "lpips"
    efficientnet = "efficientnet"
    classifier = "classifier"


@with_fields(launched())
@dataclass(kw_only=True, slots=True)
class EvalConfig(GenerateConfig):
    """`facecond eval`: how well samples obey, with ceilings and floors."""

    measures: list[str] = field(default_factory=list)
    """Names of measures; `facecond eval --help` lists them."""
    samples: str | None = None
    """Folder of samples, or its name in WORKSPACE/samples, or a pack (how well judges read its own pictures); none = sample `count`
    validation conditions now."""
    reference: str | None = None
    """Folder of pictures, or pack (its validation split), that the pictures in `samples`, of either kind, are compared with; no run
    is needed then."""
    count: int = bounded(256, minimum=2, maximum=MOST)
    """Validation conditions sampled, no more than the split holds; samples of an unconditional model."""
    snapshot: int | None = bounded(None, minimum=1)
    """Measure the weights kept after so many images (trainer.snapshot_every=); none = those at the end."""
    noisy: list[str] = field(default_factory=list)
    """Conditions that the model is told as a judge sees them in the real pictures, not as they are labelled (the paper's noisy
    masks: noisy=[mask]). Samples are compared with the labels all the same."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch; none = the latest made for the pack."""
    classifier: str | None = None
    """Run of `model=classifier`; none = the latest made for the pack."""
    features: Features | None = None
    """What fid, kid, precision, is and others are measured in; none = the first that is to be had of inception, efficientnet, and
    our own classifier. What is not Inception's bears another name."""
    perceptual: Perceptual | None = None
    """What lpips and lpips_reconstruction are measured in; none = the first that is to be had of lpips, efficientnet, and our own
    classifier."""
    inception: str | None = None
    """inception-2015-12-05.pt, for fid, kid, is and others; none = from the usual caches, else fetched."""
    lpips_trunk: str | None = None
    """torchvision's alexnet-owt-7be5be79.pth, for lpips and lpips_reconstruction; none = from torch's cache, else fetched."""
    download: bool = True
    """Fetch published weights that are not here."""
    strict: bool = False
    """Refuse where published weights cannot be had; false = measure in other features, under other names, and leave out with a
    warning what there is no network for."""
    mode: FidMode = FidMode.clean
    """How fid, kid, mind and others resize pictures for Inception: clean (clean-fid) or legacy (the first FID)."""
    conditions: int = bounded(24, minimum=2, maximum=MOST)
    """Validation conditions of which lpips samples several, no more than the split holds."""
    variations: int = bounded(10, minimum=2, maximum=MOST)
    """Samples of each of those."""


@dataclass(kw_only=True, slots=True)
class CompareConfig(EvalConfig):
    """`facecond compare`: two runs measured on the same conditions."""

    runs: list[str] = field(default_factory=list)
    """The two runs: folders, or names in WORKSPACE/runs; the second is taken from the first. Without measures=, what both are told
    is measured, else fid."""
