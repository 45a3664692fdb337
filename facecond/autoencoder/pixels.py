"""The first stage that is none: latents are the pictures themselves, so that diffusion runs on pixels."""

from torch import Tensor


class Pixels:
    """A `facecond.types.Codec` without weights."""

    factor = 1
    channels = 3

    def encode(self, images_BCHW: Tensor) -> Tensor:
        """float pictures in [-1, 1] -> the same, float32."""
        return images_BCHW.float()

    def decode(self, latents_BCHW: Tensor) -> Tensor:
        """The pictures, as they are."""
        return latents_BCHW
