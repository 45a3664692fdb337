"""The measures and the detectors there are. Light: the command line reads it for help and completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facecond.errors import ConfigError, nearest
from facecond.measuring.attributes import AttributeAgreement
from facecond.measuring.classes import ClassScores
from facecond.measuring.distances import Frechet, FrechetAtInfinity, Kernel, Sliced
from facecond.measuring.diversity import Diversity
from facecond.measuring.edges import EdgeAgreement
from facecond.measuring.features import FEATURES
from facecond.measuring.judges import judge
from facecond.measuring.manifold import Manifold
from facecond.measuring.masks import MaskAgreement
from facecond.measuring.measure import DetectorKind, Measure
from facecond.measuring.perceptual import PERCEPTUAL
from facecond.measuring.reconstruction import Reconstruction, ReconstructionDistance

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MEASURES: dict[str, Measure] = {
    "miou": Measure(
        help="agreement of the map seen in a sample with the map asked for, mean over classes",
        scores=MaskAgreement,
        figures=("miou", "mean_of_image_ious"),
    ),
    "accuracy": Measure(
        help="share of the pixels whose class is the one asked for", scores=MaskAgreement, figures=("mask_accuracy",)
    ),
    "attributes": Measure(help="share of the attributes asked for that are seen", scores=AttributeAgreement),
    "edges": Measure(help="agreement of a sample's edges with the lines of the sketch", scores=EdgeAgreement),
    "fid": Measure(
        help="Frechet distance from the validation pictures, or those in reference= (FID, where Inception's weights are to be had)",
        scores=Frechet,
    ),
    "fid_infinity": Measure(
        help="fid extrapolated to infinitely many samples (FID-infinity, likewise)", scores=FrechetAtInfinity
    ),
    "kid": Measure(help="kernel distance from the same (KID, likewise)", scores=Kernel),
    "mind": Measure(help="sliced Wasserstein distance from the same (MIND, likewise)", scores=Sliced),
    "is": Measure(
        help="how clear and various ImageNet's classes are in samples (Inception score, likewise)", scores=ClassScores
    ),
    "lpips": Measure(
        help="diversity of samples of one condition (LPIPS, where its weights are to be had)", scores=Diversity
    ),
    "precision": Measure(
        help="share of samples that look real (nearest neighbours)", scores=Manifold, figures=("precision",)
    ),
    "recall": Measure(help="share of real pictures that look sampled", scores=Manifold, figures=("recall",)),
    "density": Measure(help="how many real pictures a sample is near to", scores=Manifold, figures=("density",)),
    "coverage": Measure(help="share of real pictures that a sample is near to", scores=Manifold, figures=("coverage",)),
    "reconstruction": Measure(help="PSNR and SSIM of the first stage", scores=Reconstruction),
    "psnr": Measure(help="PSNR of the first stage alone", scores=Reconstruction, figures=("psnr",)),
    "ssim": Measure(help="SSIM of the first stage alone", scores=Reconstruction, figures=("ssim",)),
    "lpips_reconstruction": Measure(
        help="perceptual distance of pictures from their reconstructions (LPIPS, where its weights are to be had)",
        scores=ReconstructionDistance,
    ),
}
"""What can be measured, by name."""

DETECTORS: dict[str, DetectorKind] = {
    "parser": DetectorKind(sources=(judge("parser"),)),
    "classifier": DetectorKind(sources=(judge("classifier"),)),
    "features": FEATURES,
    "perceptual": PERCEPTUAL,
}
"""What measures look with."""


def measures_named(named: Sequence[str]) -> dict[str, Measure]:
    """The measures called `named`, each once.

    Raises ConfigError for an unknown one or none.
    """
    names: dict[str, Any] = dict.fromkeys(named)
    if not names:
        raise ConfigError("no measure named", hint=f"name some: facecond eval {' '.join(MEASURES)}")
    if unknown := [name for name in names if name not in MEASURES]:
        words = "is not a measure" if len(unknown) == 1 else "are not measures"
        raise ConfigError(
            f"{', '.join(map(repr, unknown))} {words}", hint="; ".join(nearest(name, MEASURES) for name in unknown)
        )
    return {name: MEASURES[name] for name in names}


def obeyed(told: Collection[str]) -> list[str]:
    """The measures that ask how well conditions are obeyed, of those called `told`."""
    return [name for name, measure in MEASURES.items() if measure.scores.condition in told]
