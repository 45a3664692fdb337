"""What every denoiser is: a module that reads a context once and then answers for noisy latents at any time.

And what denoisers share: the code of the time, the places of cells, the scale of latents.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.types import Context, Denoise


class Denoiser(nn.Module):
    """Base of the networks in `facecond.denoisers.table`; a network has `read` and `predict`."""

    def __init__(self, *, context_dim: int | None, multiple: int) -> None:
        super().__init__()
        self.context_dim = context_dim
        """Width of the context's tokens; None for an unconditional network."""
        self.multiple = multiple
        """Height and width of the latents must be multiples of it."""

    def read(self, context: Context | None) -> Any:
        """Return all that `predict` takes from a context; it depends on neither latents nor time."""
        raise NotImplementedError

    def predict(self, z_BCHW: Tensor, time_B: Tensor, reading: Any) -> Tensor:
        """Return the answer, in the shape and precision of `z_BCHW`, given what `read` returned."""
        raise NotImplementedError

    def bind(self, context: Context | None) -> Denoise:
        """Return the network with `context` read once, here, under the caller's gradient and autocast modes.

        What it buys is a step that is a pure function of (z, time); the saving in arithmetic is small (under 2 % for the
        paper's U-Net). Raises ValueError for a conditional network without a context and for an unconditional one with it.
        """
        if (context is None) != (self.context_dim is None):
            expected = "no context" if self.context_dim is None else f"a context of width {self.context_dim}"
            raise ValueError(f"this {type(self).__name__} takes {expected}")
        reading = self.read(context)

        def denoise(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
            if z_BCHW.shape[-1] % self.multiple or z_BCHW.shape[-2] % self.multiple:
                raise ValueError(
                    f"latents of {tuple(z_BCHW.shape[-2:])} cells: sides must be multiples of {self.multiple}"
                )
            return self.predict(z_BCHW, time_B, reading)

        return denoise

    def forward(self, z_BCHW: Tensor, time_B: Tensor, context: Context | None = None) -> Tensor:
        """Return the answer for `z_BCHW` (float) at the times `time_B` (0..1000), in the shape and precision of `z_BCHW`.

        Raises ValueError for sides that are no multiples of `multiple` and for a context that does not match the network.
        """
        return self.bind(context)(z_BCHW, time_B)


def parameter_count(module: nn.Module) -> int:
    """Return the number of parameters of `module`."""
    return sum(parameter.numel() for parameter in module.parameters())


Module = TypeVar("Module", bound=nn.Module)


def zeroed(module: Module) -> Module:
    """Set every parameter of `module` to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def timestep_embedding(time_B: Tensor, width: int, *, max_period: float = 10000.0) -> Tensor:
    """Return float32 (B, width): cosines first, then sines, at `width // 2` frequencies from 1 down to about 1 /
    `max_period`."""
    half = width // 2
    frequencies = torch.exp(
        -math.log(max_period) / half * torch.arange(half, dtype=torch.float32, device=time_B.device)
    )
    angles = time_B[:, None].float() * frequencies
    embedding_BE = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return F.pad(embedding_BE, (0, width % 2))


def cell_places(height: int, width: int, device: torch.device) -> Tensor:
    """Return the centres of the cells, row by row: float32 (height * width, 3) of x and y in [0, 1], and 1."""
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y, torch.ones_like(grid_x)], dim=-1).view(-1, 3)


def over_cells(tokens_BTE: Tensor, places_TP: Tensor, height: int, width: int) -> Tensor:
    """Return in each cell the mean of the tokens around it, (B, E, height, width); zeros where no token has a place.

    Weights fall linearly in x and in y to 0 at one spacing of a square grid of all tokens that have a place. With one grid that is
    bilinear interpolation where there are fewer tokens than cells, a mean where there are more. Of several conditions with places,
    the tokens are averaged (and the spacing is too small by the root of their number).
    """
    cells_LP, placed_T = cell_places(height, width, places_TP.device), places_TP[:, 2]
    apart_LT2 = (cells_LP[:, None, :2] - places_TP[:, :2]).abs() * placed_T.sum().sqrt()
    near_LT = (1 - apart_LT2).clamp(min=0).prod(dim=-1) * placed_T
    share_LT = near_LT / near_LT.sum(dim=1, keepdim=True).clamp(min=1e-6)
    return torch.einsum("lt,bte->bel", share_LT.to(tokens_BTE), tokens_BTE).unflatten(-1, (height, width))


class Placed(NamedTuple):
    """Tokens that `Laying` has embedded, (B, T, E), and their places (T, 3)."""

    tokens_BTE: Tensor
    places_TP: Tensor


class Laying(nn.Module):
    """Tokens with a place as an addition to the features of cells, or of patches of cells; zero at the start.

    A latent cell gets `laid` numbers of them, a patch of cells is brought to the `width` of the network.
    """

    def __init__(self, context_dim: int, laid: int, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(context_dim, laid, bias=False)
        self.join = zeroed(nn.Conv2d(laid * patch**2, width, 1))

    def read(self, context: Context) -> Placed:
        """What does not depend on the latents."""
        return Placed(self.embed(context.tokens_BTD), context.places_TP)

    def forward(self, placed: Placed, height: int, width: int) -> Tensor:
        """Return (B, C, H / patch, W / patch), C = the network's width, for latents of `height` x `width` cells."""
        return self.join(F.pixel_unshuffle(over_cells(*placed, height, width), self.patch))


def mean_unplaced(context: Context) -> Tensor:
    """Return the mean of the tokens without a place, (B, D); zeros where there are none."""
    unplaced_T = 1 - context.places_TP[:, 2].to(context.tokens_BTD)
    return torch.einsum("btd,t->bd", context.tokens_BTD, unplaced_T / unplaced_T.sum().clamp(min=1))


class LatentScale(nn.Module):
    """Shifts and scales latents per channel; its numbers are saved with the model that was trained on such latents.

    Latents are as the first stage gives them (the paper), or standardised per channel (small models).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, mean: ArrayLike | None = None, std: ArrayLike | None = None) -> None:
        """`mean` and `std` are (channels,); without them latents stay as they are."""
        super().__init__()
        for name, values, default in (("mean", mean, 0.0), ("std", std, 1.0)):
            filled = np.full(channels, default) if values is None else np.asarray(values)
            if filled.shape != (channels,):
                raise ValueError(f"{name} of {channels} channels expected, got {filled.shape}")
            self.register_buffer(name, torch.tensor(filled, dtype=torch.float32))

    def standardise(self, latents_BCHW: Tensor) -> Tensor:
        """The first stage's latents -> what diffusion runs on."""
        return (latents_BCHW - self.mean[:, None, None]) / self.std[:, None, None]

    def restore(self, z_BCHW: Tensor) -> Tensor:
        """What diffusion runs on -> the first stage's latents."""
        return z_BCHW * self.std[:, None, None] + self.mean[:, None, None]
