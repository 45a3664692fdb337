"""Training the conditional latent diffusion model: denoiser and conditioner together (paper, section 3, equation 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.conditions.conditioner import Conditioner, Rates, withhold
from facecond.config.diffusion import DiffusionConfig, WeightingConfig
from facecond.config.training import Capture, TrainerConfig
from facecond.data.batches import ResidentData
from facecond.denoisers.attention import AttentionBlock, SpatialTransformer
from facecond.denoisers.denoiser import Denoiser, LatentScale
from facecond.denoisers.transformer import Block
from facecond.denoisers.unet import ResBlock
from facecond.diffusion.loss import Loss, denoising_loss
from facecond.diffusion.schedule import schedule_of
from facecond.rng import torch_generator
from facecond.training.capture import Passes
from facecond.training.device import autocast, resolve_precision
from facecond.training.learner import Evaluation, Items, Phase, Step, Total
from facecond.training.recompute import recompute
from facecond.training.stream import stream_items, validation_pieces
from facecond.types import Batch, Denoise, Level

RECOMPUTED = (ResBlock, SpatialTransformer, AttentionBlock, Block)
"""What `trainer.gradient_checkpointing` keeps the inputs of alone; condition encoders, which may count, stay as they are."""

SNR_RANGES = {"coarse": (0.0, 1e-2), "content": (1e-2, 1.0), "clean_up": (1.0, float("inf"))}
"""What the model does at a signal-to-noise ratio (P2, arXiv 2204.00227, section 3): lower end included, upper not."""


class GridRequest(NamedTuple):
    """What a sample grid is made from; the same starting noise and conditions at every evaluation."""

    denoiser: Denoiser
    conditioner: Conditioner
    scale: LatentScale
    """Turns samples into the first stage's latents."""
    noise_BCHW: Tensor
    """float32, standard normal."""
    batch: Batch
    """Validation items; their latents are the real ones, unscaled."""


