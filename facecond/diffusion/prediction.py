"""What a network answers, and what that says about the clean latents and the noise.

Every kind of answer is one combination a x0 + b eps, with numbers a and b that depend on the level alone:

    eps       (0, 1)            Ho et al. 2020, section 3.2
    x0        (1, 0)
    v         (-sigma, alpha)   Salimans and Ho 2022, section 4
    velocity  (-1, 1)           Liu et al. 2023, equation 1: dz/ds of the straight line z = (1 - s) x0 + s eps

Together with z = alpha x0 + sigma eps, a raw answer r = a x0 + b eps determines x0 and eps wherever D = alpha b - sigma a
is not 0, and with them every other answer a' x0 + b' eps:

    a' x0 + b' eps = (a' b - b' a) / D  z  +  D' / D  r

D is alpha for eps, -sigma for x0, alpha^2 + sigma^2 for v and alpha + sigma for velocity: only eps at alpha = 0 and x0 at
sigma = 0 say nothing else about the latents. At a given z the errors of two answers differ by the factor D' / D.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from facecond.config.diffusion import Target
from facecond.types import Denoise, Level, Number

Share = float | Tensor
"""A coefficient: a number, or one per item, float64 (B,)."""

ANSWERS: dict[Target, Callable[[Level[Any]], tuple[Any, Any]]] = {
    Target.eps: lambda level: (0.0, 1.0),
    Target.x0: lambda level: (1.0, 0.0),
    Target.v: lambda level: (-level.sigma, level.alpha),
    Target.velocity: lambda level: (-1.0, 1.0),
}
"""The shares (a, b) of x0 and eps in each kind of answer."""


def answer(target: Target, x0_BCHW: Tensor, eps_BCHW: Tensor, level: Level[Number]) -> Tensor:
    """Return a x0 + b eps, what a network with this target should answer, in the precision of `x0_BCHW`."""
    of_x0, of_eps = ANSWERS[target](level)
    return _sum(of_x0, x0_BCHW, of_eps, eps_BCHW)


def convert(raw_BCHW: Tensor, z_BCHW: Tensor, level: Level[Number], source: Target, to: Target) -> Tensor:
    """Return what `raw_BCHW`, an answer of kind `source` about `z_BCHW` at `level`, says as an answer of kind `to`.

    In the precision of `z_BCHW`. Where `source` says nothing about `to` (D = 0, see above), a level of Python floats
    raises ValueError; a level of tensors gives infinities there, without the host looking at them.
    """
    if source is to:
        return raw_BCHW.to(z_BCHW.dtype)
    a, b = ANSWERS[source](level)
    a_to, b_to = ANSWERS[to](level)
    determinant = level.alpha * b - level.sigma * a
    if isinstance(determinant, float) and determinant == 0:
        raise ValueError(f"{source.name} says nothing about {to.name} at alpha={level.alpha}, sigma={level.sigma}")
    of_z = (a_to * b - b_to * a) / determinant
    return _sum(of_z, z_BCHW, error_ratio(level, source, to), raw_BCHW.to(z_BCHW.dtype))


def error_ratio(level: Level[Number], source: Target, to: Target) -> Number:
    """Return D' / D: how many times as large (with its sign) the error of the answer `to` is, given that of `source`."""
    (a, b), (a_to, b_to) = ANSWERS[source](level), ANSWERS[to](level)
    return (level.alpha * b_to - level.sigma * a_to) / (level.alpha * b - level.sigma * a)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network said about latents, to be read as any kind of answer."""

    raw_BCHW: Tensor
    """In the precision of the latents."""
    target: Target
    """What it is."""
    z_BCHW: Tensor
    level: Level[float]

    @property
    def x0(self) -> Tensor:
        """The clean latents (B, C, H, W). Raises ValueError where the answer says nothing about them."""
        return convert(self.raw_BCHW, self.z_BCHW, self.level, self.target, Target.x0)

    @property
    def eps(self) -> Tensor:
        """The noise (B, C, H, W). Raises ValueError where the answer says nothing about it."""
        return convert(self.raw_BCHW, self.z_BCHW, self.level, self.target, Target.eps)


class Predict(Protocol):
    """What samplers see of a model: network, context, guidance and precision are behind it."""

    def __call__(self, z_BCHW: Tensor, level: Level[float]) -> Prediction:
        """Return the prediction for `z_BCHW` (float) at `level`."""
        ...


def predictor(denoise: Denoise, target: Target) -> Predict:
    """Return `denoise`, whose raw answers are of kind `target`, as samplers take it."""

    def predict(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        time_B = torch.full((len(z_BCHW),), level.time, dtype=torch.float64, device=z_BCHW.device)
        return Prediction(denoise(z_BCHW, time_B).to(z_BCHW.dtype), target, z_BCHW, level)

    return predict


def watched(predict: Predict, see: Callable[[int, Prediction], None]) -> Predict:
    """Return `predict` that shows each prediction to `see`, with its number 0, 1, ...; what `see` raises ends the sampling."""
    numbers = itertools.count()

    def shown(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        prediction = predict(z_BCHW, level)
        see(next(numbers), prediction)
        return prediction

    return shown


def pinned(predict: Predict, x0_BCHW: Tensor, known_B1HW: Tensor) -> Predict:
    """Return `predict` with the clean latents that are known, where bool `known_B1HW` says so, put in place of the model's."""

    def amended(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        found_BCHW = predict(z_BCHW, level).x0
        return Prediction(torch.where(known_B1HW, x0_BCHW, found_BCHW), Target.x0, z_BCHW, level)

    return amended


def add_noise(x0_BCHW: Tensor, eps_BCHW: Tensor, level: Level[Number]) -> Tensor:
    """Return alpha x0 + sigma eps (Ho et al. 2020, equation 4), in the precision of `x0_BCHW`."""
    return _sum(level.alpha, x0_BCHW, level.sigma, eps_BCHW)


def _sum(share: Share, one_BCHW: Tensor, other_share: Share, other_BCHW: Tensor) -> Tensor:
    """The two tensors, each times its share; a share that is the number 0 or 1 costs nothing."""
    terms = [
        value_BCHW if isinstance(of, float) and of == 1 else _per_item(of, value_BCHW) * value_BCHW
        for of, value_BCHW in ((share, one_BCHW), (other_share, other_BCHW))
        if not (isinstance(of, float) and of == 0)
    ]
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def _per_item(share: Share, like_BCHW: Tensor) -> Share:
    """Shares (B,) as (B, 1, 1, 1), rounded once to the precision of the latents."""
    return share if isinstance(share, float) else share.to(like_BCHW.dtype)[:, None, None, None]
