"""Judges for photographs: a parser that reads one picture at a time, and who says which attributes are there."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from facecond.assembly.judges import load_classifier, load_parser
from facecond.config.commands.photographs import Align
from facecond.faces.attributes import ATTRIBUTES
from facecond.judges.parser import Parser, parse_at
from facecond.photos.frame import cut
from facecond.photos.reading import ParsedFace, read_face
from facecond.workspace.judges import size_learnt_at


class PhotoParser:
    """A face parser for single pictures; see `photos.reading.Parse`."""

    def __init__(self, place: Path, device: torch.device) -> None:
        """Load the parser at `place`, a run or a file of weights."""
        self._judge = load_parser(place, device)
        self.name, self.sha256, self.size = self._judge.name, self._judge.sha256, size_learnt_at(place)

    def __call__(self, image_HWC: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], float]:
        """uint8 (self.size, self.size, 3) -> label map uint8 (size, size), and the mean of the largest probabilities, 0..1."""
        picture_BCHW = torch.from_numpy(image_HWC).to(self._judge.device).permute(2, 0, 1)[None]
        labels_BHW, sure_B = parse_at(cast("Parser", self._judge.network), picture_BCHW, size)
        return labels_BHW[0].cpu().numpy(), float(sure_B[0])


class PhotoClassifier:
    """An attribute classifier for single pictures."""

    def __init__(self, place: Path, device: torch.device) -> None:
        """Load the classifier at `place`, a run or a file of weights."""
        self._judge = load_classifier(place, device)
        self.name, self.sha256, self.size = self._judge.name, self._judge.sha256, size_learnt_at(place)

    def __call__(self, image_HWC: NDArray[np.uint8]) -> list[str]:
        """uint8 (self.size, self.size, 3) -> names of the attributes that are there."""
        (present_A,) = self._judge(image_HWC[None])
        return [name for name, present in zip(ATTRIBUTES, present_A, strict=True) if present]


def read_photograph(
    image_HWC: NDArray[np.uint8], parser: PhotoParser, classifier: PhotoClassifier | None, size: int, align: Align
) -> tuple[ParsedFace, list[str] | None] | None:
    """The face of a photograph, uint8 (H, W, 3), at `size` pixels, and its attributes; None when no face is found."""
    face = read_face(image_HWC, parser, size, align)
    if face is None:
        return None
    return face, classifier(cut(image_HWC, face.frame, classifier.size)) if classifier else None
