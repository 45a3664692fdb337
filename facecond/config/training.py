"""How a model is trained: everything the training loop and the learners need beside the networks' own sizes.

Defaults are the paper's (arXiv 2306.00914, section 4) and, where it is silent, latent diffusion's for CelebA-HQ.
"""

from dataclasses import dataclass
from enum import Enum

from facecond.bounds import bounded, choice

AUTO = "auto"


class LearningRateSchedule(Enum):
    """Learning rate after the warm-up, as a function of images seen."""

    constant = "constant"
    """Stays."""
    cosine = "cosine"
    """Falls along half a cosine to `learning_rate_floor` at the last image."""


class OptimizerKind(Enum):
    """What turns gradients into updates of the weights."""

    adamw = "adamw"
    """AdamW for all weights."""
    muon = "muon"
    """Muon for the weights of hidden layers, AdamW for the others (`facecond.training.muon`)."""


class Precision(Enum):
    """Arithmetic of forward and backward passes; weights, averages and optimiser state are float32 always."""

    auto = "auto"
    """bfloat16 where the hardware has it, else float32."""
    float32 = "float32"
    bfloat16 = "bfloat16"


class Capture(Enum):
    """Whether the passes of a step are recorded once and replayed (CUDA graphs)."""

    auto = "auto"
    """On a GPU; where recording fails, a line says so. Training: where a step is one micro-batch, without torch.compile and a
    discriminator; graphs keep their memory, also while the model is evaluated."""
    never = "never"
    """Start every kernel from the host."""


@dataclass(kw_only=True, slots=True)
class TrainerConfig:
    """The training loop."""

    images: int = bounded(15_000_000, minimum=1, maximum=10**12)
    """Images to learn from in all, rounded up to whole batches; the paper's 600 epochs of 25000."""
    batch_size: int = bounded(48, minimum=1, maximum=65_536)
    """Images per update of the weights, over all processes."""
    micro_batch: int | str | None = bounded(None, minimum=1, words=(AUTO,))
    """Images per forward pass of one process; none = its whole share of the batch; auto = the largest divisor of it that fits the
    device's memory. Divides that share. May change when a run is continued, unless the networks have BatchNorm (judges, the patch
    discriminator, masks with `norm=batch`), whose share auto does not divide."""
    optimizer: OptimizerKind = OptimizerKind.adamw
    """What turns gradients into updates. muon: those of the matrices of hidden layers are nearly orthogonal, for more time per
    step; the learning rate may stay."""
    learning_rate: float = bounded(9.6e-5, above=0.0)
    """Learning rate after the warm-up."""
    schedule: LearningRateSchedule = LearningRateSchedule.constant
    """Learning rate over the images seen."""
    learning_rate_floor: float = bounded(0.01, minimum=0.0, maximum=1.0)
    """cosine: last learning rate as a share of `learning_rate`."""
    warmup_images: int = bounded(0, minimum=0)
    """Images over which the learning rate rises linearly from 0."""
    weight_decay: float = bounded(0.01, minimum=0.0)
    """Decoupled weight decay."""
    beta1: float = bounded(0.9, minimum=0.0, maximum=0.9999)
    """AdamW's decay of the mean gradient."""
    beta2: float = bounded(0.999, minimum=0.0, maximum=0.999999)
    """AdamW's decay of the mean squared gradient."""
    clip_norm: float | None = bounded(None, above=0.0)
    """L2 norm to which the gradient of all weights is clipped; none = never."""
    ema_decay: float = bounded(0.9999, minimum=0.0, maximum=1.0)
    """Decay of the averaged weights per update, reached through min(decay, (1 + n) / (10 + n)). 0 keeps no average:
    right for judges and for a first stage whose codes restart."""
    precision: Precision = Precision.auto
    """Arithmetic of forward and backward passes."""
    capture: Capture = Capture.auto
    """Replay forward and backward passes as CUDA graphs: a small network's step is bound by the host otherwise."""
    gradient_checkpointing: bool | str = choice(False, AUTO)
    """Work out the activations of residual and attention blocks again in the backward pass instead of keeping them: less memory,
    about a third more time; auto = where the training would not fit the device's memory otherwise. Diffusion models and first
    stages."""
    compile: bool = False
    """Compile the network with torch.compile (pays on a GPU)."""
    flips: bool = True
    """Learn from half of the images mirrored, with left and right parts exchanged."""
    seed: int = bounded(0, minimum=0, maximum=2**63 - 1)
    """Seed of the data order, flips, timesteps, noise and the initial weights."""
    log_every: int = bounded(4_800, minimum=1)
    """Images between lines of metrics.jsonl; also how often a GPU's losses are looked at."""
    evaluate_every: int = bounded(240_000, minimum=1)
    """Images between evaluations on the validation split (one more at the end)."""
    evaluate_items: int = bounded(512, minimum=1)
    """Validation items an evaluation looks at, at most."""
    sample_grid: int = bounded(8, minimum=0)
    """Faces on the sample grid of every evaluation; 0 = no grid."""
    checkpoint_every: int = bounded(240_000, minimum=1)
    """Images between checkpoints."""
    checkpoint_minutes: float | None = bounded(15.0, above=0.0)
    """Minutes between checkpoints, whichever comes first; none = by images alone."""
    keep_checkpoints: int = bounded(2, minimum=1)
    """Newest checkpoints that are kept; when the newest is damaged, the run goes on from the one before."""
    snapshot_every: int | None = bounded(None, minimum=1)
    """Images between copies of the averaged weights that are kept for good, to compare them later; none = only the
    last."""
    stop_after_minutes: float | None = bounded(None, above=0.0)
    """Write a checkpoint and leave after this time; the same command continues. None = run to the end."""
    tensorboard: bool = True
    """Write curves and grids for TensorBoard too."""

    @property
    def at_once(self) -> int | None:
        """`micro_batch` where it is a number; None, the whole share, before auto has become one."""
        return None if isinstance(self.micro_batch, str) else self.micro_batch

    @property
    def recompute(self) -> bool:
        """`gradient_checkpointing` where it is settled; before, none."""
        return self.gradient_checkpointing is True

    @property
    def fitted(self) -> bool:
        """Whether something is left to be chosen by the device's memory."""
        return AUTO in (self.micro_batch, self.gradient_checkpointing)


