"""What every denoiser is: a module that reads a context once and then answers for noisy latents at any time."""

from typing import Any

from torch import Tensor, nn

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
