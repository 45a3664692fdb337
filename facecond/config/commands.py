"""One configuration class per command, and the table that names them.

A class holds exactly the keys its command uses; the groups it nests (`model`, `trainer`, `sampler`, ...) are described in
the other files of this package. Defaults follow the paper where the paper says something.
"""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.bounds import MOST, bounded, with_fields
from facecond.conditions.table import CONDITIONS
from facecond.config.data import CelebAMaskHQConfig, DataConfig, DrawnConfig, LabelMapsConfig
from facecond.config.diffusion import GuidanceConfig, SamplerConfig, WeightingConfig
from facecond.config.kinds import ModelConfig
from facecond.config.launcher import LAUNCHERS, LauncherConfig
from facecond.config.models import (
    MODELS,
    ClassifierModelConfig,
    DiffusionConfig,
    FirstStageModelConfig,
    MapsConfig,
    ParserModelConfig,
)
from facecond.config.networks import DENOISERS
from facecond.config.reproduce import PaperConfig, ScaleConfig, StudyConfig
from facecond.config.training import Capture, Precision, TrainerConfig
from facecond.errors import ConfigError

MISSING: Any = "???"

NO_MAPS = "none"
"""`maps=none`: what is open stays open."""

NO_FIRST_STAGE = "none"
"""`first_stage=none`: diffusion runs on the pictures themselves. Stands for its hash in files as well."""


class Device(Enum):
    """Where tensors live."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Layout(Enum):
    """Form in which drawn faces are written."""

    pack = "pack"
    release = "release"


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


class Align(Enum):
    """Which photographs are brought into the frame of CelebA-HQ."""

    auto = "auto"
    always = "always"
    never = "never"


class EditMethod(Enum):
    """How a picture is led back to noise."""

    friendly = "friendly"
    """Edit-friendly DDPM inversion: noise of its own at every step keeps much of the picture's layout."""
    ddim = "ddim"
    """DDIM's steps backwards."""
    sdedit = "sdedit"
    """Noise is put over the picture, which then is sampled on; it keeps less the stronger it is."""


class AttributesFrom(Enum):
    """Where the attributes of synthesized faces come from."""

    data = "data"
    """People of the pack, each as often as any other."""
    balanced = "balanced"
    """People of the pack, chosen so that as many have each attribute as lack it, as far as there are such people."""
    given = "given"
    """What `attr` and `pairs` say, and no more."""


class MapsFrom(Enum):
    """Where the label maps of synthesized faces come from."""

    data = "data"
    """The person the attributes come from."""
    drawn = "drawn"
    """A generator of maps draws one for each face, under its attributes."""
    exchanged = "exchanged"
    """The person's map with `parts` of another one's."""


class LabelsFrom(Enum):
    """What counts as the labels of a synthesized face."""

    told = "told"
    """What the model was told."""
    read = "read"
    """What the judges read."""


class Grid(Enum):
    """What the pictures of one sampling have in common."""

    conditions = "conditions"
    attributes = "attributes"
    variations = "variations"
    checkpoints = "checkpoints"


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
    diffusion = "diffusion"
    maps = "maps"
    vq = "vq"
    parser = "parser"
    classifier = "classifier"


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


def _launched() -> list[tuple[str, Any, Any, str]]:
    """The key of commands that can be jobs."""
    meaning = "What starts the command as a job; none = it runs here."
    return [("launcher", LauncherConfig | None, field(default=None), meaning)]


def _given() -> list[tuple[str, Any, Any, str]]:
    """The keys of what a person can say by hand, one for each condition."""
    return [(each.word, str | None, field(default=None), f"{each.help}.") for each in CONDITIONS.values()]


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


