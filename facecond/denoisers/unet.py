"""The denoising U-Net eps_theta(z_t, t, tau(y)) (paper, section 3), in latent diffusion's arithmetic and
parameter names.

It sees a sequence of tokens and knows no condition by name. With a context width, every level that attends and the
middle hold spatial transformers; without one, plain attention blocks, which is the unconditional model. At the paper's
size that is 414,713,603 parameters (context width 512) and 274,056,163. GroupNorm's epsilon is 1e-5 here; the last
convolution of a residual block starts at zero. Tensors keep the plain (contiguous) layout: GroupNorm is slower with
channels last on CPU and on plain CUDA.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import GlobalTokens, PlacedTokens, Position, UNetConfig
from facecond.denoisers.attention import AttentionBlock, KeysValues, SpatialTransformer
from facecond.denoisers.denoiser import Denoiser, Laying, Placed, mean_unplaced, timestep_embedding, zeroed
from facecond.errors import ConfigError
from facecond.types import Context


class ContextReading(NamedTuple):
    """Everything the U-Net takes from a context; it does not depend on the latents or the timestep."""

    keys_values: list[KeysValues]
    """One pair per cross-attention, in the order of their use."""
    shift: Tensor | None
    """(B, E): what is added to the time embedding (`global_tokens=modulate`)."""
    placed: Placed | None
    """What is added to the feature map (`placed_tokens=add`)."""


class Stage(nn.ModuleList):
    """Layers in sequence, each given what it needs beside the feature map."""

    def forward(self, x_BCHW: Tensor, embedding_BE: Tensor, keys_values: Iterator[KeysValues]) -> Tensor:
        """Run the layers in order."""
        for layer in self:
            if isinstance(layer, ResBlock):
                x_BCHW = layer(x_BCHW, embedding_BE)
            elif isinstance(layer, SpatialTransformer):
                x_BCHW = layer(x_BCHW, [next(keys_values) for _ in layer.transformer_blocks])
            else:
                x_BCHW = layer(x_BCHW)
        return x_BCHW


class UNet(Denoiser):
    """Answers for noisy latents; with a context bound it is a `facecond.types.Denoise`.

    `context_dim` is the width of the context's tokens, or None for the unconditional model. Raises ConfigError when
    normalisation groups or head widths do not divide the channels.
    """

    def __init__(self, config: UNetConfig, *, channels: int = 3, context_dim: int | None = None) -> None:
        _check(config)
        super().__init__(context_dim=context_dim, multiple=config.patch * 2 ** (len(config.channel_mult) - 1))
        self.config = config
        seen_channels = channels * config.patch**2
        base = config.model_channels
        embed_channels = 4 * base
        groups = config.norm_groups

        def residual(channels: int, out: int) -> ResBlock:
            return ResBlock(channels, embed_channels, out, norm_groups=groups)

        def attention(channels: int) -> nn.Module:
            if context_dim is None:
                return AttentionBlock(channels, head_channels=config.head_channels, norm_groups=groups)
            return SpatialTransformer(
                channels,
                context_dim,
                head_channels=config.head_channels,
                depth=config.transformer_depth,
                position=config.position is Position.shared,
                norm_groups=groups,
            )

        self.time_embed = nn.Sequential(
            nn.Linear(base, embed_channels), nn.SiLU(), nn.Linear(embed_channels, embed_channels)
        )
        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(seen_channels, base, 3, padding=1)])])
        skips = [base]
        channels = base
        levels = list(enumerate(config.channel_mult))
        for level, mult in levels:
            for _ in range(config.num_res_blocks):
                layers: list[nn.Module] = [residual(channels, mult * base)]
                channels = mult * base
                if 2**level in config.attention_downsamplings:
                    layers.append(attention(channels))
                self.input_blocks.append(Stage(layers))
                skips.append(channels)
            if level < len(levels) - 1:
                self.input_blocks.append(Stage([Downsample(channels)]))
                skips.append(channels)

        self.middle_block = Stage([residual(channels, channels), attention(channels), residual(channels, channels)])

        self.output_blocks = nn.ModuleList()
        for level, mult in reversed(levels):
            for block in range(config.num_res_blocks + 1):
                layers = [residual(channels + skips.pop(), mult * base)]
                channels = mult * base
                if 2**level in config.attention_downsamplings:
                    layers.append(attention(channels))
                if level > 0 and block == config.num_res_blocks:
                    layers.append(Upsample(channels))
                self.output_blocks.append(Stage(layers))

        self.out = nn.Sequential(
            nn.GroupNorm(groups, channels), nn.SiLU(), zeroed(nn.Conv2d(channels, seen_channels, 3, padding=1))
        )
        modulated = context_dim is not None and config.global_tokens is GlobalTokens.modulate
        self.global_embed = zeroed(nn.Linear(context_dim or 0, embed_channels)) if modulated else None
        added = context_dim is not None and config.placed_tokens is PlacedTokens.add
        self.placed = Laying(context_dim or 0, base, base, config.patch) if added else None

    def read(self, context: Context | None) -> ContextReading:
        """Return the keys and values of every cross-attention, and what is added to time embedding and feature map."""
        if context is None:
            return ContextReading([], None, None)
        transformers = (module for module in self.modules() if isinstance(module, SpatialTransformer))
        keys_values = [pair for transformer in transformers for pair in transformer.read(context)]
        shift = None if self.global_embed is None else self.global_embed(mean_unplaced(context))
        placed = None if self.placed is None else self.placed.read(context)
        return ContextReading(keys_values, shift, placed)

    def predict(self, z_BCHW: Tensor, time_B: Tensor, reading: ContextReading) -> Tensor:
        """Return the answer, given a context that was read before."""
        embedding_BE = self.time_embed(timestep_embedding(time_B, self.config.model_channels))
        if reading.shift is not None:
            embedding_BE = embedding_BE + reading.shift
        keys_values = iter(reading.keys_values)
        h = F.pixel_unshuffle(z_BCHW, self.config.patch) if self.config.patch > 1 else z_BCHW
        skips = []
        for number, stage in enumerate(self.input_blocks):
            h = stage(h, embedding_BE, keys_values)
            if number == 0 and self.placed is not None and reading.placed is not None:
                h = h + self.placed(reading.placed, *z_BCHW.shape[-2:])
            skips.append(h)
        h = self.middle_block(h, embedding_BE, keys_values)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, skips.pop()], dim=1), embedding_BE, keys_values)
        raw = self.out(h).to(z_BCHW.dtype)
        return F.pixel_shuffle(raw, self.config.patch) if self.config.patch > 1 else raw


def _check(config: UNetConfig) -> None:
    """Raise ConfigError when the sizes do not fit together."""
    if not config.channel_mult or min(config.channel_mult) < 1:
        raise ConfigError(
            f"model.denoiser.channel_mult={config.channel_mult}".replace(" ", ""),
            hint="give one multiple, 1 or more, for each level, such as [1,2]",
        )
    top = len(config.channel_mult) - 1
    for level, mult in enumerate(config.channel_mult):
        channels = mult * config.model_channels
        if channels % config.norm_groups:
            raise ConfigError(
                f"unet: level {level} has {channels} channels, not a multiple of norm_groups={config.norm_groups}",
                hint="choose model_channels as a multiple of norm_groups",
            )
        attends = 2**level in config.attention_downsamplings or level == top
        if attends and channels % config.head_channels:
            raise ConfigError(
                f"unet: level {level} has {channels} channels, not a multiple of head_channels={config.head_channels}",
                hint="choose head_channels that divide the channels of every level that attends",
            )


class ResBlock(nn.Module):
    """Two convolutions with the time embedding added between them, and a skip connection."""

    def __init__(self, channels: int, embed_channels: int, out_channels: int, *, norm_groups: int = 32) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(norm_groups, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embed_channels, out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(norm_groups, out_channels),
            nn.SiLU(),
            nn.Identity(),  # latent diffusion's dropout, which its configuration leaves at 0
            zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x_BCHW: Tensor, embedding_BE: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out_channels, H, W)."""
        h = self.in_layers(x_BCHW) + self.emb_layers(embedding_BE)[:, :, None, None]
        return self.skip_connection(x_BCHW) + self.out_layers(h)


class Downsample(nn.Module):
    """A convolution of stride 2: (B, C, H, W) -> (B, C, H / 2, W / 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Halve height and width."""
        return self.op(x_BCHW)


class Upsample(nn.Module):
    """Nearest-neighbour doubling and a convolution: (B, C, H, W) -> (B, C, 2 H, 2 W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Double height and width."""
        return self.conv(F.interpolate(x_BCHW, scale_factor=2, mode="nearest"))
