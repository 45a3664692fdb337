"""A trained diffusion model, ready to sample: condition encoders, denoiser, sampler, guidance and first stage as one call.

What a `Diffuser` makes is what it learnt: latents of pictures (`Generator`) or label maps (`facecond.assembly.maps`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecond.assembly.first_stage import FirstStage, require_finite
from facecond.conditions.conditioner import Conditioner
from facecond.config.diffusion import DiffusionConfig, GuidanceConfig, SamplerConfig
from facecond.config.models import MODELS
from facecond.config.settings import restore
from facecond.config.training import Capture, Precision
from facecond.denoisers.denoiser import Denoiser, LatentScale
from facecond.denoisers.table import DENOISERS
from facecond.diffusion.guidance import guide, stack
from facecond.diffusion.prediction import Predict, Prediction, predictor, watched
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import schedule_of
from facecond.errors import CheckpointError
from facecond.io.checkpoint import Weights, load_strictly, load_weights, split_modules
from facecond.sampling.generation import Render, Step, Watch
from facecond.sampling.replay import Replayed
from facecond.training.device import autocast, resolve_precision
from facecond.types import Denoise, NoiseSource, Values


@dataclass(frozen=True, slots=True)
class Diffuser:
    """Everything that turns noise and conditions into what was learnt."""

    config: DiffusionConfig
    denoiser: Denoiser
    conditioner: Conditioner
    scale: LatentScale
    sha256: str
    """Of the weights file."""
    resolution: int
    """Pixels of pictures and label maps."""
    device: torch.device

    def latents(
        self,
        values: Values,
        noise_BCHW: Tensor,
        sampler: SamplerConfig,
        guidance: GuidanceConfig,
        noise_source: NoiseSource | None = None,
        precision: Precision = Precision.float32,
        amend: Callable[[Predict], Predict] = lambda predict: predict,
        capture: Capture = Capture.never,
    ) -> Tensor:
        """Sample latents from standard normal noise, float32 (B, C, h, w), under what `values` say; what they lack is unspecified.

        `amend` may change what the sampler hears of the model. Returns float32 latents on the scale of the data. Raises
        ConfigError when the model must be told something that is not specified, or when guidance is asked of a model without
        null tokens.
        """
        # One context around all steps: autocast keeps the weights it has cast until its end, but in inference mode it keeps none.
        with torch.no_grad(), autocast(precision, self.device):
            denoise = self.bound(self.told(values, len(noise_BCHW)), guidance)
            if capture is Capture.auto:
                denoise = Replayed(denoise)
            z_BCHW = SAMPLERS[sampler.name](
                amend(predictor(denoise, self.config.target)), noise_BCHW, schedule_of(self.config.schedule),
                steps=sampler.steps, eta=sampler.eta, noise_source=noise_source,
            )  # fmt: skip
            return require_finite(self.scale.restore(z_BCHW), "latents")

    def told(self, values: Values, count: int) -> Values:
        """Return values of every condition of the model for `count` items; those that are missing say nothing."""
        return {
            each.name: values[each.name] if each.name in values else each.nothing(count, self.resolution, self.device)
            for each in self.conditioner.conditions
        }

    def showing(
        self, watch: Watch | None, what: str, steps: int, decode: Callable[[Tensor], NDArray[np.uint8]]
    ) -> Callable[[Predict], Predict]:
        """Return what lets `watch` see each prediction of one of `steps`, x0 on the scale of the data by `decode`."""

        def shown(predict: Predict) -> Predict:
            if watch is None:
                return predict

            def see(number: int, prediction: Prediction) -> None:
                def look() -> NDArray[np.uint8]:
                    with torch.autocast(self.device.type, enabled=False):
                        return decode(require_finite(self.scale.restore(prediction.x0), "latents"))

                watch(Step(what, number, steps, look))

            return watched(predict, see)

        return shown

    def bound(self, values: Values, guidance: GuidanceConfig) -> Denoise:
        """Return the denoiser bound to the context of `values` of every condition, with guidance. Raises as `latents` does."""
        if not self.conditioner.names:
            return self.denoiser.bind(None)
        self.conditioner.check_specified(values)
        weights = [guidance.weight(name) for name in self.conditioner.guidance_order]
        if all(weight == 1.0 for weight in weights):
            return self.denoiser.bind(self.conditioner(values))
        guided = stack(self.conditioner.chain(values), weights)
        return guide(self.denoiser.bind(guided.context), guided.shares)


@dataclass(frozen=True, slots=True)
class Generator(Diffuser):
    """Everything that turns noise and conditions into pictures."""

    first_stage: FirstStage

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of one latent."""
        side = self.resolution // self.first_stage.network.factor
        return self.first_stage.network.channels, side, side

    def renderer(
        self,
        sampler: SamplerConfig,
        guidance: GuidanceConfig,
        precision: Precision,
        capture: Capture = Capture.never,
        watch: Watch | None = None,
    ) -> Render:
        """Return `render(values, noise, noise_source) -> pictures` for `facecond.sampling.generate`; `watch` sees its steps."""
        precision = resolve_precision(precision, self.device)
        amend = self.showing(watch, "pictures", sampler.steps, self.first_stage.decode)

        def render(values: Values, start_noise_BCHW: Tensor, noise_source: NoiseSource) -> NDArray[np.uint8]:
            latents = self.latents(values, start_noise_BCHW, sampler, guidance, noise_source, precision, amend, capture)
            return self.first_stage.decode(latents)

        return render


