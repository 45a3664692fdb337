"""A forward pass of each kind of training with images that say nothing, for counting (facecond.assembly.account)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from facecond.assembly.generator import diffusion_networks
from facecond.autoencoder.losses import VQLoss
from facecond.autoencoder.vq import VQModel
from facecond.denoisers.denoiser import LatentScale
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser
from facecond.learners import diffusion, vq
from facecond.learners.classifier import ClassifierLearner
from facecond.learners.parser import ParserLearner
from facecond.training.learner import Learner

META = torch.device("meta")

Pass = tuple[Learner, list[nn.Module], Callable[[int], tuple[Tensor, ...]]]
"""A learner, networks that it does not list, and a forward pass with so many images: its loss, and what else is there until the
backward pass ends."""


def _diffusion(config: Any, resolution: int, shape: tuple[int, ...], data: Any) -> Pass:
    with META:
        denoiser, conditioner = diffusion_networks(config.model, shape[0], resolution)
    learner = diffusion.DiffusionLearner(
        denoiser, conditioner, LatentScale(shape[0]), config.model, config.weighting, config.trainer,
        train=data, validation=data, identity={},
    )  # fmt: skip

    def run(images: int) -> tuple[Tensor, ...]:
        latents_BCHW, z0_BCHW, noise_BCHW, z_BCHW = (torch.zeros(images, *shape) for _ in range(4))
        values = {each.name: each.nothing(images, resolution, z_BCHW.device) for each in conditioner.conditions}
        keep = {name: torch.ones(images, dtype=torch.bool) for name in values} if conditioner.optional else {}
        answer_BCHW = learner.answer.module(z_BCHW, torch.zeros(images), values, keep)
        return (answer_BCHW.float() - noise_BCHW).square().mean(), latents_BCHW, z0_BCHW, noise_BCHW

    return learner, [], run


def _vq(config: Any, resolution: int, shape: tuple[int, ...], data: Any) -> Pass:
    """Without the codebook, which keeps latents and indices alone."""
    training = dataclasses.replace(config.model.training, part_weight_power=0.0)
    with META:
        network = VQModel(config.model.network)
    terms = VQLoss(config.model.loss)  # reads weights of the perceptual term
    learner = vq.FirstStageLearner(
        network, terms, training, config.trainer, train=data, validation=data, identity={}
    )  # fmt: skip

    def run(images: int) -> tuple[Tensor, ...]:
        images_BCHW = torch.zeros(images, *shape)
        made_BCHW = learner.decode.module(learner.encode.module(images_BCHW))
        loss = (images_BCHW - made_BCHW).abs().mean() + terms.perceptual(images_BCHW, made_BCHW)
        return (loss if terms.discriminator is None else loss - terms.discriminator(made_BCHW).mean(),)

    return learner, [terms.perceptual], run


def _judge(build: Any, kind: Any, config: Any, resolution: int, shape: tuple[int, ...], data: Any) -> Pass:
    with META:
        network = build(config.model.network)
    learner = kind(network, config.model.training, config.trainer, train=data, validation=data, identity={})

    def run(images: int) -> tuple[Tensor, ...]:
        answers = learner.logits.module(torch.zeros(images, *shape, dtype=torch.uint8))
        heads = answers if isinstance(answers, tuple) else (answers,)
        return tuple(logits.float().log_softmax(1).mean() for logits in heads)

    return learner, [], run


PASSES: dict[str, Callable[[Any, int, tuple[int, ...], Any], Pass]] = {
    "diffusion": _diffusion,
    "maps": _diffusion,
    "vq": _vq,
    "parser": partial(_judge, build_parser, ParserLearner),
    "classifier": partial(_judge, build_classifier, ClassifierLearner),
}
"""By kind of model: (configuration, pixels, shape of what is learnt, what stands for the data) -> pass, on the meta device."""

BLOCKS = {"diffusion": diffusion.RECOMPUTED, "maps": diffusion.RECOMPUTED, "vq": vq.RECOMPUTED}
"""What gradient checkpointing works out again."""
