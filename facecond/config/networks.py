"""Sizes and options of the denoisers, of the first stage and its losses, and of the two judges.

Defaults are the paper's (arXiv 2306.00914) or, where it builds on them, latent diffusion's for CelebA-HQ.
"""

import enum
from dataclasses import dataclass

from facecond.bounds import DEEPEST, WIDEST, bounded, fixed


@dataclass(kw_only=True, slots=True)
class VQConfig:
    """The first stage: latent diffusion's vector-quantised autoencoder."""

    ch: int = bounded(128, minimum=1, maximum=WIDEST)
    """Channels at full resolution."""
    decoder_ch: int | None = bounded(None, minimum=1, maximum=WIDEST)
    """Those of the decoder, where they are others: what is encoded often and decoded seldom needs the narrower encoder."""
    ch_mult: list[int] = bounded([1, 2, 4], minimum=1, maximum=64)
    """Channels of each level as multiples of `ch`; n levels shrink a picture by 2^(n-1)."""
    num_res_blocks: int = bounded(2, minimum=1, maximum=DEEPEST)
    """Residual blocks per level of the encoder (the decoder has one more)."""
    z_channels: int = bounded(3, minimum=1, maximum=WIDEST)
    """Channels between the encoder and the quantiser's convolution."""
    embed_dim: int = bounded(3, minimum=1, maximum=WIDEST)
    """Width of a code, which is the number of channels of a latent."""
    n_embed: int = bounded(8192, minimum=1, maximum=1_000_000)
    """Codes in the codebook."""
    beta: float = 0.25
    """Weight of the codebook's term that pulls codes to latents (latent diffusion's `legacy` form)."""
    mid_attention: bool = True
    """Self-attention in the middle of encoder and decoder."""
    attention_levels: list[int] = bounded([], minimum=0)
    """Levels that attend after each residual block too (0 = full resolution); latent diffusion's f8 has [3]."""
    norm_groups: int = bounded(32, minimum=1, maximum=WIDEST)
    """Groups of every group normalisation; divides the channels of every level."""


class Perceptual(enum.Enum):
    """The perceptual term of the first stage's loss."""

    lpips = "lpips"
    efficientnet = "efficientnet"
    gradient = "gradient"
    none = "none"


@dataclass(kw_only=True, slots=True)
class VQLossConfig:
    """What the first stage is trained on."""

    perceptual: Perceptual = Perceptual.lpips
    """`lpips` needs the weights of its VGG-16 trunk; `efficientnet` (the same distance on EfficientNet-Lite0) those that
    facecond[features] installs; `gradient` (L1 of picture gradients, multi-scale) needs none."""
    perceptual_weight: float = 1.0
    """Weight of the perceptual term beside L1."""
    lpips_trunk: str | None = None
    """File with torchvision's VGG-16 weights (vgg16-397923af.pth); default: torch's cache of downloaded weights."""
    codebook_weight: float = 1.0
    """Weight of the codebook loss."""
    discriminator_weight: float = 0.75
    """Weight of the discriminator's term, on top of the adaptive weight; 0 trains without a discriminator."""
    discriminator_start: int = 0
    """Images after which the discriminator joins."""
    discriminator_channels: int = bounded(64, minimum=1, maximum=WIDEST)
    """Channels of the discriminator's first layer."""
    discriminator_layers: int = bounded(3, minimum=1, maximum=DEEPEST)
    """Strided layers of the patch discriminator."""


class ParserKind(enum.Enum):
    """Architectures of the face parser."""

    bisenet = "bisenet"
    small = "small"
    efficientnet = "efficientnet"


@dataclass(kw_only=True, slots=True)
class ParserConfig:
    """The judge that reads label maps off pictures."""

    kind: ParserKind = ParserKind.bisenet
    """`bisenet`: face-parsing.PyTorch's network; `small`: a U-Net with batch normalisation for 64 to 128 pixels;
    `efficientnet`: a U-Net on EfficientNet-Lite0, from its ImageNet features, for few faces."""
    input_size: int | None = bounded(512, minimum=8, maximum=4096)
    """Side in pixels that pictures are resized to before they are read; none: as they come."""
    width: int = bounded(24, minimum=1, maximum=WIDEST)
    """Channels of the small and the efficientnet parser at full resolution."""


