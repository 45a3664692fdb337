"""How well the first stage gives pictures back (PSNR, SSIM): what no sample can surpass by much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facecond.measuring.measure import REAL, RECONSTRUCTIONS, Scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence


class Reconstruction(Scores):
    """PSNR and SSIM of each real picture after a round trip through the first stage."""

    sets = (RECONSTRUCTIONS,)
    looks = True

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._psnr: list[NDArray[np.float64]] = []
        self._ssim: list[NDArray[np.float64]] = []

    def add(self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[Any] | None) -> None:
        """Compare reconstructions with the pictures they are of."""
        from facecond.metrics.reconstruction import psnr, ssim

        real = self.evidence.sets[REAL].read(rows)
        self._psnr.append(psnr(real, images))
        self._ssim.append(ssim(real, images))

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.reconstruction_figures`."""
        import numpy as np

        from facecond.metrics.figures import reconstruction_figures

        shown = reconstruction_figures(
            np.concatenate(self._psnr), np.concatenate(self._ssim), circumstances=self.evidence.circumstances(self)
        )
        return {figure.name: figure for figure in shown}