@with_fields(_launched())
@dataclass(kw_only=True, slots=True)
class ParseConfig(CommandConfig):
    """`facecond parse`: photographs become aligned faces with label maps, and attributes."""

    photos: list[str] = field(default_factory=list)
    """Pictures, and folders of pictures."""
    device: Device = Device.auto
    """auto = the first CUDA device when there is one."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch; none = the latest run."""
    classifier: str | None = None
    """Run of `model=classifier`; null = the latest run, if there is one; none = no attributes."""
    resolution: int | None = bounded(None, minimum=16, maximum=1024)
    """Height and width of the pictures and label maps written, pixels; null = what the parser learnt at."""
    align: Align = Align.auto
    """auto = lay a frame by eyes and mouth, as CelebA-HQ does, unless the picture is framed so already; always = lay it in any
    case; never = take the central square."""
    sheet: int = bounded(24, minimum=0, maximum=200)
    """Photographs on the contact sheet; 0 = no sheet."""
    name: str | None = None
    """Name of the folder in WORKSPACE/parsed; none = the first photograph or folder, and the resolution."""


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
    """packs, runs, samples (and swaps), results, parsed photographs, edits, synthesized sets or exports; or runs of one kind of
    model: diffusion, maps, vq, parser, classifier; none = everything."""
    words: list[str] = field(default_factory=list)
    """What a name must contain, all of it, in any case."""
    most: int = bounded(20, minimum=1, maximum=MOST)
    """Entries of each kind shown, the newest; `--json` has all."""
    next: int | None = bounded(None, minimum=0, maximum=MOST)
    """Entries of each kind, the newest, below which stand the commands one could type next; none = three, or all where a word is
    given; `--json` has those of all."""


@with_fields(_launched())
@dataclass(kw_only=True, slots=True)
class TrainConfig(ComputeConfig):
    """`facecond train`: one model on one pack; what every kind of model has."""

    name: str | None = None
    """Name of the run; none = model, size and pack."""
    model: ModelConfig = MISSING
    """(The classes below narrow this type for type checkers only: OmegaConf fills a section whose type is a model's with that
    model's defaults, denoiser included, before it takes what was chosen.)"""
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    minutes: float | None = bounded(None, minimum=0.1)
    """Time to plan for on this machine, minutes: a short timing at the start turns it into trainer.images, and sets warm-up,
    evaluations and checkpoints to match; they are written down, and a run that is continued keeps them. none = as configured."""
    init: str | None = None
    """Weights to start from; none = from scratch. A run or a weights file of the same kind of model; or a file of CompVis latent
    diffusion (first stage, U-Net), of face-parsing.PyTorch (parser), or torchvision's resnet18 (classifier)."""
    memory: str | None = None
    """Memory that each process is to fit, with its unit: 24GB; none = what a GPU has free, or a share of the host's.
    trainer.micro_batch=auto keeps to it, and --dry-run says whether it is enough; with device=cuda also where there is no GPU."""


