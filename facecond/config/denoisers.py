"""Sizes and options of the denoisers, and the table that names them.

Defaults are the paper's (arXiv 2306.00914), which are latent diffusion's for CelebA-HQ; those of other denoisers make as many
parameters.
"""

import enum
from dataclasses import dataclass, field

from facecond.bounds import bounded, fixed


class Position(enum.Enum):
    """Whether cross-attention knows where its queries and its tokens lie in the picture."""

    none = "none"
    shared = "shared"


class GlobalTokens(enum.Enum):
    """How tokens without a place reach the U-Net."""

    attend = "attend"
    modulate = "modulate"


@dataclass(kw_only=True, slots=True)
class DenoiserConfig:
    """What every denoiser has; an option of the group `denoiser` is one of DENOISERS with a few values changed."""

    kind: str = fixed("")
    """Which denoiser this is; chosen with denoiser=."""
    patch: int = bounded(1, minimum=1)
    """Latent cells along each side of the squares the network sees as one cell; 1 = every cell by itself."""


@dataclass(kw_only=True, slots=True)
class UNetConfig(DenoiserConfig):
    """The U-Net, in latent diffusion's arithmetic."""

    kind: str = fixed("unet")
    """Which denoiser this is; chosen with denoiser=."""
    model_channels: int = bounded(224, minimum=1)
    """Channels at full latent resolution; a multiple of `norm_groups`."""
    channel_mult: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    """Channels of each level as multiples of `model_channels`; each further level halves height and width."""
    num_res_blocks: int = bounded(2, minimum=1)
    """Residual blocks per level on the way down (one more on the way up)."""
    attention_downsamplings: list[int] = field(default_factory=lambda: [2, 4, 8])
    """Levels that attend, named by how far they are downsampled (1 = full latent resolution); the middle always
    attends."""
    head_channels: int = bounded(32, minimum=1)
    """Width of an attention head; divides the channels of every level that attends."""
    transformer_depth: int = bounded(1, minimum=1)
    """Transformer blocks at each place that attends (conditional U-Net only)."""
    norm_groups: int = bounded(32, minimum=1)
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
    patch: int = bounded(2, minimum=1)
    """Latent cells along each side of the squares that become one token; their number decides the cost."""
    width: int = bounded(1024, minimum=1)
    """Width of a token inside the network; a multiple of `head_channels` and of 4."""
    depth: int = bounded(22, minimum=1)
    """Blocks."""
    head_channels: int = bounded(64, minimum=1)
    """Width of an attention head."""


DENOISERS: dict[str, type[DenoiserConfig]] = {"unet": UNetConfig, "transformer": TransformerConfig}
"""Configuration class of each denoiser, by its `kind`; `facecond.denoisers.table` has their builders."""
