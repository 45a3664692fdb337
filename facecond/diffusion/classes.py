"""Diffusion on classes: the network says what a pixel's surroundings make likely, Bayes' rule adds the noisy pixel's own evidence.

A label map is x0 with one channel C per class, (1 - m_k) / d_k where the class is and -m_k / d_k elsewhere. Of two classes at a
pixel of z = alpha x0 + sigma eps, the normal noise makes one more likely than the other by the difference of

    log p(z | k) = (alpha / sigma)^2 [ z_k / (alpha d_k) - (1 - 2 m_k) / (2 d_k^2) ]        (up to what all classes share)

so that p(k | z) = softmax_k(l_k + log p(z | k)) with the network's answer l, and E[x0 | z] follows. Near the data the evidence
decides alone: the network need not carry every pixel of a map from its input to its answer. Trained by cross-entropy, as in
Continuous Diffusion for Categorical Data (Dieleman et al. 2022, section 3), whose network has to learn the evidence too.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from facecond.config.diffusion import Target
from facecond.diffusion.prediction import Predict, Prediction
from facecond.types import Level, Number


def log_likelihood(z_BCHW: Tensor, level: Level[Number], mean_K: Tensor, std_K: Tensor) -> Tensor:
    """Return log p(z | class) of every pixel and class, float32 (B, K, H, W), up to a constant of the pixel.

    `mean_K` and `std_K`, m and d above, are what one channel per class is shifted and scaled by. Sigma must be above 0.
    """
    z_BCHW = z_BCHW.float()
    mean_K11, std_K11 = mean_K[:, None, None], std_K[:, None, None]
    of_z, of_class = level.alpha / level.sigma**2, (level.alpha / level.sigma) ** 2
    evidence_BCHW: Tensor = _per_item(of_z) * z_BCHW / std_K11 - _per_item(of_class) * (0.5 - mean_K11) / std_K11**2
    return evidence_BCHW


def log_posterior(answer_BCHW: Tensor, z_BCHW: Tensor, level: Level[Number], mean_K: Tensor, std_K: Tensor) -> Tensor:
    """Return log p(class | z, surroundings), float32 (B, K, H, W), from a network's answer for `z_BCHW` at `level`."""
    return F.log_softmax(answer_BCHW.float() + log_likelihood(z_BCHW, level, mean_K, std_K), dim=1)


def cross_entropy(log_BCHW: Tensor, labels_BHW: Tensor) -> Tensor:
    """Return -log p of the true classes, mean over pixels: float32 (B,). `labels_BHW` is int64."""
    return -log_BCHW.gather(1, labels_BHW[:, None]).flatten(1).mean(dim=1)


def expected(log_BCHW: Tensor, mean_K: Tensor, std_K: Tensor) -> Tensor:
    """Return E[x0], (B, K, H, W), under log-probabilities of the classes."""
    return (log_BCHW.exp() - mean_K[:, None, None]) / std_K[:, None, None]


def of_classes(predict: Predict, mean_K: Tensor, std_K: Tensor, temperature: float = 1.0) -> Predict:
    """Return `predict`, whose raw answers are those of a network trained on classes, as samplers take it: with E[x0 | z].

    What the network says of the surroundings is divided by `temperature`, above 0; the evidence of the pixel stays as it is.
    """

    def amended(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        answer_BCHW = predict(z_BCHW, level).raw_BCHW / temperature
        log_BCHW = log_posterior(answer_BCHW, z_BCHW, level, mean_K, std_K)
        return Prediction(expected(log_BCHW, mean_K, std_K).to(z_BCHW.dtype), Target.x0, z_BCHW, level)

    return amended


def _per_item(share: Any) -> Any:
    return share.to(torch.float32)[:, None, None, None] if isinstance(share, Tensor) else share
