"""How well the first stage gives pictures back (PSNR, SSIM, LPIPS): what no sample can surpass by much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facecond.measuring.measure import REAL, RECONSTRUCTIONS, Scores
from facecond.measuring.perceptual import not_lpips

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
        self._apart: list[tuple[float, float]] = []

    def add(self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[Any] | None) -> None:
        """Compare reconstructions with the pictures they are of."""
        from facecond.metrics.reconstruction import psnr, ssim

        pictures = self.evidence.sets[REAL]
        real, others = pictures.read(rows), pictures.read((rows + 1) % len(pictures))
        self._psnr.append(psnr(real, images))
        self._ssim.append(ssim(real, images))
        self._apart.append((float(psnr(others, images).sum()), float(ssim(others, images).sum())))

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.reconstruction_figures`."""
        import numpy as np

        from facecond.metrics.figures import reconstruction_figures

        psnr_N, ssim_N = np.concatenate(self._psnr), np.concatenate(self._ssim)
        psnr_apart, ssim_apart = (
            sum(sums) / len(psnr_N) if len(psnr_N) > 1 else None for sums in zip(*self._apart, strict=True)
        )
        shown = reconstruction_figures(
            psnr_N, ssim_N, apart=(psnr_apart, ssim_apart), circumstances=self.evidence.circumstances(self)
        )
        return {figure.name: figure for figure in shown}


class ReconstructionDistance(Scores):
    """Perceptual distance of each real picture from itself after a round trip through the first stage."""

    detector = "perceptual"
    sets = (RECONSTRUCTIONS,)

    def __init__(self, evidence: Evidence) -> None:
        from facecond.metrics.pairs import Pairs

        super().__init__(evidence)
        self._distances: list[NDArray[np.float64]] = []
        self._real = Pairs()

    def add(
        self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[np.float32] | None
    ) -> None:
        """Compare embedded reconstructions (n, E) with the pictures they are of, which are embedded here: rows are long."""
        if found is None:
            raise ValueError("a perceptual distance needs a detector")
        real = self.evidence.detectors[self.detector](self.evidence.sets[REAL].read(rows))
        self._distances.append(((found - real).astype("float64") ** 2).sum(axis=1))
        self._real.add(real)

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.reconstruction_distance_figure`."""
        import numpy as np

        from facecond.metrics.figures import reconstruction_distance_figure

        evidence = self.evidence
        detector = evidence.detectors[self.detector]
        name, title, caution = "lpips_reconstruction", "Reconstruction LPIPS", ""
        if not detector.published:
            name, title = "perceptual_reconstruction", f"Perceptual reconstruction distance, {detector.name} features"
            caution = not_lpips(detector)
        figure = reconstruction_distance_figure(
            np.concatenate(self._distances), name=name, title=title, apart=self._real.mean,
            circumstances=evidence.circumstances(self, caution),
        )  # fmt: skip
        return {figure.name: figure}