def diffusion_networks(config: DiffusionConfig, channels: int, resolution: int) -> tuple[Denoiser, Conditioner]:
    """Build the denoiser for latents of `channels` channels, and the condition encoders for pictures of `resolution` pixels.

    Their weights are random.
    """
    width = config.token_width if config.conditions else None
    return DENOISERS[config.denoiser.kind](config.denoiser, channels=channels, context_dim=width), Conditioner(
        config.told(), token_width=config.token_width, optional=config.optional, resolution=resolution
    )


def load_generator(file: Path, first_stage: FirstStage, device: torch.device, *, resolution: int) -> Generator:
    """Load the diffusion model in the weights file `file`, whose latents are those of `first_stage`.

    Raises CheckpointError when the file is missing, damaged, or not a diffusion model of this first stage.
    """
    weights = read_generative(file, "diffusion")
    if weights.config["first_stage"] != first_stage.sha256:
        raise CheckpointError(
            f"{file} learnt latents of the first stage {weights.config['first_stage'][:12]}, not of {first_stage.origin}",
            hint="bring back the first stage it was trained with, or train again",
        )
    diffuser = load_diffuser(weights, file, device, channels=first_stage.network.channels, resolution=resolution)
    return Generator(**fields_of(diffuser), first_stage=first_stage)


def read_generative(file: Path, kind: str) -> Weights:
    """Read the weights of a model of `kind`, diffusion or maps. Raises CheckpointError for a missing, damaged or other file."""
    model = {"diffusion": "multicond"}.get(kind, kind)
    weights = load_weights(file, hint=f"train one: facecond train model={model}")
    if weights.config.get("kind") != kind:
        raise CheckpointError(
            f"{file} does not hold a {kind} model", hint=f"expected the weights of a run of model={model}"
        )
    return weights


def load_diffuser(weights: Weights, file: Path, device: torch.device, *, channels: int, resolution: int) -> Diffuser:
    """Build the networks that `weights`, read from `file`, say, for latents of `channels`, and fill them."""
    schema = MODELS[weights.config["kind"]]
    config = restore(schema, weights.config["model"], str(file))
    denoiser, conditioner = diffusion_networks(config, channels, resolution)
    modules: Mapping[str, Mapping[str, Tensor]] = split_modules(weights.tensors)
    scale = LatentScale(channels)
    for name, module in (("denoiser", denoiser), ("conditioner", conditioner), ("scale", scale)):
        load_strictly(module, modules.get(name, {}), f"{file} ({name})")
        module.eval().to(device)  # with gradients asked for, or autocast casts weights anew at each use
    return Diffuser(config, denoiser, conditioner, scale, weights.sha256, resolution, device)


def fields_of(diffuser: Diffuser) -> dict[str, Any]:
    """What a `Diffuser` holds, by name, to build one of its kinds from."""
    return {field.name: getattr(diffuser, field.name) for field in fields(Diffuser)}
