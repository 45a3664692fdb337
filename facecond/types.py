"""The values that pass between packages, and the legend of shape letters used as suffixes throughout.

B  items of a batch          N  items of a data set or of a measurement
C  channels                  H W  height and width, in pixels or in latent cells
A  attributes (40)           K  classes of a label map (19; 18 parts without the background)
T  tokens of a context       D  width of a token
P  numbers that place a token: x, y in [0, 1] and 1 when the token has a place, else 0 (3)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number", "float", "Tensor")
"""Python floats in a sampling plan, float64 tensors (B,) in training."""

UNSPECIFIED_LABEL = 255
"""Value of a label map where nothing is said."""

UNSPECIFIED_ATTRIBUTE = 0
"""Value of an attribute that is not named."""


Values = Mapping[str, "Tensor"]
"""What a batch is told: name of each condition -> its values, items on the first axis (`facecond.conditions`)."""


class Batch(NamedTuple):
    """What one step of training looks at."""

    latents_BCHW: Tensor
    """float32, as the first stage's encoder gives them (before quantisation, unscaled)."""
    conditions: Values


class Context(NamedTuple):
    """A sequence of tokens a denoiser attends to. It says where a token belongs, not what it is about."""

    tokens_BTD: Tensor
    """float."""
    places_TP: Tensor
    """float32 (T, 3): x and y of the token's centre in [0, 1], then 1.0; (0, 0, 0) for a token of the whole picture."""


class Level(NamedTuple, Generic[Number]):
    """How noisy latents are: z = alpha x0 + sigma eps."""

    alpha: Number
    """Share of the clean latents, 0 to 1."""
    sigma: Number
    """Share of the noise, 0 to 1; alpha and sigma are never both 0."""
    time: Number
    """What a denoiser's time embedding gets: the training timestep 0..T-1, or 1000 s on the straight line."""

    @property
    def snr(self) -> Number:
        """Signal-to-noise ratio alpha^2 / sigma^2."""
        return self.alpha**2 / self.sigma**2


class Denoise(Protocol):
    """A network with its context bound; guidance and precision wrap one into another."""

    def __call__(self, z_BCHW: Tensor, time_B: Tensor) -> Tensor:
        """Return the raw answer for `z_BCHW` (float) at the times `time_B` of `Level.time`, in the shape of `z_BCHW`."""
        ...


class NoiseSource(Protocol):
    """Where a stochastic sampler takes its noise from."""

    def __call__(self, step: int) -> Tensor:
        """Return standard normal noise for sampling step `step` (0, 1, ...), in the shape and on the device of the latents."""
        ...


class Codec(Protocol):
    """The interface of a first stage."""

    @property
    def factor(self) -> int:
        """How many times smaller latents are than pictures, per side."""
        ...

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        ...

    def encode(self, images_BCHW: Tensor) -> Tensor:
        """float images in [-1, 1] -> float32 latents (before quantisation, where there is one), unscaled."""
        ...

    def decode(self, latents_BCHW: Tensor) -> Tensor:
        """Latents -> float images, about [-1, 1]."""
        ...
