"""The attribute condition: an MLP that turns 40 attributes into one token (the paper, section 3: "attr")."""

import itertools

import torch
from torch import Tensor, nn

from facecond.config.diffusion import AttributesConditionConfig
from facecond.errors import ConfigError
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.types import UNSPECIFIED_ATTRIBUTE

_SILU_GAIN = 1.676
"""1 / sqrt(E[silu(x)^2]) for standard normal x: keeps the variance of a SiLU network at 1."""


class AttributesCondition(nn.Module):
    """40 attributes -> one token of the whole picture.

    An attribute that is not specified enters as 0, which adds nothing to the first layer. With `optional`, an item that
    specifies none at all gives the learned null token; without, there is no such parameter.
    """

    null_tokens: nn.Parameter | None

    def __init__(self, config: AttributesConditionConfig, *, token_width: int, optional: bool) -> None:
        super().__init__()
        if any(width < 1 for width in config.hidden):
            raise ConfigError(f"model.attributes.hidden={config.hidden} holds a width below 1")
        widths = [NUM_ATTRIBUTES, *config.hidden, token_width]
        self.layers = nn.Sequential()
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            linear = nn.Linear(fan_in, fan_out)
            nn.init.normal_(linear.weight, std=(_SILU_GAIN if index else 1.0) / fan_in**0.5)
            nn.init.zeros_(linear.bias)
            self.layers.extend([nn.SiLU(), linear] if index else [linear])
        self.null_tokens = nn.Parameter(0.02 * torch.randn(1, token_width)) if optional else None

    def forward(self, attributes_BA: Tensor) -> Tensor:
        """int8 (B, 40) in {-1, 0, +1} -> tokens (B, 1, D)."""
        tokens_BTD = self.layers(attributes_BA.to(next(self.layers.parameters()).dtype))[:, None]
        if self.null_tokens is None:
            return tokens_BTD
        said_B = (attributes_BA != UNSPECIFIED_ATTRIBUTE).any(dim=1)
        return torch.where(said_B[:, None, None], tokens_BTD, self.null_tokens.to(tokens_BTD.dtype))

    def places(self) -> Tensor:
        """float32 (1, 3): the token belongs to the whole picture, so all zeros."""
        return torch.zeros(1, 3)
