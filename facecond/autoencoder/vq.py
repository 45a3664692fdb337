"""The first stage: latent diffusion's vector-quantised autoencoder, VQ-f4 at the paper's size (paper, section 3; arXiv
2112.10752).

`encode` gives latents BEFORE quantisation, `decode` quantises first; diffusion runs on those latents, unscaled.
Pictures are float in [-1, 1]. At the paper's size it has 55,322,782 parameters and takes 256x256 pictures to 3x64x64
latents.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from facecond.autoencoder.layers import Decoder, Encoder
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
        for mult in config.ch_mult:
            if config.ch * mult % config.norm_groups or config.ch % config.norm_groups:
                raise ConfigError(
                    f"first stage: {config.ch} x {mult} channels, not a multiple of norm_groups={config.norm_groups}",
                    hint="choose a smaller norm_groups, such as 8",
                )
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
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