@dataclass(kw_only=True, slots=True)
class TrainGenerativeConfig(TrainConfig):
    """`facecond train` of a model that diffuses, pictures or label maps."""

    if TYPE_CHECKING:
        model: DiffusionConfig
    weighting: WeightingConfig = field(default_factory=WeightingConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """Sampler of the sample grids, and the run's default afterwards."""
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    """Guidance of the sample grids, and the run's default afterwards."""


@dataclass(kw_only=True, slots=True)
class TrainDiffusionConfig(TrainGenerativeConfig):
    """`facecond train` of a diffusion model."""

    first_stage: str | None = None
    """Run of `model=vq` whose latents a diffusion model learns; null = the latest that encoded the pack; none = no first stage, the
    pictures themselves are learnt."""


@dataclass(kw_only=True, slots=True)
class TrainMapsConfig(TrainGenerativeConfig):
    """`facecond train model=maps`."""

    if TYPE_CHECKING:
        model: MapsConfig


@dataclass(kw_only=True, slots=True)
class TrainFirstStageConfig(TrainConfig):
    """`facecond train model=vq`."""

    if TYPE_CHECKING:
        model: FirstStageModelConfig


@dataclass(kw_only=True, slots=True)
class TrainParserConfig(TrainConfig):
    """`facecond train model=parser`."""

    if TYPE_CHECKING:
        model: ParserModelConfig


@dataclass(kw_only=True, slots=True)
class TrainClassifierConfig(TrainConfig):
    """`facecond train model=classifier`."""

    if TYPE_CHECKING:
        model: ClassifierModelConfig


TRAINING: dict[str, type[TrainConfig]] = {
    "diffusion": TrainDiffusionConfig,
    "maps": TrainMapsConfig,
    "vq": TrainFirstStageConfig,
    "parser": TrainParserConfig,
    "classifier": TrainClassifierConfig,
}
"""Configuration of `facecond train` for each kind of model."""


@with_fields(_launched())
@dataclass(kw_only=True, slots=True)
class EncodeConfig(ComputeConfig):
    """`facecond encode`: latents of every picture of a pack, computed once."""

    first_stage: str | None = None
    """Run of `model=vq`, or a file of weights, which is then kept in WORKSPACE/first_stages; none = the latest run."""
    norm_groups: int | None = bounded(None, minimum=1)
    """Groups of normalisation of a first stage in a file of latent diffusion, the one size its tensors do not show; none = 32, or
    the most below that divide its channels."""
    flips: bool = True
    """Also encode every picture mirrored (encoding does not commute with mirroring)."""
    batch_size: int = bounded(32, minimum=1, maximum=65_536)
    """Pictures encoded at once."""


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
    capture: Capture = Capture.never
    """auto = replay the steps of a batch as a CUDA graph on a GPU. No GPU has confirmed it yet, hence never."""


def said_by_hand(config: Any) -> dict[str, str]:
    """What the keys of `_given` say: condition -> text."""
    texts = {name: getattr(config, each.word) for name, each in CONDITIONS.items()}
    return {name: text for name, text in texts.items() if text is not None}


@with_fields([*_given(), *_launched()])
@dataclass(kw_only=True, slots=True)
class SampleConfig(GenerateConfig):
    """`facecond sample`: faces that obey conditions."""

    def given(self) -> dict[str, str]:
        """What the user gave by hand: condition -> text."""
        return said_by_hand(self)

    grid: Grid = Grid.conditions
    """conditions = a row for each condition; attributes = same noise, many attribute sets; variations = several samples of one
    condition; checkpoints = same noise across the checkpoints of the run."""
    count: int = bounded(8, minimum=1, maximum=MOST)
    """Conditions taken from the validation split, or samples when the condition is given by hand."""
    samples: int = bounded(1, minimum=1, maximum=MOST)
    """Samples of each condition."""
    items: list[int] = field(default_factory=list)
    """Validation items (0, 1, ...) whose conditions to use; empty = the first `count`."""
    attribute_sets: list[str] = field(default_factory=list)
    """Attribute sets of grid=attributes, each written as `attr`; they change what the item's own attributes say."""
    adapt_masks: bool = True
    """Where a named attribute contradicts the item's map (glasses, hat, open mouth, earrings, necklace), take that part from the
    most similar training face of whom it holds; false = leave the map as it is."""
    maps: str | None = None
    """Run of `model=maps` that draws a map, each picture its own, where none is told or one given by hand has open parts (255);
    null = the latest that learnt such maps, if there is one; none = leave it open."""
    only: list[str] = field(default_factory=list)
    """Conditions to take from the items; empty = all the model has. What is left out stays unspecified, or is drawn (`maps`)."""
    compare: list[str] = field(default_factory=list)
    """Further runs of grid=checkpoints, for example the baseline beside P2."""
    name: str | None = None
    """Name of the folder in WORKSPACE/samples; none = made from the run, the sampler and the condition."""


@with_fields(_launched())
@dataclass(kw_only=True, slots=True)
class EvalConfig(GenerateConfig):
    """`facecond eval`: how well samples obey, with ceilings and floors."""

    metrics: list[str] = field(default_factory=list)
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
    """The two runs: folders, or names in WORKSPACE/runs; the second is taken from the first. Without metrics=, what both are told
    is measured, else fid."""


@with_fields(_launched())
@dataclass(kw_only=True, slots=True)
class SwapConfig(GenerateConfig):
    """`facecond swap-masks`: parts of the masks of two people are exchanged and both mixed masks sampled."""

    parts: list[str] = field(default_factory=lambda: ["hair"])
    """Parts to exchange: CelebAMask-HQ names, or eyes, brows, ears, lips."""
    pairs: list[str] = field(default_factory=list)
    """Pairs of validation items, for example 3:17; empty = people whose heads are turned differently."""
    count: int = bounded(3, minimum=1, maximum=MOST)
    """Pairs to choose when none are given."""
    samples: int = bounded(4, minimum=1, maximum=MOST)
    """Samples of each mixed mask."""
    name: str | None = None
    """Name of the folder in WORKSPACE/swaps; none = made from the run and the parts."""


@with_fields(_given())
@dataclass(kw_only=True, slots=True)
class EditConfig(GenerateConfig):
    """`facecond edit`: photographs, or people of a pack, changed in one respect and left alone in all others.

    Attributes by hand should hold afterwards, all others stay as they are seen; so do the parts of a label map by hand that are
    255.
    """

    def given(self) -> dict[str, str]:
        """What should hold afterwards: condition -> text."""
        return said_by_hand(self)

    photos: list[str] = field(default_factory=list)
    """Pictures, and folders of pictures."""
    items: list[int] = field(default_factory=list)
    """Validation items (0, 1, ...) of the pack to change, in place of photographs."""
    paint: list[str] = field(default_factory=list)
    """Parts to take from other label maps, for example hair=other.png."""
    region: list[str] = field(default_factory=list)
    """Parts that may change in any case, `background`, or `all`; beside these, the region follows from what is asked for."""
    method: EditMethod = EditMethod.friendly
    """How the picture is led back to noise."""
    strength: float = bounded(0.8, minimum=0.0, maximum=1.0)
    """Share of the sampling steps that are taken again: 0 changes nothing, 1 begins at noise."""
    blend: bool = True
    """Keep the picture's own latents outside of the region at every step, so that what is inside fits in."""
    grow: float = bounded(0.02, minimum=0.0, maximum=0.5)
    """How far the region reaches beyond what changes, as a share of the face's side."""
    feather: float = bounded(0.03, minimum=0.0, maximum=0.5)
    """How far inside its border the region shows the edit in full, as a share of the face's side; outside of it no byte changes."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch, that reads photographs; none = the latest run."""
    classifier: str | None = None
    """Run of `model=classifier` that reads photographs; none = the latest run."""
    maps: str | None = None
    """Run of `model=maps` that draws anew what an attribute changes of the label map; null = the latest that fits, if there is
    one; none = leave it open."""
    align: Align = Align.auto
    """auto = lay a frame by eyes and mouth unless the picture is framed as CelebA-HQ is; always = lay it in any case; never = take
    the central square."""
    sheet: int = bounded(24, minimum=0, maximum=200)
    """Pictures shown on the sheet of before and after; 0 = no sheet."""
    name: str | None = None
    """Name of the folder in WORKSPACE/edits; none = made from the run and what is asked for."""

    def painted(self) -> list[tuple[str, Path]]:
        """Parts, and the label maps they are taken from. Raises ConfigError for what names none."""
        pairs = [(text.partition("=")[0], text.partition("=")[2]) for text in self.paint]
        for text, pair in zip(self.paint, pairs, strict=True):
            if not all(pair):
                raise ConfigError(f"paint={text} names no part and map", hint="write it like paint=['hair=other.png']")
        return [(part, Path(file)) for part, file in pairs]


FORMS = ("pack", "imagefolder", "coco", "croissant")
"""Forms in which synthesized faces are written."""

NO_JUDGE = "none"
"""`parser=none`, `classifier=none`: nobody reads that off the faces."""


def _changing() -> list[tuple[str, Any, Any, str]]:
    """The key of what a person can say by hand of everybody: the conditions of which a part can be said."""
    return [
        field for field in _given() if any(each.word == field[0] and each.changes_items for each in CONDITIONS.values())
    ]


@with_fields([*_changing(), *_launched()])
@dataclass(kw_only=True, slots=True)
class SynthesizeConfig(GenerateConfig):
    """`facecond synthesize`: labelled faces in quantity, each read by judges, those that do not show what was told put aside.

    What is said by hand holds for every face.
    """

    count: int = bounded(64, minimum=1, maximum=MOST)
    """Faces asked for. A larger count continues a smaller one."""
    batch_size: int = bounded(16, minimum=1, maximum=65_536)
    """Faces made at once. The last ones are filled up to as many, so that no face depends on how many there are; with another
    number they differ by rounding."""
    attributes: AttributesFrom = AttributesFrom.data
    """Where attributes come from: data = people of the pack; balanced = the same, chosen so that as many have each attribute as
    lack it, as far as there are such people; given = attr= and pairs= alone, everything else is left open."""
    pairs: list[str] = field(default_factory=list)
    """Rare combinations of attributes to be shown in turn, for example [Eyeglasses+Wearing_Hat,Bald-Male]."""
    pairs_share: float = bounded(0.5, above=0.0, maximum=1.0)
    """Share of the faces that show one of the pairs."""
    maps_from: MapsFrom | None = None
    """Where label maps come from: data = the person the attributes come from; drawn = a generator of maps; exchanged = the person's
    map with parts of another one's. null = data, or drawn with attributes=given."""
    maps: str | None = None
    """Run of `model=maps` for maps_from=drawn; null = the latest that fits."""
    parts: list[str] = field(default_factory=lambda: ["hair"])
    """Parts that are exchanged, with the attributes that are words for them: CelebAMask-HQ names, or eyes, brows, ears, lips."""
    split: str | None = None
    """Split of the pack whose people are taken; null = train, or validation where that is the larger one."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch, that reads the faces; null = the one made for the pack;
    none = no parser."""
    classifier: str | None = None
    """Run of `model=classifier` that reads the faces; null = the one made for the pack; none = no classifier."""
    least_miou: float = bounded(0.6, minimum=0.0, maximum=1.0)
    """Mean IoU of the map read with the map told, over the classes told, below which a face is rejected."""
    least_attributes: float = bounded(0.9, minimum=0.0, maximum=1.0)
    """Share of the attributes told that must be read so; a face with less is rejected."""
    named: bool = True
    """Reject a face that does not show an attribute that was asked for by name (attr=, pairs=)."""
    tries: int = bounded(3, minimum=1, maximum=1000)
    """Times a face is made, each from noise of its own, before it is given up."""
    labels: LabelsFrom | None = None
    """What the pack and COCO files have as labels: told = what the model was told, read = what the judges read; the image folder
    has both. null = told, or read where the model is told no maps."""
    validation: float = bounded(0.1, minimum=0.0, maximum=0.9)
    """Share of the people (of the faces, with attributes=given) whose faces form the validation split."""
    forms: list[str] = field(default_factory=lambda: list(FORMS))
    """Forms in which accepted faces are written: pack, imagefolder, coco, croissant (the last two describe the image folder)."""
    sheet: int = bounded(48, minimum=0, maximum=400)
    """Faces on the contact sheet; 0 = no sheet."""
    name: str | None = None
    """Name of the folder in WORKSPACE/synthesized, and of the pack, with the count behind it; none = made from the run and what is
    asked for."""


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


COMMANDS: dict[str, type] = {
    "data pack": PackConfig,
    "data draw": DrawConfig,
    "data inspect": InspectConfig,
    "runs": RunsConfig,
    "verify": VerifyConfig,
    "parse": ParseConfig,
    "train": TrainDiffusionConfig,
    "encode": EncodeConfig,
    "sample": SampleConfig,
    "eval": EvalConfig,
    "compare": CompareConfig,
    "swap-masks": SwapConfig,
    "edit": EditConfig,
    "studio": StudioConfig,
    "export web": ExportWebConfig,
    "synthesize": SynthesizeConfig,
    "report": ReportConfig,
    "demo": DemoConfig,
    "reproduce": ReproduceConfig,
}
"""Every command that has a configuration, in the order of the work."""


def config_name(command: str) -> str:
    """Name of the command's file in `conf/`."""
    return command.replace(" ", "_").replace("-", "_")


SCHEMAS: dict[str, type] = {
    **{f"{config_name(command)}_schema": schema for command, schema in COMMANDS.items()},
    **{f"model/{kind}_schema": schema for kind, schema in MODELS.items()},
    **{f"denoiser/{kind}_schema": schema for kind, schema in DENOISERS.items()},
    **{f"launcher/{kind}_schema": schema for kind, schema in LAUNCHERS.items()},
    "data/celebamask_hq_schema": CelebAMaskHQConfig,
    "data/label_maps_schema": LabelMapsConfig,
}
"""Typed starting points that the YAML files name in their defaults lists."""
