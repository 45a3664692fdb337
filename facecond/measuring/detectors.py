"""Finding and loading what measures look with."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from facecond.errors import FacecondError
from facecond.io.files import sha256_file
from facecond.io.runs import weights_in
from facecond.measuring.measure import Detector, Measure, Source, no_classes
from facecond.measuring.table import DETECTORS
from facecond.pretrained.published import UnavailableError

if TYPE_CHECKING:
    import torch

    from facecond.config.commands.evaluate import EvalConfig
    from facecond.data.pack import Pack
    from facecond.workspace.find import Found

log = logging.getLogger("facecond")

Candidates = Sequence[tuple["Source", "Found"]]
"""What may serve as a detector, first what to try first."""


def find_detectors(
    measures: Mapping[str, Measure], config: EvalConfig, pack: Pack | None, *, also: Iterable[str] = ()
) -> tuple[dict[str, Measure], dict[str, Candidates]]:
    """Return the measures that can be had, and what may serve as each detector that they, and those in `also`, look with.

    Measures for whose detector there is nothing are left out with a warning. Raises FacecondError when none is left, with
    `config.strict`, and when the detector is named or one of `also`.
    """
    needed, fit = set(also), dict(measures)
    missed: dict[str, FacecondError] = {}
    found: dict[str, Candidates] = {}
    for kind in dict.fromkeys([*also, *(each.scores.detector for each in measures.values() if each.scores.detector)]):
        classes = [each.scores.classes for each in looking_with(kind, fit).values()]
        try:
            candidates = DETECTORS[kind].candidates(config, pack, classes=all(classes) and bool(classes))
        except FacecondError as reason:
            if kind in needed or config.strict or DETECTORS[kind].named(config):
                raise
            missed |= _taken(fit, looking_with(kind, fit), reason)
        else:
            if any(classes) and DETECTORS[kind].named(config) and not any(source.classes for source, _ in candidates):
                raise no_classes()
            found[kind] = sorted(candidates, key=lambda each: any(classes) and not each[0].classes)
    _say_missed(fit, missed)
    return fit, found


def load_detectors(
    measures: Mapping[str, Measure],
    found: Mapping[str, Candidates],
    config: EvalConfig,
    device: torch.device,
    used: dict[str, str],
    *,
    also: Iterable[str] = (),
) -> tuple[dict[str, Measure], dict[str, Detector]]:
    """Load the first of the candidates for each that can be had; return also the measures that they serve.

    Says what could not be had, and corrects `used`, what is used and why. Measures are left out as by `find_detectors`. Raises
    UnavailableError where that raises FacecondError, CheckpointError for weights that are not what they should be.
    """
    needed, fit = set(also), dict(measures)
    missed: dict[str, FacecondError] = {}
    loaded: dict[str, Detector] = {}
    for kind, candidates in found.items():
        try:
            source, detector = _load(kind, candidates, config, device, used)
        except UnavailableError as reason:
            if kind in needed or config.strict or DETECTORS[kind].named(config):
                raise
            missed |= _taken(fit, looking_with(kind, fit), reason)
            used.pop(kind, None)
            continue
        loaded[kind] = detector
        if not source.classes:
            without = UnavailableError(
                f"{detector.name} tells no classes of ImageNet",
                hint="name Inception's file (inception=FILE), or pip install 'facecond[features]'",
            )
            asking = [name for name, each in looking_with(kind, fit).items() if each.scores.classes]
            missed |= _taken(fit, asking, without)
    _say_missed(fit, missed)
    return fit, loaded


def looking_with(kind: str, measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """Those of the measures that look with the detector called `kind`."""
    return {name: each for name, each in measures.items() if each.scores.detector == kind}


def _taken(fit: dict[str, Measure], names: Iterable[str], reason: FacecondError) -> dict[str, FacecondError]:
    """Take measures out of `fit`; return them with the reason."""
    return {name: reason for name in names if fit.pop(name)}


def _say_missed(fit: Mapping[str, Measure], missed: Mapping[str, FacecondError]) -> None:
    """Warn of the measures that are left out, a line for each reason. Raises the first reason when nothing is left."""
    if missed and not fit:
        raise next(iter(missed.values()))
    for reason in dict.fromkeys(missed.values()):
        names = [name for name, why in missed.items() if why is reason]
        log.warning("warning: %s %s left out: %s", ", ".join(names), "is" if len(names) == 1 else "are", reason)


def _load(
    kind: str, candidates: Candidates, config: EvalConfig, device: torch.device, used: dict[str, str]
) -> tuple[Source, Detector]:
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
            return source, detector
    raise reasons[0]


def identity(candidates: Candidates) -> str:
    """What tells the weights that may be looked with from others: the SHA-256 of each, or, while it is not here, its file.

    Of those that are here only the first can be meant.
    """
    names = []
    for _, found in candidates:
        file = weights_in(found.path)
        names.append(sha256_file(file) if file.is_file() else file.name)
        if file.is_file():
            break
    return " ".join(names)
