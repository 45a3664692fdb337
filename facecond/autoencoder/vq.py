"""The first stage: latent diffusion's vector-quantised autoencoder, VQ-f4 at the paper's size (paper, section 3; arXiv
2112.10752).

`encode` gives latents BEFORE quantisation, `decode` quantises first; diffusion runs on those latents, unscaled.
Pictures are float in [-1, 1]. At the paper's size it has 55,322,782 parameters and takes 256x256 pictures to 3x64x64
latents. Arithmetic and names are latent diffusion's: GroupNorm's epsilon is 1e-6 throughout; downsampling pads right and
below only; attention has one head.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from facecond.autoencoder.quantise import Quantised, VectorQuantiser
from facecond.config.networks import VQConfig
from facecond.errors import ConfigError


class Reconstruction(NamedTuple):
    """A round trip through the first stage."""

    images: Tensor
    """float (B, 3, H, W), about [-1, 1]."""
    latents: Tensor
    """float (B, D, h, w), before quantisation."""
    quantised: Quantised | None
    """None when the quantiser was left out."""


class VQModel(nn.Module):
    """Encoder, codebook, decoder; satisfies `facecond.types.Codec`."""

    def __init__(self, config: VQConfig) -> None:
        """Raise ConfigError when normalisation groups do not divide the channels."""
        super().__init__()
        decoding = config if config.decoder_ch is None else replace(config, ch=config.decoder_ch)
        for (key, ch), mult in product([("ch", config.ch), ("decoder_ch", decoding.ch)], config.ch_mult):
            if ch * mult % config.norm_groups or ch % config.norm_groups:
                raise ConfigError(
                    f"first stage: {key}={ch} x {mult} channels, not a multiple of norm_groups={config.norm_groups}",
                    hint="choose a smaller norm_groups, such as 8",
                )
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(decoding)
        self.quantize = VectorQuantiser(config.n_embed, config.embed_dim, beta=config.beta)
        self.quant_conv = nn.Conv2d(config.z_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

    @property
    def factor(self) -> int:
        """How many times smaller latents are than pictures, per side."""
        return int(2 ** (len(self.config.ch_mult) - 1))

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return self.config.embed_dim

    @property
    def last_layer(self) -> Tensor:
        """The parameter whose gradients balance the discriminator against the reconstruction."""
        return self.decoder.conv_out.weight

    def encode(self, images_BCHW: Tensor) -> Tensor:
        """float pictures in [-1, 1], sides multiples of `factor` -> float32 latents (B, D, h, w), not quantised."""
        return self.quant_conv(self.encoder(images_BCHW)).float()

    def quantise(self, h_BDHW: Tensor) -> Quantised:
        """Latents -> nearest codes (straight-through), indices (B, h, w), codebook loss."""
        return self.quantize(h_BDHW)

    def decode(self, h_BDHW: Tensor) -> Tensor:
        """Latents before quantisation -> float32 pictures of about [-1, 1]; quantises first."""
        return self.decode_unquantised(self.quantise(h_BDHW).codes)

    def decode_unquantised(self, h_BDHW: Tensor) -> Tensor:
        """Codes, or latents taken as they are -> float32 pictures of about [-1, 1]."""
        return self.decoder(self.post_quant_conv(h_BDHW)).float()

    def forward(self, images_BCHW: Tensor, *, quantise: bool = True) -> Reconstruction:
        """Encode, quantise (unless told not to) and decode."""
        latents = self.encode(images_BCHW)
        quantised = self.quantise(latents) if quantise else None
        images = self.decode_unquantised(latents if quantised is None else quantised.codes)
        return Reconstruction(images, latents, quantised)


def _norm(channels: int, config: VQConfig) -> nn.GroupNorm:
    return nn.GroupNorm(config.norm_groups, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    """Two normalised convolutions and a skip connection."""

    def __init__(self, channels: int, out_channels: int, config: VQConfig) -> None:
        super().__init__()
        self.norm1 = _norm(channels, config)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = _norm(out_channels, config)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = None if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out_channels, H, W)."""
        h = self.conv1(F.silu(self.norm1(x_BCHW)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x_BCHW if self.nin_shortcut is None else self.nin_shortcut(x_BCHW))


def fuses(x_BCHW: Tensor) -> bool:
    """Whether attention over the cells of a feature map is worth the copies that the fused kernel needs.

    Measured on two cores, forward: 1.5 to 2.5 times faster with 4 to 16 times as many cells as channels, 0.8 to 0.95
    times as fast with 0.5 to 2 times as many. On a GPU the other way needs memory for every pair of cells.
    """
    return x_BCHW.is_cuda or x_BCHW[0, 0].numel() > 2 * x_BCHW.shape[1]


class AttnBlock(nn.Module):
    """Self-attention over all cells, with one head as wide as the feature map."""

    def __init__(self, channels: int, config: VQConfig) -> None:
        super().__init__()
        self.norm = _norm(channels, config)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        h = self.norm(x_BCHW)
        q, k, v = (layer(h).flatten(2).transpose(1, 2).unsqueeze(1) for layer in (self.q, self.k, self.v))
        if fuses(x_BCHW):
            q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        attended = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2)
        return x_BCHW + self.proj_out(attended.reshape(x_BCHW.shape))


