"""The learning rate as a function of images seen: linear warm-up, then constant or half a cosine down to a floor."""

from __future__ import annotations

import math

from facecond.config.training import LearningRateSchedule, TrainerConfig


def learning_rate(config: TrainerConfig, images_seen: int, images_total: int) -> float:
    """Return the learning rate of the update made after `images_seen` images (those of the update included).

    With w = `warmup_images` and p = (images_seen - w) / (images_total - w) in [0, 1]:
    rate = learning_rate * min(1, images_seen / w) * (floor + (1 - floor) * (1 + cos(pi p)) / 2)    [cosine]
    """
    rate = config.learning_rate
    if images_seen < config.warmup_images:
        return rate * images_seen / config.warmup_images
    if config.schedule is LearningRateSchedule.cosine:
        progress = min(1.0, (images_seen - config.warmup_images) / max(1, images_total - config.warmup_images))
        floor = config.learning_rate_floor
        rate *= floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2
    return rate
