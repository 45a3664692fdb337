"""What is done to a judge's training pictures: a little blur, noise, brightness and contrast.

Judges read decoded pictures, which are softer than real ones; trained on clean pictures alone they would score generated
pictures too low.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from facecond.config.training import JudgeTrainingConfig
from facecond.training.learner import Step


def augment(images_BCHW: Tensor, config: JudgeTrainingConfig, step: Step) -> Tensor:
    """uint8 pictures (B, 3, H, W) -> uint8 pictures; how strong each change is, is drawn for every picture apart."""
    if config.blur == config.noise == config.brightness == 0:
        return images_BCHW
    strength_B4 = step.uniform("augment strength", 4)
    x_BCHW = images_BCHW.float() / 127.5 - 1
    contrast_B, brightness_B = (1 + config.brightness * (2 * strength_B4[:, :2] - 1)).unbind(1)
    x_BCHW = x_BCHW * contrast_B[:, None, None, None] + 2 * (brightness_B[:, None, None, None] - 1)
    if config.blur > 0:
        x_BCHW = blur(x_BCHW, config.blur * strength_B4[:, 2], radius=math.ceil(3 * config.blur))
    if config.noise > 0:
        deviation_B = config.noise * strength_B4[:, 3]
        x_BCHW = x_BCHW + deviation_B[:, None, None, None] * step.normal("augment noise", *images_BCHW.shape[1:])
    return ((x_BCHW + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def blur(x_BCHW: Tensor, deviation_B: Tensor, *, radius: int) -> Tensor:
    """Gaussian blur with one deviation (pixels) per item, cut off at `radius`; edges repeat outwards."""
    B, C, H, W = x_BCHW.shape
    offsets = torch.arange(-radius, radius + 1, device=x_BCHW.device, dtype=torch.float32)
    kernel_BK = torch.exp(-0.5 * (offsets / deviation_B.clamp(min=1e-3)[:, None]).square())
    kernel_BK = kernel_BK / kernel_BK.sum(dim=1, keepdim=True)
    weight = kernel_BK.repeat_interleave(C, dim=0)[:, None, None]
    flat = F.pad(x_BCHW.reshape(1, B * C, H, W), (radius,) * 4, mode="replicate")
    flat = F.conv2d(flat, weight, groups=B * C)
    flat = F.conv2d(flat, weight.transpose(2, 3), groups=B * C)
    return flat.view(B, C, H, W)