class Middle(nn.Module):
    """Residual block, attention (an option), residual block."""

    def __init__(self, channels: int, config: VQConfig) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels, config)
        self.attn_1 = AttnBlock(channels, config) if config.mid_attention else None
        self.block_2 = ResnetBlock(channels, channels, config)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        h = self.block_1(x_BCHW)
        return self.block_2(h if self.attn_1 is None else self.attn_1(h))


class Downsample(nn.Module):
    """A convolution of stride 2 that pads right and below: (B, C, H, W) -> (B, C, H / 2, W / 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Halve height and width."""
        return self.conv(F.pad(x_BCHW, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Nearest-neighbour doubling and a convolution: (B, C, H, W) -> (B, C, 2 H, 2 W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Double height and width."""
        return self.conv(F.interpolate(x_BCHW, scale_factor=2, mode="nearest"))


class Level(nn.Module):
    """The residual blocks of one resolution, each with attention or all without, and the change of resolution after them
    (none at the last level)."""

    def __init__(self, blocks: list[ResnetBlock], attention: list[AttnBlock]) -> None:
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.attn = nn.ModuleList(attention)
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Run the blocks, then resample."""
        for index, block in enumerate(self.block):
            x_BCHW = block(x_BCHW)
            if self.attn:
                x_BCHW = self.attn[index](x_BCHW)
        resample = self.downsample or self.upsample
        return x_BCHW if resample is None else resample(x_BCHW)


def _level(index: int, widths: list[int], config: VQConfig) -> Level:
    """Level `index` with residual blocks from each width to the next."""
    attends = index in config.attention_levels
    return Level(
        [ResnetBlock(a, b, config) for a, b in pairwise(widths)],
        [AttnBlock(width, config) for width in widths[1:]] if attends else [],
    )


class Encoder(nn.Module):
    """Pictures (B, 3, H, W) -> (B, z_channels, H / f, W / f), f = 2^(levels - 1)."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1)
        self.down = nn.ModuleList()
        channels = config.ch
        for index, mult in enumerate(config.ch_mult):
            widths = [channels] + config.num_res_blocks * [mult * config.ch]
            level = _level(index, widths, config)
            channels = widths[-1]
            if index < len(config.ch_mult) - 1:
                level.downsample = Downsample(channels)
            self.down.append(level)
        self.mid = Middle(channels, config)
        self.norm_out = _norm(channels, config)
        self.conv_out = nn.Conv2d(channels, config.z_channels, 3, padding=1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Encode pictures in [-1, 1]."""
        h = self.conv_in(images_BCHW)
        for level in self.down:
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    """(B, z_channels, h, w) -> pictures (B, 3, h f, w f), f = 2^(levels - 1)."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        channels = config.ch * config.ch_mult[-1]
        self.conv_in = nn.Conv2d(config.z_channels, channels, 3, padding=1)
        self.mid = Middle(channels, config)
        levels = []
        for index, mult in reversed(list(enumerate(config.ch_mult))):
            widths = [channels] + (config.num_res_blocks + 1) * [mult * config.ch]
            level = _level(index, widths, config)
            channels = widths[-1]
            if index > 0:
                level.upsample = Upsample(channels)
            levels.append(level)
        # The original numbers levels from full resolution, so the decoder runs through them backwards.
        self.up = nn.ModuleList(reversed(levels))
        self.norm_out = _norm(channels, config)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, z_BCHW: Tensor) -> Tensor:
        """Decode to pictures of about [-1, 1]."""
        h = self.mid(self.conv_in(z_BCHW))
        for level in reversed(self.up):
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(h)))