@dataclass(kw_only=True, slots=True)
class FirstStageTrainingConfig:
    """What is particular to training the first stage."""

    freeze_encoder: bool = False
    """Train the decoder alone (and the convolution before it) on the encoder and the codebook that `init` gives."""
    keep_decoder: bool = True
    """With `init`: go on from its decoder too; false starts a new one (with freeze_encoder the paper's decoder from scratch)."""
    quantise_after: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Share of the training after which the quantiser is inserted, its codebook filled from encoder outputs."""
    restart_every: int | None = bounded(None, minimum=1)
    """Images between looks at the codebook; codes not used since the last look restart at encoder outputs. None =
    never."""
    restart_until: float = bounded(0.8, minimum=0.0, maximum=1.0)
    """Share of the training after which codes restart no more, so that decoder and codebook settle."""
    part_weight_power: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """A pixel counts frequency^-power of its part in the L1 term, so that small parts survive; 0 = all the same (the
    original). Needs label maps."""


@dataclass(kw_only=True, slots=True)
class JudgeTrainingConfig:
    """What is done to the pictures a judge (face parser, attribute classifier) learns from."""

    blur: float = bounded(0.8, minimum=0.0)
    """Largest deviation of the blur laid over a training picture, pixels; judges must read decoded pictures."""
    noise: float = bounded(0.04, minimum=0.0)
    """Largest deviation of the noise laid over a training picture; pictures span -1 to 1."""
    brightness: float = bounded(0.1, minimum=0.0)
    """Largest shift of a training picture's brightness and change of its contrast, as a share of its range."""
    colour: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Largest change of the strength of each colour channel of a training picture, as a share of it."""
    zoom: float = bounded(0.0, minimum=0.0, maximum=0.9)
    """Largest change of a training picture's scale, as a share of it; few faces teach more when each is seen in many ways."""
    turn: float = bounded(0.0, minimum=0.0, maximum=180.0)
    """Largest rotation of a training picture, degrees."""
    shift: float = bounded(0.0, minimum=0.0, maximum=0.5)
    """Largest displacement of a training picture along each axis, as a share of its side."""


@dataclass(kw_only=True, slots=True)
class ParserTrainingConfig(JudgeTrainingConfig):
    """What is particular to training the face parser."""

    class_weight_power: float = bounded(0.4, minimum=0.0, maximum=1.0)
    """A class counts frequency^-power in the loss; 0 = all pixels count the same."""
