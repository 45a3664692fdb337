"""What `facecond reproduce` can reproduce: a table or a figure of the paper, and the scale at which that is done."""

import enum
from dataclasses import dataclass, field

from facecond.bounds import bounded


class Kind(enum.Enum):
    """What the end of a reproduction is."""

    table = "table"
    curve = "curve"
    checkpoints = "checkpoints"
    attribute_sets = "attribute_sets"
    conditions = "conditions"
    variations = "variations"
    swaps = "swaps"
    worst = "worst"
    again = "again"


@dataclass(kw_only=True, slots=True)
class VariantConfig:
    """One way to train and to sample: a row of a table, a column of a curve, or a model of a figure."""

    name: str = ""
    """What it is called in the table."""
    model: str = "uncond"
    """Option of `model` that is trained."""
    words: list[str] = field(default_factory=list)
    """Overrides of its training."""
    noisy: list[str] = field(default_factory=list)
    """Conditions told as a judge sees them; see `facecond eval`."""


@dataclass(kw_only=True, slots=True)
class OrderingConfig:
    """One claim of the paper: a measure of one variant is better than that of another."""

    claim: str = ""
    """In words."""
    measure: str = "fid"
    """Name of the measure, as `facecond eval` takes it."""
    better: str = ""
    """Name of the variant for which it should be better (or, for diversity, higher)."""
    worse: str = ""
    """Name of the other."""
    eta: float = bounded(1.0, minimum=0.0, maximum=1.0)
    """Sampling at which they are compared."""
    lower: bool | None = None
    """Whether less of it is claimed for `better`; none = whatever the measure calls better."""


@dataclass(kw_only=True, slots=True)
class PaperConfig:
    """A table or a figure: an option of the group `paper`."""

    kind: Kind = Kind.table
    """What it ends in."""
    title: str = ""
    """Its heading."""
    variants: list[VariantConfig] = field(default_factory=list)
    """What is trained and sampled."""
    etas: list[float] = field(default_factory=lambda: [0.0, 1.0])
    """Sampling: 0 = deterministic (the paper's "d."), 1 = stochastic ("s.")."""
    measures: list[str] = field(default_factory=list)
    """Columns; a variant is measured by those that fit what it is told."""
    orderings: list[OrderingConfig] = field(default_factory=list)
    """Claims to be tested."""


class Study(enum.Enum):
    """A question of our own, beside the paper's tables and figures."""

    none = "none"
    synthetic = "synthetic"
    """Of what use synthesized faces are for training a parser and a classifier."""
    memorisation = "memorisation"
    """Whether samples are copies of training faces."""
    edits = "edits"
    """How well edits do what they are asked, and leave the rest alone."""
    exchanges = "exchanges"
    """How well faces take a part as another person has it, where no truth is known."""


@dataclass(kw_only=True, slots=True)
class StudyConfig:
    """A study: an option of the group `study`."""

    kind: Study = Study.none
    """What is asked."""
    title: str = ""
    """Its heading."""
    run: str | None = None
    """Diffusion model that is studied; null = the latest, or the one that came with the program."""
    draw: list[str] = field(default_factory=list)
    """Overrides of drawing the faces, where no pack= is named."""
    real: int = bounded(4096, minimum=0)
    """Training faces that count as all there are; 0 = all of the pack."""
    test: int = bounded(512, minimum=2)
    """Faces drawn for testing; of a pack that is named its whole validation split tests."""
    share: float = bounded(0.1, above=0.0, maximum=1.0)
    """Share of the training faces that are few."""
    count: int = bounded(4096, minimum=1)
    """Faces synthesized, sampled, or edited."""
    synthesize: list[str] = field(default_factory=list)
    """Overrides of synthesizing."""
    parser: list[str] = field(default_factory=list)
    """Overrides of training every face parser."""
    classifier: list[str] = field(default_factory=list)
    """Overrides of training every attribute classifier."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """Seeds of training; each judge is trained once with each."""
    faces: int = bounded(16, minimum=1)
    """Training faces that a model is overfitted on."""
    overfit: list[str] = field(default_factory=list)
    """Overrides of that training."""
    sampling: list[str] = field(default_factory=list)
    """Overrides of sampling."""
    traits: list[str] = field(default_factory=list)
    """Attributes that are changed by editing."""
    parts: list[str] = field(default_factory=list)
    """Parts that faces take as another person has them."""
    strengths: list[float] = field(default_factory=list)
    """Of the edits, each 0 to 1; see `facecond edit`."""
    edit: list[str] = field(default_factory=list)
    """Overrides of editing."""


@dataclass(kw_only=True, slots=True)
class ScaleConfig:
    """How large a reproduction is: an option of the group `scale`."""

    draw: list[str] = field(default_factory=list)
    """Overrides of drawing the faces; empty = the pack must be there (pack=)."""
    size: str = "paper"
    """Size of every model."""
    first_stage: list[str] = field(default_factory=list)
    """Overrides of training the first stage."""
    parser: list[str] = field(default_factory=list)
    """Overrides of training the face parser."""
    classifier: list[str] = field(default_factory=list)
    """Overrides of training the attribute classifier."""
    diffusion: list[str] = field(default_factory=list)
    """Overrides of training every diffusion model."""
    snapshots: int = bounded(5, minimum=1)
    """Weights kept on the way, evenly, where an experiment looks at training; the end is the last."""
    guidance: float = bounded(1.0, minimum=0.0)
    """Guidance of every sampling, whatever the models' own is; 1 = none, as in the paper."""
    sampling: list[str] = field(default_factory=list)
    """Overrides of sampling."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Seeds of training; each model is trained once with each."""
    count: int = bounded(5000, minimum=2)
    """Validation conditions sampled."""
    unconditional: int = bounded(50000, minimum=2)
    """Samples of an unconditional model."""
    checkpoint_count: int = bounded(10000, minimum=2)
    """Samples at each snapshot."""
    conditions: int = bounded(500, minimum=2)
    """Conditions of which several samples are made, for diversity."""
    variations: int = bounded(10, minimum=2)
    """Samples of each of those."""
