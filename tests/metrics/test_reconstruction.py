"""PSNR by its formula; SSIM by its formula written out with SciPy's Gaussian filter."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecond.metrics.reconstruction import psnr, ssim


def pictures() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    original = gaussian_filter(generator.normal(128, 200, (3, 48, 48, 3)), (0, 3, 3, 0)).clip(0, 255)
    noisy = original + generator.normal(0, 1, original.shape) * np.array([2, 8, 20])[:, None, None, None]
    return original.round().astype(np.uint8), noisy.clip(0, 255).round().astype(np.uint8)


def test_psnr_by_hand() -> None:
    original = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    found = original.copy()
    found[0, 0, 0, 0] = 48  # mean squared error 48^2 / 48 = 48
    assert psnr(original, found)[0] == pytest.approx(10 * np.log10(255**2 / 48))
    assert psnr(original, found)[1] == np.inf
    assert psnr(original, np.full_like(original, 255))[0] == 0.0


def test_ssim_by_its_formula() -> None:
    original, found = pictures()
    expected = []
    for a, b in zip(original.astype(np.float64), found.astype(np.float64), strict=True):

        def local(x: np.ndarray) -> np.ndarray:
            return gaussian_filter(x, (1.5, 1.5, 0), truncate=3.5)

        ma, mb = local(a), local(b)
        va, vb, cov = local(a * a) - ma**2, local(b * b) - mb**2, local(a * b) - ma * mb
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        value = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        expected.append(value[5:-5, 5:-5].mean())
    np.testing.assert_allclose(ssim(original, found), expected, rtol=1e-6)
    assert expected[0] > expected[1] > expected[2]


def test_equal_pictures() -> None:
    original, _ = pictures()
    np.testing.assert_allclose(ssim(original, original), 1.0)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_other_shapes_and_types_are_refused(measure: Callable[..., np.ndarray]) -> None:
    original, found = pictures()
    with pytest.raises(ValueError, match="uint8"):
        measure(original, found[:2])
    with pytest.raises(ValueError, match="uint8"):
        measure(original, found.astype(np.float32))
