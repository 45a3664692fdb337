"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for the weights of hidden layers, AdamW for the rest.

With gradient G, momentum M and orthogonal(X), which is about U V^T for X = U S V^T:
M <- 0.95 M + 0.05 G;   W <- (1 - rate decay) W - 0.2 sqrt(max(rows, columns)) rate orthogonal(0.95 M + 0.05 G)
The factor gives updates the root mean square of AdamW's, so that its learning rate and weight decay are kept (Liu et al. 2025,
arXiv 2502.16982, section 2.2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

MOMENTUM = 0.95
LIKE_ADAMW = 0.2
"""Root mean square of AdamW's updates, as a share of the learning rate."""

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b and c of a x + b x^3 + c x^5, which replaces every singular value x at each iteration."""

NARROW = 16
"""Layers with fewer inputs or outputs are left to AdamW: the first and last of most networks (a picture and its latents have 3
channels), and convolutions of each channel apart, whose weights are no matrices."""


class Muon(Optimizer):
    """Muon for `matrices`, AdamW for the other `weights`; one learning rate, one weight decay.

    A convolution's weight (out, in, h, w) is the matrix (out, in h w). `state` holds `momentum` of a matrix, AdamW's entries of
    another weight.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], matrices: AbstractSet[Tensor],
        *, lr: float, betas: tuple[float, float], weight_decay: float,
    ) -> None:  # fmt: skip
        whole = list(weights)
        super().__init__(
            [{"params": [weight for weight in whole if weight in matrices]}], {"lr": lr, "weight_decay": weight_decay}
        )
        others = {"params": [weight for weight in whole if weight not in matrices]}
        self._others = AdamW([others], lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
        self._others.state = self.state
        self.param_groups += self._others.param_groups  # the same dictionaries: a rate written into them counts there

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all weights that have a gradient; `closure` is not asked."""
        group = self.param_groups[0]
        rate, decay = group["lr"], group["weight_decay"]
        for (_, columns), weights in _alike(group["params"]).items():
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            momenta = [self._momentum(weight) for weight in weights]
            torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
            ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)
            updates_NRC = orthogonal(torch.stack([_wide(each) for each in ahead]))
            torch._foreach_mul_(weights, 1 - rate * decay)
            updates = [_as(weight, update_RC) for weight, update_RC in zip(weights, updates_NRC, strict=True)]
            torch._foreach_add_(weights, updates, alpha=-rate * LIKE_ADAMW * columns**0.5)
        self._others.step()

    def _momentum(self, weight: Tensor) -> Tensor:
        entries = self.state[weight]
        if "momentum" not in entries:
            entries["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = entries["momentum"]
        return momentum


def hidden_matrices(modules: Iterable[nn.Module]) -> set[Tensor]:
    """Return the weights of linear layers and convolutions that are not `NARROW`; embeddings and null tokens are none.

    A first or last layer that is as wide as hidden ones (classes, attributes, patches of cells) is not told apart.
    """
    layers = (part for module in modules for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d))
    return {layer.weight for layer in layers if min(layer.weight.shape[:2]) >= NARROW}


def orthogonal(x_NRC: Tensor) -> Tensor:
    """Return U f(S) V^T for each x = U S V^T (R <= C), with f(S) from about 0.7 to 1.2 unless S is far below the largest.

    Five Newton-Schulz iterations x <- p(x x^T) x in the precision of `x_NRC`, p(g) = a + b g + c g^2. For matrices more than
    twice as wide as high, x x^T and the product of the p are carried instead of x: they are square, and all of them commute.
    """
    x_NRC = x_NRC / x_NRC.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    rows, columns = x_NRC.shape[1:]
    if columns <= 2 * rows:
        for _ in range(ITERATIONS):
            x_NRC = torch.baddbmm(x_NRC, _curved(x_NRC @ x_NRC.mT), x_NRC, beta=COEFFICIENTS[0])
        return x_NRC
    gram_NRR = x_NRC @ x_NRC.mT
    product_NRR = step_NRR = _polynomial(gram_NRR)
    for _ in range(ITERATIONS - 1):
        gram_NRR = step_NRR @ gram_NRR @ step_NRR
        step_NRR = _polynomial(gram_NRR)
        product_NRR = step_NRR @ product_NRR
    return product_NRR @ x_NRC


def _curved(gram_NRR: Tensor) -> Tensor:
    """b g + c g^2."""
    return torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=COEFFICIENTS[1], alpha=COEFFICIENTS[2])


def _polynomial(gram_NRR: Tensor) -> Tensor:
    """a + b g + c g^2."""
    found_NRR = _curved(gram_NRR)
    found_NRR.diagonal(dim1=1, dim2=2).add_(COEFFICIENTS[0])
    return found_NRR


def _alike(weights: Iterable[nn.Parameter]) -> dict[tuple[int, int], list[Tensor]]:
    """The weights that have a gradient, by the shape (R, C) of their matrices."""
    found: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
    for weight in weights:
        if weight.grad is not None:
            rows, columns = len(weight), weight[0].numel()
            found[min(rows, columns), max(rows, columns)].append(weight)
    return found


def _wide(tensor: Tensor) -> Tensor:
    """The matrix (out, rest) of a weight, or its transpose, such that R <= C."""
    matrix = tensor.flatten(1)
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix


def _as(weight: Tensor, matrix_RC: Tensor) -> Tensor:
    """Undo `_wide`: the matrix in the shape of its weight."""
    tall = len(weight) > weight[0].numel()
    return (matrix_RC.mT if tall else matrix_RC).reshape(weight.shape)
