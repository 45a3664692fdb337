"""Training the conditional latent diffusion model: U-Net and conditioner together (paper, section 3, equation 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.conditions.conditioner import Conditioner
from facecond.conditions.withholding import Rates, withhold
from facecond.config.diffusion import DiffusionConfig, WeightingConfig
from facecond.config.training import TrainerConfig
from facecond.data.batches import ResidentData
from facecond.diffusion.loss import noise_loss
from facecond.diffusion.schedule import Schedule
from facecond.learners.scale import LatentScale
from facecond.learners.stream import stream_items, validation_pieces
from facecond.networks.unet import UNet
from facecond.rng import torch_generator
from facecond.training.learner import Evaluation, Items, Phase, Step, Total
from facecond.training.precision import autocast, resolve_precision
from facecond.types import Batch

SNR_RANGES = {"coarse": (0.0, 1e-2), "content": (1e-2, 1.0), "clean_up": (1.0, float("inf"))}
"""What the model does at a signal-to-noise ratio (P2, arXiv 2204.00227, section 3): lower end included, upper not."""


class GridRequest(NamedTuple):
    """What a sample grid is made from; the same starting noise and conditions at every evaluation."""

    unet: UNet
    conditioner: Conditioner
    scale: LatentScale
    """Turns samples into the first stage's latents."""
    noise_BCHW: Tensor
    """float32, standard normal."""
    batch: Batch
    """Validation items; their latents are the real ones, unscaled."""


class DiffusionLearner:
    """Satisfies `facecond.training.learner.Learner`. `train` and `validation` hold latents.

    `draw_grid` samples, decodes and lays out what a GridRequest asks for, uint8 (H, W, 3); None = no grids.
    """

    phases = (Phase("diffusion", ("unet", "conditioner")),)
    exported = ("unet", "conditioner", "scale")

    def __init__(
        self,
        unet: UNet,
        conditioner: Conditioner,
        scale: LatentScale,
        config: DiffusionConfig,
        weighting: WeightingConfig,
        trainer: TrainerConfig,
        *,
        train: ResidentData,
        validation: ResidentData,
        identity: Mapping[str, Any],
        draw_grid: Callable[[GridRequest], NDArray[np.uint8]] | None = None,
    ) -> None:
        self.unet, self.conditioner, self.scale = unet, conditioner, scale
        self.config, self.weighting, self.trainer = config, weighting, trainer
        self.train, self.validation, self.draw_grid = train, validation, draw_grid
        self.schedule = Schedule(config.schedule)
        self.modules: Mapping[str, nn.Module] = {"unet": unet, "conditioner": conditioner, "scale": scale}
        self.averaged = ("unet", "conditioner") if trainer.ema_decay > 0 else ()
        whole = {name: config.dropout_of(name) for name in config.conditions}
        self.rates = Rates(whole, config.joint_dropout, config.partial_dropout)
        self.identity = dict(identity)
        self.predict: Callable[..., Tensor] = unet
        if train.device.type == "cuda":
            unet.to(memory_format=torch.channels_last)
        if trainer.compile:
            self.predict = torch.compile(unet)

    def items(self, images_seen: int, global_batch: int) -> Items:
        """Return the items of the global batch that follows `images_seen`."""
        return stream_items(self.trainer, images_seen, global_batch, len(self.train))

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted squared error of the predicted noise; conditions are withheld as configured."""
        batch = self.train.batch(step.indices_B, step.flips_B)
        z0_BCHW = self.scale.standardise(batch.latents_BCHW)
        noise_BCHW = step.normal("noise", *z0_BCHW.shape[1:])
        t_B = step.integers("timesteps", self.schedule.timesteps)
        values, keep = batch.conditions, None
        if self.conditioner.optional:
            values, keep = withhold(values, self.rates, step.draws.once, step.rows, step.device)
        with step.autocast():
            context = self.conditioner(values, keep)
            loss, errors_B = noise_loss(self.predict, z0_BCHW, noise_BCHW, t_B, context, self.schedule, self.weighting)
        return loss, {"loss": loss.detach(), "noise_error": errors_B.mean()}

    def after_step(self, images_seen: int, images_total: int, total: Total) -> dict[str, float]:
        """Nothing is due."""
        return {}

    def evaluate(self, images_seen: int) -> Evaluation:
        """Return the noise error on validation items, overall and by what the model does at that noise, and a grid.

        Items, timesteps and noise are the same at every evaluation. Timesteps are spread evenly over all, and dealt out
        to the items at random, so that every range of SNR gets its share however few the items are.
        """
        precision = resolve_precision(self.trainer.precision, self.validation.device)
        pieces = list(validation_pieces(self.trainer, len(self.validation)))
        count = sum(map(len, pieces))
        source = torch_generator(self.trainer.seed, "validation")
        spread_N = (torch.arange(count) * 2 + 1) * self.schedule.timesteps // (2 * count)
        t_N = spread_N[torch.randperm(count, generator=source)]
        errors, losses, done = [], [], 0
        for indices in pieces:
            batch = self.validation.batch(indices)
            z0_BCHW = self.scale.standardise(batch.latents_BCHW)
            noise_BCHW = torch.randn(z0_BCHW.shape, generator=source).to(z0_BCHW.device)
            t_B = t_N[done : done + len(indices)].to(z0_BCHW.device)
            with autocast(precision, z0_BCHW.device):
                context = self.conditioner(batch.conditions)
                loss, errors_B = noise_loss(self.unet, z0_BCHW, noise_BCHW, t_B, context, self.schedule, self.weighting)
            errors.append(errors_B.float().cpu())
            losses.append(float(loss) * len(indices))
            done += len(indices)
        figures = {"loss": sum(losses) / count, **by_snr(torch.cat(errors), self.schedule.snr[t_N])}
        return Evaluation(figures, self._grid())

    def _grid(self) -> NDArray[np.uint8] | None:
        if self.draw_grid is None or not self.trainer.sample_grid:
            return None
        count = min(self.trainer.sample_grid, len(self.validation))
        batch = self.validation.batch(np.arange(count, dtype=np.int64))
        source = torch_generator(self.trainer.seed, "grid")
        noise_BCHW = torch.randn(batch.latents_BCHW.shape, generator=source).to(batch.latents_BCHW.device)
        return self.draw_grid(GridRequest(self.unet, self.conditioner, self.scale, noise_BCHW, batch))


def by_snr(errors_N: Tensor, snr_N: Tensor) -> dict[str, float]:
    """Return the mean error over all items, and over those in each of SNR_RANGES (NaN for an empty range)."""
    figures = {"noise_error": float(errors_N.mean())}
    for name, (lowest, highest) in SNR_RANGES.items():
        figures[f"noise_error_{name}"] = float(errors_N[(snr_N >= lowest) & (snr_N < highest)].mean())
    return figures
