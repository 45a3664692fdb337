"""Training the first stage: autoencoder and patch discriminator in turn, and the filling and repair of the codebook
(the paper, section 3; arXiv 2012.09841).

The quantiser may be inserted late, its codebook filled from encoder outputs, and unused codes may be restarted:
both find better codebooks in short trainings than gradients alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.autoencoder.losses import VQLoss
from facecond.autoencoder.quantise import CodebookUsage, fill_codebook, restart_dead_codes
from facecond.autoencoder.vq import AttnBlock, Reconstruction, ResnetBlock, VQModel
from facecond.config.training import Capture, FirstStageTrainingConfig, TrainerConfig
from facecond.data.batches import ResidentData
from facecond.errors import ConfigError
from facecond.faces.labels import NUM_CLASSES
from facecond.learners.rarity import class_weights, count_classes
from facecond.metrics.reconstruction import psnr
from facecond.rng import torch_generator
from facecond.training.capture import Passes
from facecond.training.learner import Evaluation, Items, Phase, Step, Total
from facecond.training.recompute import recompute
from facecond.training.stream import stream_items, validation_pieces

RECOMPUTED = (ResnetBlock, AttnBlock)
"""What `trainer.gradient_checkpointing` keeps the inputs of alone."""

_FROZEN = ("encoder", "quant_conv", "quantize")
_CELLS_PER_CODE = 32
"""Encoder outputs per code from which the codebook is filled."""
_PIECE = 32
"""Pictures encoded at once when the codebook is filled or repaired."""


class CodebookState(nn.Module):
    """What must be remembered of the codebook between steps: whether it is in use, and how often each code was.

    The first stays on the CPU, so that reading it needs no host sync.
    """

    inserted: Tensor
    counts: Tensor

    def __init__(self, n_embed: int, *, inserted: bool) -> None:
        super().__init__()
        self.register_buffer("inserted", torch.tensor(int(inserted)))
        self.register_buffer("counts", torch.zeros(n_embed, dtype=torch.int64))


class _Part(nn.Module):
    """Some layers of a first stage, and the method of it that runs through them alone."""

    def __init__(self, run: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.run = nn.ModuleList(layers), run

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.run(x_BCHW)


class FirstStageLearner:
    """Satisfies `facecond.training.learner.Learner`. `train` and `validation` hold pictures.

    Raises ConfigError for settings of the codebook that exclude one another.
    """

    exported = ("first_stage",)

    def __init__(
        self,
        model: VQModel,
        loss: VQLoss,
        config: FirstStageTrainingConfig,
        trainer: TrainerConfig,
        *,
        train: ResidentData,
        validation: ResidentData,
        identity: Mapping[str, Any],
    ) -> None:
        _check(config, trainer)
        self.model, self.terms, self.config, self.trainer = model, loss, config, trainer
        self.train, self.validation, self.identity = train, validation, dict(identity)
        if config.freeze_encoder:
            for name in _FROZEN:
                getattr(model, name).requires_grad_(False)
        self.codebook = CodebookState(model.config.n_embed, inserted=config.quantise_after == 0)
        self.codebook.counts = self.codebook.counts.to(train.device)
        modules: dict[str, nn.Module] = {"first_stage": model, "codebook": self.codebook}
        phases = [Phase("autoencoder", ("first_stage",))]
        if loss.discriminator is not None:
            modules["discriminator"] = loss.discriminator
            phases.append(Phase("discriminator", ("discriminator",)))
        self.modules: Mapping[str, nn.Module] = modules
        self.phases = tuple(phases)
        self.averaged = ("first_stage",) if trainer.ema_decay > 0 else ()
        if trainer.recompute:
            recompute(model, RECOMPUTED)
        # The discriminator's share in the loss follows from a second backward pass through the decoder.
        capture = trainer.capture if loss.discriminator is None else Capture.never
        self.encode = Passes(_Part(model.encode, model.encoder, model.quant_conv), capture)
        self.decode = Passes(_Part(model.decode_unquantised, model.post_quant_conv, model.decoder), capture)
        self._reconstructed: dict[int, Tensor] = {}
        self._used_now: dict[int, Tensor] = {}
        """Indices of the codes of this step's images, by the first image of their micro-batch."""
        self.weights_V: Tensor | None = None
        if config.part_weight_power > 0:
            self.weights_V = torch.ones(256, device=train.device)  # what is not specified (255) counts like the average
            self.weights_V[:NUM_CLASSES] = class_weights(count_classes(train), config.part_weight_power)

    def items(self, images_seen: int, global_batch: int) -> Items:
        """Return the items of the global batch that follows `images_seen`."""
        return stream_items(self.trainer, images_seen, global_batch, len(self.train))

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]] | None:
        """Return the autoencoder's loss, or the discriminator's on the pictures the autoencoder has just given."""
        pictures_BCHW, labels_BHW, _ = self.train.images(step.indices_B, step.flips_B)
        images_BCHW = _floats(pictures_BCHW)
        if phase == "discriminator":
            reconstructed = self._reconstructed.pop(step.first, None)
            if reconstructed is None:
                return None
            with step.autocast():
                return self.terms.discriminate(images_BCHW, reconstructed)
        latents = self.encode(step, images_BCHW)
        with step.autocast():
            quantised = self.model.quantise(latents) if self.codebook.inserted else None
        images = self.decode(step, latents if quantised is None else quantised.codes)
        result = Reconstruction(images, latents, quantised)
        with step.autocast():
            loss, parts = self.terms.autoencoder(
                images_BCHW, result, self.model.last_layer, step.images_seen, self._weights(labels_BHW)
            )
        if result.quantised is not None:
            self._used_now[step.first] = result.quantised.indices.flatten()
        if self.terms.discriminating(step.images_seen):
            self._reconstructed[step.first] = result.images.detach()
        return loss, {"loss": loss.detach(), **parts}

    def _weights(self, labels_BHW: Tensor) -> Tensor | None:
        return None if self.weights_V is None else self.weights_V[labels_BHW.int()]

    def after_step(self, images_seen: int, images_total: int, total: Total) -> dict[str, float]:
        """Insert the quantiser when its time has come; every `restart_every` images restart unused codes."""
        every, before = self.config.restart_every, images_seen - self.trainer.batch_size
        if self._used_now and every is not None:
            used = torch.cat(list(self._used_now.values()))
            counts = torch.zeros_like(self.codebook.counts).index_add_(0, used, torch.ones_like(used))
            self.codebook.counts += total(counts)
        self._used_now.clear()
        if not self.codebook.inserted:
            return self._fill(images_seen) if images_seen >= self.config.quantise_after * images_total else {}
        if every is None or images_seen > self.config.restart_until * images_total:
            return {}
        return self._restart(images_seen) if images_seen // every > before // every else {}

    def _fill(self, images_seen: int) -> dict[str, float]:
        """Fill the codebook from encoder outputs of the pictures that come next."""
        side = self.train.images(np.zeros(1, dtype=np.int64))[0].shape[-1] // self.model.factor
        wanted = -(-_CELLS_PER_CODE * self.model.config.n_embed // side**2)
        latents = self._encode(images_seen, min(max(wanted, 1), len(self.train)))
        fill_codebook(self.model.quantize, latents, torch_generator(self.trainer.seed, "codebook", images_seen))
        self.codebook.inserted.fill_(1)
        self.codebook.counts.zero_()
        return {"codes_filled": float(self.model.config.n_embed)}

    def _restart(self, images_seen: int) -> dict[str, float]:
        """Move the codes that were not used since the last look onto encoder outputs, and count anew."""
        dead = self.codebook.counts == 0
        latents = self._encode(images_seen, min(2 * _PIECE, len(self.train)))
        source = torch_generator(self.trainer.seed, "codebook", images_seen)
        restarted = restart_dead_codes(self.model.quantize, dead, latents, source)
        self.codebook.counts.zero_()
        return {"codes_restarted": float(restarted), "codes_used": 1 - restarted / len(dead)}

    @torch.no_grad()
    def _encode(self, images_seen: int, count: int) -> Tensor:
        indices, flips = self.items(images_seen, count)
        pieces = [slice(start, start + _PIECE) for start in range(0, count, _PIECE)]
        pictures = (self.train.images(indices[piece], flips[piece])[0] for piece in pieces)
        return torch.cat([self.model.encode(_floats(images_BCHW)) for images_BCHW in pictures])

    def evaluate(self, images_seen: int) -> Evaluation:
        """Return L1, PSNR and the use of the codebook on validation pictures, and some beside what is made of them."""
        inserted = bool(self.codebook.inserted)
        usage = CodebookUsage(self.model.config.n_embed)
        errors, ratios, grid = [], [], None
        for indices in validation_pieces(self.trainer, len(self.validation)):
            images_BCHW = self.validation.images(indices)[0]
            result = self.model(_floats(images_BCHW), quantise=inserted)
            if result.quantised is not None:
                usage.update(result.quantised.indices)
            errors.append((result.images - _floats(images_BCHW)).abs().mean(dim=(1, 2, 3)).cpu().numpy())
            pair = [_pictures(images_BCHW), _pictures(_bytes(result.images))]
            ratios.append(psnr(*pair))
            if grid is None and self.trainer.sample_grid:
                rows = [np.concatenate(list(pictures[: self.trainer.sample_grid]), axis=1) for pictures in pair]
                grid = np.concatenate(rows, axis=0)
        figures = {"l1": float(np.concatenate(errors).mean()), "psnr": float(np.concatenate(ratios).mean())}
        if inserted:
            figures |= {
                "codes_used": usage.used,
                "codes_dead": float(usage.dead.sum()),
                "codes_perplexity": usage.perplexity,
            }
        return Evaluation(figures, grid)


def _check(config: FirstStageTrainingConfig, trainer: TrainerConfig) -> None:
    changing = config.quantise_after > 0 or config.restart_every is not None
    if config.freeze_encoder and changing:
        raise ConfigError(
            "model.training.freeze_encoder=true keeps the codebook as it is",
            hint="leave quantise_after at 0 and restart_every at null",
        )
    if changing and trainer.ema_decay > 0:
        raise ConfigError(
            f"trainer.ema_decay={trainer.ema_decay}: an average over codes that are filled or restarted is no codebook",
            hint="set trainer.ema_decay=0, or quantise_after=0 and restart_every=null",
        )


def _floats(images_BCHW: Tensor) -> Tensor:
    """uint8 pictures -> float32 in [-1, 1]."""
    return images_BCHW.float() / 127.5 - 1


def _bytes(images_BCHW: Tensor) -> Tensor:
    """Float pictures, about [-1, 1] -> uint8."""
    return ((images_BCHW + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _pictures(images_BCHW: Tensor) -> NDArray[np.uint8]:
    """uint8 (B, 3, H, W) on any device -> (B, H, W, 3) numpy."""
    return np.ascontiguousarray(images_BCHW.permute(0, 2, 3, 1).cpu().numpy())
