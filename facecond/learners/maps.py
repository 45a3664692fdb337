"""Training the generator of label maps by cross-entropy: the network names classes (see `facecond.diffusion.classes`)."""

from __future__ import annotations

from torch import Tensor

from facecond.config.diffusion import Target
from facecond.diffusion.classes import cross_entropy, expected, log_posterior
from facecond.diffusion.loss import Loss, weights_for
from facecond.diffusion.prediction import add_noise, error_ratio
from facecond.learners.diffusion import DiffusionLearner
from facecond.types import Denoise, Level


class MapLearner(DiffusionLearner):
    """A `DiffusionLearner` of label maps, one channel per class, whose network answers in logits of the classes."""

    def _loss(self, denoise: Denoise, z0_BCHW: Tensor, noise_BCHW: Tensor, level: Level[Tensor]) -> Loss:
        """The weighted mean of -log p(class of the pixel); the error of the noise is that of E[x0 | z]."""
        z_BCHW = add_noise(z0_BCHW, noise_BCHW, level)
        scale = self.scale.mean, self.scale.std
        log_BCHW = log_posterior(denoise(z_BCHW, level.time), z_BCHW, level, *scale)
        labels_BHW = self.scale.restore(z0_BCHW).argmax(dim=1)
        weights_B = weights_for(self.weighting, level, Target.x0, log_BCHW.dtype)
        missed_B = (expected(log_BCHW.detach(), *scale) - z0_BCHW).square().flatten(1).mean(dim=1)
        errors_B = missed_B * (error_ratio(level, Target.x0, Target.eps) ** 2).to(missed_B.dtype)
        return Loss((weights_B * cross_entropy(log_BCHW, labels_BHW)).mean(), errors_B)
