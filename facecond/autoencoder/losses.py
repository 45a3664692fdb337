"""The first stage's loss: L1, perceptual term, codebook, patch discriminator with adaptive weight (arXiv 2012.09841,
equation 7).

L = mean|x - x'| + w_p P(x, x') + lambda w_d G + w_c L_codebook,     G = -mean D(x'),
lambda = |grad of (L1 + w_p P)| / (|grad of G| + 1e-4), both with respect to the decoder's last layer, at most 1e4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facecond.autoencoder.discriminator import PatchDiscriminator, hinge_loss
from facecond.autoencoder.perceptual import perceptual_term
from facecond.autoencoder.vq import Reconstruction
from facecond.config.networks import VQLossConfig


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """Return lambda: how much larger the reconstruction's gradients are than the adversarial term's; a scalar in [0,
    1e4]."""
    (of_reconstruction,) = torch.autograd.grad(reconstruction, last_layer, retain_graph=True)
    (of_adversarial,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (of_reconstruction.norm() / (of_adversarial.norm() + 1e-4)).clamp(0, 1e4).detach()


class VQLoss(nn.Module):
    """Both phases of a training step: the autoencoder's loss and the discriminator's.

    `discriminator` is None when its weight is 0. Only `discriminator` is trained and worth saving; `perceptual` is
    frozen. The autoencoder's loss leaves gradients on the discriminator too: clear them before its own phase.
    """

    def __init__(self, config: VQLossConfig) -> None:
        """Raise CheckpointError when `perceptual=lpips` and the weights of its trunk are missing."""
        super().__init__()
        self.config = config
        self.perceptual = perceptual_term(config)
        self.discriminator = None
        if config.discriminator_weight > 0:
            self.discriminator = PatchDiscriminator(config.discriminator_channels, config.discriminator_layers)

    def discriminating(self, images_seen: int) -> bool:
        """Tell whether the discriminator takes part after `images_seen` images."""
        return self.discriminator is not None and images_seen >= self.config.discriminator_start

    def autoencoder(
        self,
        images_BCHW: Tensor,
        result: Reconstruction,
        last_layer: Tensor,
        images_seen: int,
        weights_BHW: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its detached parts for `images_BCHW` (float, [-1, 1]) and their round trip.

        `weights_BHW` says how much each pixel counts in the L1 term of the loss; the part "l1" is never weighted.
        """
        errors_BCHW = (images_BCHW - result.images).abs()
        l1 = errors_BCHW.mean()
        perceptual = self.perceptual(images_BCHW, result.images)
        loss = l1 if weights_BHW is None else (errors_BCHW * weights_BHW[:, None]).mean()
        loss = loss + self.config.perceptual_weight * perceptual
        parts = {"l1": l1, "perceptual": perceptual}
        if self.discriminator is not None and self.discriminating(images_seen):
            adversarial = -self.discriminator(result.images).mean()
            weight = self.config.discriminator_weight * adaptive_weight(loss, adversarial, last_layer)
            loss = loss + weight * adversarial
            parts |= {"adversarial": adversarial, "adversarial_weight": weight}
        if result.quantised is not None:
            loss = loss + self.config.codebook_weight * result.quantised.loss
            parts["codebook"] = result.quantised.loss
        return loss, {name: part.detach() for name, part in parts.items()}

    def discriminate(self, images_BCHW: Tensor, reconstructed_BCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the discriminator's hinge loss and its detached mean logits; the reconstruction gets no gradient."""
        if self.discriminator is None:
            raise ValueError("this loss has no discriminator (discriminator_weight=0)")
        real = self.discriminator(images_BCHW.detach())
        fake = self.discriminator(reconstructed_BCHW.detach())
        loss = hinge_loss(real, fake)
        parts = {"discriminator": loss, "logits_real": real.mean(), "logits_fake": fake.mean()}
        return loss, {name: part.detach() for name, part in parts.items()}