class ClassifierKind(enum.Enum):
    """Architectures of the attribute classifier."""

    resnet18 = "resnet18"
    small = "small"
    efficientnet = "efficientnet"


@dataclass(kw_only=True, slots=True)
class ClassifierConfig:
    """The judge that reads attributes off pictures."""

    kind: ClassifierKind = ClassifierKind.resnet18
    """`resnet18`: torchvision's layout; `small`: a short residual network for 64 to 128 pixels; `efficientnet`:
    EfficientNet-Lite0, from its ImageNet features, for few faces."""
    input_size: int | None = bounded(224, minimum=8, maximum=4096)
    """Side in pixels that pictures are resized to before they are read; none: as they come."""
    width: int = bounded(24, minimum=1, maximum=WIDEST)
    """Channels of the small classifier at full resolution."""


class Position(enum.Enum):
    """Whether cross-attention knows where its queries and its tokens lie in the picture."""

    none = "none"
    shared = "shared"


class GlobalTokens(enum.Enum):
    """How tokens without a place reach the U-Net."""

    attend = "attend"
    modulate = "modulate"


class PlacedTokens(enum.Enum):
    """How tokens with a place reach the network."""

    attend = "attend"
    add = "add"


@dataclass(kw_only=True, slots=True)
class DenoiserConfig:
    """What every denoiser has; an option of the group `denoiser` is one of DENOISERS with a few values changed."""

    kind: str = fixed("")
    """Which denoiser this is; chosen with denoiser=."""
    patch: int = bounded(1, minimum=1, maximum=64)
    """Latent cells along each side of the squares the network sees as one cell; 1 = every cell by itself."""
    placed_tokens: PlacedTokens = PlacedTokens.attend
    """`add`: tokens with a place are also added to the cells around them, before the first block (and attended to as well)."""


@dataclass(kw_only=True, slots=True)
class UNetConfig(DenoiserConfig):
    """The U-Net, in latent diffusion's arithmetic."""

    kind: str = fixed("unet")
    """Which denoiser this is; chosen with denoiser=."""
    model_channels: int = bounded(224, minimum=1, maximum=WIDEST)
    """Channels at full latent resolution; a multiple of `norm_groups`."""
    channel_mult: list[int] = bounded([1, 2, 3, 4], minimum=1, maximum=64)
    """Channels of each level as multiples of `model_channels`; each further level halves height and width."""
    num_res_blocks: int = bounded(2, minimum=1, maximum=DEEPEST)
    """Residual blocks per level on the way down (one more on the way up)."""
    attention_downsamplings: list[int] = bounded([2, 4, 8], minimum=1)
    """Levels that attend, named by how far they are downsampled (1 = full latent resolution); the middle always
    attends."""
    head_channels: int = bounded(32, minimum=1, maximum=WIDEST)
    """Width of an attention head; divides the channels of every level that attends."""
    transformer_depth: int = bounded(1, minimum=1, maximum=DEEPEST)
    """Transformer blocks at each place that attends (conditional U-Net only)."""
    norm_groups: int = bounded(32, minimum=1, maximum=WIDEST)
    """Groups of every group normalisation; divides the channels of every level."""
    position: Position = Position.none
    """`shared`: one sine-cosine code of x and y joins the queries and keys of every cross-attention."""
    global_tokens: GlobalTokens = GlobalTokens.attend
    """`modulate`: the mean of the tokens without a place is also added to the time embedding (they are attended to as
    well)."""


@dataclass(kw_only=True, slots=True)
class TransformerConfig(DenoiserConfig):
    """A diffusion transformer (DiT) over the cells and the condition's tokens together."""

    kind: str = fixed("transformer")
    """Which denoiser this is; chosen with denoiser=."""
    patch: int = bounded(2, minimum=1, maximum=64)
    """Latent cells along each side of the squares that become one token; their number decides the cost."""
    width: int = bounded(1024, minimum=1, maximum=WIDEST)
    """Width of a token inside the network; a multiple of `head_channels` and of 4."""
    depth: int = bounded(22, minimum=1, maximum=DEEPEST)
    """Blocks."""
    head_channels: int = bounded(64, minimum=1, maximum=WIDEST)
    """Width of an attention head."""


DENOISERS: dict[str, type[DenoiserConfig]] = {"unet": UNetConfig, "transformer": TransformerConfig}
"""Configuration class of each denoiser, by its `kind`; `facecond.denoisers.table` has their builders."""
