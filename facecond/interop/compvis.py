"""Latent diffusion's checkpoints (CompVis) to our state dicts and back (arXiv 2112.10752; paper, section 4).

One file holds everything under prefixes: the U-Net, its average with every dot taken out of the names, the first stage,
twelve buffers of the noise schedule, and whatever encodes the condition. Our networks carry the same names, so only
prefixes change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from facecond.config.networks import VQConfig
from facecond.errors import CheckpointError

UNET = "model.diffusion_model."
FIRST_STAGE = "first_stage_model."
AVERAGE = "model_ema."

SCHEDULE = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
)

_AUTOENCODER = ("encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv.")


class LatentDiffusion(NamedTuple):
    """A checkpoint taken apart; every part is a state dict, empty where the file has none."""

    unet: dict[str, Tensor]
    """For `denoisers.unet.UNet`: the weights as trained last."""
    average: dict[str, Tensor]
    """For `denoisers.unet.UNet`: the averaged weights, which samples are made with."""
    first_stage: dict[str, Tensor]
    """For `autoencoder.vq.VQModel`."""
    schedule: dict[str, Tensor]
    """The noise schedule's buffers."""
    others: dict[str, Tensor]
    """What is left, for example `cond_stage_model.*`, under its full name."""


def average_name(parameter: str) -> str:
    """Return the name of a U-Net parameter's average: no prefix `model.`, no dots."""
    return AVERAGE + (UNET.removeprefix("model.") + parameter).replace(".", "")


def split_checkpoint(tensors: Mapping[str, Tensor]) -> LatentDiffusion:
    """Take a latent-diffusion checkpoint apart.

    Names of the average are matched with those of the U-Net in the same file; raises CheckpointError when there is no
    U-Net or the average does not belong to it.
    """
    unet = {name.removeprefix(UNET): value for name, value in tensors.items() if name.startswith(UNET)}
    if not unet:
        raise CheckpointError(f"no {UNET}* in the checkpoint: it is not one of latent diffusion", hint=_what(tensors))
    first_stage = {n.removeprefix(FIRST_STAGE): value for n, value in tensors.items() if n.startswith(FIRST_STAGE)}
    first_stage = {name: value for name, value in first_stage.items() if not name.startswith("loss.")}
    average = {}
    has_average = any(name.startswith(AVERAGE + "diffusion_model") for name in tensors)
    if has_average:
        missing = [average_name(name) for name in unet if average_name(name) not in tensors]
        if missing:
            raise CheckpointError(
                f"the averaged weights lack {', '.join(missing[:3])}", hint="the checkpoint is damaged"
            )
        average = {name: tensors[average_name(name)] for name in unet}
    schedule = {name: tensors[name] for name in SCHEDULE if name in tensors}
    used = {UNET + name for name in unet} | {average_name(name) for name in unet} | schedule.keys()
    others = {name: value for name, value in tensors.items() if name not in used and not name.startswith(FIRST_STAGE)}
    return LatentDiffusion(unet, average, first_stage, schedule, others)


def first_stage(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the autoencoder out of a latent-diffusion checkpoint or out of a checkpoint of the first stage's own
    training.

    The latter also carries the loss's networks (`loss.*`), which are left out. Raises CheckpointError when there is
    none.
    """
    inside = {name.removeprefix(FIRST_STAGE): value for name, value in tensors.items() if name.startswith(FIRST_STAGE)}
    found = {name: value for name, value in (inside or tensors).items() if name.startswith(_AUTOENCODER)}
    if not found:
        raise CheckpointError("no first stage in the checkpoint (encoder.*, decoder.*, ...)", hint=_what(tensors))
    return found


def first_stage_sizes(tensors: Mapping[str, Tensor], norm_groups: int | None = None) -> VQConfig:
    """Return the sizes of the autoencoder whose tensors `first_stage` gave, read from their names and shapes.

    The tensors do not show the groups of normalisation: `norm_groups`, or else 32 as latent diffusion always has, or
    the largest number up to 32 that divides every width. Raises CheckpointError for an autoencoder that does not
    quantise, or whose levels are no multiples of the first.
    """
    needed = ("quantize.embedding.weight", "encoder.conv_in.weight", "encoder.conv_out.weight")
    places = [name.split(".") for name in tensors if name.startswith("encoder.down.")]
    levels = sorted({int(place[2]) for place in places})
    first = [f"encoder.down.{level}.block.0.conv1.weight" for level in levels]
    if missing := [name for name in (*needed, *(first or ["encoder.down.*"])) if name not in tensors]:
        raise CheckpointError(f"not an autoencoder with a codebook: no {missing[0]}", hint=_what(tensors))
    ch, widths = tensors["encoder.conv_in.weight"].shape[0], [tensors[name].shape[0] for name in first]
    if any(width % ch for width in widths):
        raise CheckpointError(f"levels of {widths} channels, not multiples of the first convolution's {ch}")
    n_embed, embed_dim = tensors["quantize.embedding.weight"].shape
    return VQConfig(
        ch=ch,
        ch_mult=[width // ch for width in widths],
        num_res_blocks=len({place[4] for place in places if place[2:4] == ["0", "block"]}),
        z_channels=tensors["encoder.conv_out.weight"].shape[0],
        embed_dim=embed_dim,
        n_embed=n_embed,
        mid_attention=any(name.startswith("encoder.mid.attn_1.") for name in tensors),
        attention_levels=sorted({int(place[2]) for place in places if place[3] == "attn"}),
        norm_groups=norm_groups or max(groups for groups in range(1, 33) if ch % groups == 0),
    )


def join_checkpoint(
    unet: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    first_stage: Mapping[str, Tensor],
    *,
    betas: Tensor,
    updates: int,
    decay: float = 0.9999,
) -> dict[str, Tensor]:
    """Return a state dict that latent diffusion loads strictly: the inverse of `split_checkpoint`.

    `betas` are the schedule's (1000,), `updates` how often the average was updated.
    """
    tensors = schedule_buffers(betas)
    tensors |= {UNET + name: value for name, value in unet.items()}
    tensors[AVERAGE + "decay"] = torch.tensor(decay, dtype=torch.float32)
    tensors[AVERAGE + "num_updates"] = torch.tensor(updates, dtype=torch.int32)
    tensors |= {average_name(name): value for name, value in average.items()}
    tensors |= {FIRST_STAGE + name: value for name, value in first_stage.items()}
    return tensors


def schedule_buffers(betas: Tensor) -> dict[str, Tensor]:
    """Return the twelve buffers of a noise schedule (arXiv 2006.11239, equations 4 and 7): float32, computed in
    float64."""
    betas = betas.double()
    alphas = 1 - betas
    cumprod = alphas.cumprod(0)
    previous = torch.cat([torch.ones(1, dtype=torch.float64), cumprod[:-1]])
    variance = betas * (1 - previous) / (1 - cumprod)
    values = (
        betas,
        cumprod,
        previous,
        cumprod.sqrt(),
        (1 - cumprod).sqrt(),
        (1 - cumprod).log(),
        (1 / cumprod).sqrt(),
        (1 / cumprod - 1).sqrt(),
        variance,
        variance.clamp(min=1e-20).log(),
        betas * previous.sqrt() / (1 - cumprod),
        (1 - previous) * alphas.sqrt() / (1 - cumprod),
    )
    return {name: value.float() for name, value in zip(SCHEDULE, values, strict=True)}


def _what(names: Iterable[str]) -> str:
    return "it begins with " + ", ".join(list(names)[:3])
