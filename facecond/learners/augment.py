"""What is done to a judge's training pictures: a little blur, noise, brightness, contrast and colour; moved, turned and zoomed.

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
    if config.blur == config.noise == config.brightness == config.colour == 0:
        return images_BCHW
    strength_B4 = step.uniform("augment strength", 4)
    x_BCHW = images_BCHW.float() / 127.5 - 1
    contrast_B, brightness_B = (1 + config.brightness * (2 * strength_B4[:, :2] - 1)).unbind(1)
    x_BCHW = x_BCHW * contrast_B[:, None, None, None] + 2 * (brightness_B[:, None, None, None] - 1)
    if config.colour > 0:
        gain_BC = 1 + config.colour * (2 * step.uniform("augment colour", images_BCHW.shape[1]) - 1)
        x_BCHW = (x_BCHW + 1) * gain_BC[:, :, None, None] - 1
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


def move(images_BCHW: Tensor, labels_BHW: Tensor, config: JudgeTrainingConfig, step: Step) -> tuple[Tensor, Tensor]:
    """Turn, zoom and shift uint8 pictures (B, 3, H, W) with their label maps (B, H, W), each in its own way.

    Pictures are read bilinearly and go on beyond their edge as its mirror image; maps are read at the nearest pixel and say nothing
    there (255).
    """
    if config.zoom == config.turn == config.shift == 0:
        return images_BCHW, labels_BHW
    strength_B4 = 2 * step.uniform("augment place", 4) - 1
    angle_B = torch.deg2rad(config.turn * strength_B4[:, 0])
    scale_B = (1 + config.zoom) ** -strength_B4[:, 1]
    cosine_B, sine_B = scale_B * angle_B.cos(), scale_B * angle_B.sin()
    shift_B2 = 2 * config.shift * strength_B4[:, 2:]
    rows = [
        torch.stack([cosine_B, -sine_B, shift_B2[:, 0]], dim=1),
        torch.stack([sine_B, cosine_B, shift_B2[:, 1]], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images_BCHW.shape), align_corners=False)
    pictures = F.grid_sample(images_BCHW.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    beyond_B1HW = F.grid_sample(255.0 - labels_BHW[:, None].float(), grid, mode="nearest", align_corners=False)
    return pictures.round().clamp(0, 255).to(torch.uint8), (255 - beyond_B1HW[:, 0]).to(torch.uint8)
