"""Finding and loading what measures look with."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from facecond.io.files import sha256_file
from facecond.measuring.measure import Detector, Measure, Source
from facecond.measuring.table import DETECTORS
from facecond.pretrained.published import UnavailableError

if TYPE_CHECKING:
    import torch

    from facecond.config.commands import EvalConfig
    from facecond.data.pack import Pack
    from facecond.workspace.find import Found

log = logging.getLogger("facecond")

Candidates = Sequence[tuple["Source", "Found"]]
"""What may serve as a detector, first what to try first."""


def find_detectors(
    measures: Iterable[Measure], config: EvalConfig, pack: Pack | None, *, also: Iterable[str] = ()
) -> dict[str, Candidates]:
    """What may serve as each detector that `measures` look with, and as those named besides.

    Raises FacecondError when there is nothing for one.
    """
    classes = dict.fromkeys(also, False)
    for scores in (measure.scores for measure in measures):
        if scores.detector is not None:
            classes[scores.detector] = classes.get(scores.detector, False) or scores.classes
    return {kind: DETECTORS[kind].candidates(config, pack, classes=needed) for kind, needed in classes.items()}


def load_detectors(
    found: Mapping[str, Candidates], config: EvalConfig, device: torch.device, used: dict[str, str]
) -> dict[str, Detector]:
    """Load the first of the candidates for each that can be had; say what could not, and correct `used`, what is used and why.

    Raises UnavailableError when none can, CheckpointError for weights that are not what they should be.
    """
    return {kind: _load(kind, candidates, config, device, used) for kind, candidates in found.items()}


def _load(
    kind: str, candidates: Candidates, config: EvalConfig, device: torch.device, used: dict[str, str]
) -> Detector:
    reasons: list[UnavailableError] = []
    for source, found in candidates:
        try:
            detector = source.load(found.path, config, device)
        except UnavailableError as reason:
            reasons.append(reason)
        else:
            for missing in reasons:
                log.warning("warning: %s; measured in the features of %s, under other names", missing, detector.name)
            if reasons:
                used[kind] = f"{found.path} (in place of what is missing)"
            return detector
    raise reasons[0]


def identity(candidates: Candidates) -> str:
    """What tells the weights that may be looked with from others: the SHA-256 of each, or, while it is not here, its file.

    Of those that are here only the first can be meant.
    """
    names = []
    for _, found in candidates:
        file = found.path / "weights.safetensors" if found.path.is_dir() else found.path
        names.append(sha256_file(file) if file.is_file() else file.name)
        if file.is_file():
            break
    return " ".join(names)
