"""How well the first stage gives a picture back: PSNR and SSIM, per image (Wang et al. 2004)."""

import numpy as np
from numpy.typing import NDArray


def psnr(original_NHWC: NDArray[np.uint8], found_NHWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB of uint8 pictures (N, H, W, 3): float64 (N,), infinite for equal pictures."""
    _check(original_NHWC, found_NHWC)
    errors_N = np.array(
        [np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(original_NHWC, found_NHWC, strict=True)]
    )
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255.0**2 / errors_N)


def ssim(original_NHWC: NDArray[np.uint8], found_NHWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Structural similarity of uint8 pictures (N, H, W, 3), at least 11 pixels a side: float64 (N,), 1 for equals.

    The original's form: Gaussian window of deviation 1.5, covariance not corrected for sample size, mean over colours.
    """
    from skimage.metrics import structural_similarity

    _check(original_NHWC, found_NHWC)
    values = [
        structural_similarity(
            a, b, channel_axis=-1, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(original_NHWC, found_NHWC, strict=True)
    ]
    return np.array(values, dtype=np.float64)


def _check(a_NHWC: NDArray[np.uint8], b_NHWC: NDArray[np.uint8]) -> None:
    if a_NHWC.shape != b_NHWC.shape or a_NHWC.ndim != 4 or a_NHWC.dtype != np.uint8 or b_NHWC.dtype != np.uint8:
        raise ValueError(f"uint8 (N, H, W, 3) of one shape expected, got {a_NHWC.shape}, {b_NHWC.shape}")