class Answer(nn.Module):
    """What the network says in training: its conditions read, and its answer for noisy latents."""

    def __init__(self, denoiser: Denoiser, conditioner: Conditioner) -> None:
        super().__init__()
        self.denoiser, self.conditioner = denoiser, conditioner

    def forward(
        self, z_BCHW: Tensor, time_B: Tensor, values: Mapping[str, Tensor], keep: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the answer (B, C, H, W); see `Conditioner.forward` and `Denoiser.forward`."""
        return self.denoiser(z_BCHW, time_B, self.conditioner(values, keep))


class DiffusionLearner:
    """Satisfies `facecond.training.learner.Learner`. `train` and `validation` hold latents.

    `draw_grid` samples, decodes and lays out what a GridRequest asks for, uint8 (H, W, 3); None = no grids. Evaluations and
    grids leave the conditions `withheld` unspecified.
    """

    phases = (Phase("diffusion", ("denoiser", "conditioner")),)
    exported = ("denoiser", "conditioner", "scale")

    def __init__(
        self,
        denoiser: Denoiser,
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
        withheld: Collection[str] = (),
    ) -> None:
        self.denoiser, self.conditioner, self.scale = denoiser, conditioner, scale
        self.config, self.weighting, self.trainer = config, weighting, trainer
        self.train, self.validation, self.draw_grid, self.withheld = train, validation, draw_grid, withheld
        self.schedule = schedule_of(config.schedule)
        self.modules: Mapping[str, nn.Module] = {"denoiser": denoiser, "conditioner": conditioner, "scale": scale}
        self.averaged = ("denoiser", "conditioner") if trainer.ema_decay > 0 else ()
        whole = {name: config.dropout_of(name) for name in config.conditions}
        self.rates = Rates(whole, config.joint_dropout, config.partial_dropout)
        self.identity = dict(identity)
        if trainer.recompute:
            recompute(denoiser, RECOMPUTED)
        if train.device.type == "cuda":
            denoiser.to(memory_format=torch.channels_last)
        network = cast(Denoiser, torch.compile(denoiser)) if trainer.compile else denoiser
        self.answer = Passes(Answer(network, conditioner), Capture.never if trainer.compile else trainer.capture)

    def items(self, images_seen: int, global_batch: int) -> Items:
        """Return the items of the global batch that follows `images_seen`."""
        return stream_items(self.trainer, images_seen, global_batch, len(self.train))

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted squared error of the network's answer; conditions are withheld as configured."""
        batch = self.train.batch(step.indices_B, step.flips_B)
        z0_BCHW = self.scale.standardise(batch.latents_BCHW)
        noise_BCHW = self._noise(step, z0_BCHW)
        level = self.schedule.at(step.drawn("timesteps", self.schedule.draw))
        values: Mapping[str, Tensor] = batch.conditions
        keep: Mapping[str, Tensor] = {}
        if self.conditioner.optional:
            values, keep = withhold(values, self.rates, step.draws.once, step.rows, step.device)

        def denoise(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
            return self.answer(step, z_BCHW, time_B, dict(values), keep)

        found = self._loss(denoise, z0_BCHW, noise_BCHW, level)
        return found.mean, {"loss": found.mean.detach(), "noise_error": found.noise_errors_B.mean()}

    def _noise(self, step: Step, z0_BCHW: Tensor) -> Tensor:
        """The noise that each item learns from. Candidates are an item's own: every division of a batch chooses the same."""
        if self.config.noise_candidates == 1:
            return step.normal("noise", *z0_BCHW.shape[1:])
        return nearest(step.normal("noise", self.config.noise_candidates, *z0_BCHW.shape[1:]), z0_BCHW)

    def _loss(self, denoise: Denoise, z0_BCHW: Tensor, noise_BCHW: Tensor, level: Level[Tensor]) -> Loss:
        return denoising_loss(denoise, z0_BCHW, noise_BCHW, level, self.config.target, self.weighting)

    def after_step(self, images_seen: int, images_total: int, total: Total) -> dict[str, float]:
        """Nothing is due."""
        return {}

    def evaluate(self, images_seen: int) -> Evaluation:
        """Return the noise error on validation items, overall and by what the model does at that noise, and a grid.

        Items, noise levels and noise are the same at every evaluation. Levels are spread evenly over the schedule and dealt
        out to the items at random, so that every range of SNR gets its share however few the items are. The noise error is
        that of the noise which the answers imply, so that models of different targets can be compared.
        """
        precision = resolve_precision(self.trainer.precision, self.validation.device)
        pieces = list(validation_pieces(self.trainer, len(self.validation)))
        count = sum(map(len, pieces))
        source = torch_generator(self.trainer.seed, "validation")
        time_N = self.schedule.spread(count)[torch.randperm(count, generator=source)]
        errors, losses, done = [], [], 0
        for indices in pieces:
            batch = self._validation_batch(indices)
            z0_BCHW = self.scale.standardise(batch.latents_BCHW)
            noise_BCHW = torch.randn(z0_BCHW.shape, generator=source).to(z0_BCHW.device)
            level = self.schedule.at(time_N[done : done + len(indices)].to(z0_BCHW.device))
            with autocast(precision, z0_BCHW.device):
                denoise = self.denoiser.bind(self.conditioner(batch.conditions))
                found = self._loss(denoise, z0_BCHW, noise_BCHW, level)
            errors.append(found.noise_errors_B.float().cpu())
            losses.append(float(found.mean) * len(indices))
            done += len(indices)
        figures = {"loss": sum(losses) / count, **by_snr(torch.cat(errors), self.schedule.at(time_N).snr)}
        return Evaluation(figures, self._grid())

    def _validation_batch(self, indices: NDArray[np.int64]) -> Batch:
        batch = self.validation.batch(indices)
        resolution = self.conditioner.resolution
        said = {
            each.name: each.nothing(len(indices), resolution, batch.latents_BCHW.device)
            for each in self.conditioner.conditions
            if each.name in self.withheld
        }
        return Batch(batch.latents_BCHW, {**batch.conditions, **said})

    def _grid(self) -> NDArray[np.uint8] | None:
        if self.draw_grid is None or not self.trainer.sample_grid:
            return None
        count = min(self.trainer.sample_grid, len(self.validation))
        batch = self._validation_batch(np.arange(count, dtype=np.int64))
        source = torch_generator(self.trainer.seed, "grid")
        noise_BCHW = torch.randn(batch.latents_BCHW.shape, generator=source).to(batch.latents_BCHW.device)
        return self.draw_grid(GridRequest(self.denoiser, self.conditioner, self.scale, noise_BCHW, batch))


def nearest(candidates_BKCHW: Tensor, z0_BCHW: Tensor) -> Tensor:
    """Return for each item the candidate at the smallest L2 distance, (B, C, H, W): KNN noise selection (arXiv 2505.18521)."""
    distances_BK = (candidates_BKCHW - z0_BCHW[:, None]).square().flatten(2).sum(dim=2)
    chosen_B = distances_BK.argmin(dim=1)
    return candidates_BKCHW[torch.arange(len(chosen_B), device=chosen_B.device), chosen_B]


def by_snr(errors_N: Tensor, snr_N: Tensor) -> dict[str, float]:
    """Return the mean error over all items, and over those in each of SNR_RANGES (NaN for an empty range)."""
    figures = {"noise_error": float(errors_N.mean())}
    for name, (lowest, highest) in SNR_RANGES.items():
        figures[f"noise_error_{name}"] = float(errors_N[(snr_N >= lowest) & (snr_N < highest)].mean())
    return figures
