"""A photograph becomes an aligned face with its label map: find, parse, lay the frame by eyes and mouth, parse again.

The parser itself gives the landmarks: it must see eyes and a mouth anyway, and no second network with weights of its own is
needed. It was taught faces that are framed already, so that it is shown the detector's rough frame first, and its answer moves
the frame, twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import hypot
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facecond.config.commands.photographs import Align
from facecond.faces.checks import Problem, check_labels_of_a_face
from facecond.photos.detect import FoundFace, find_faces
from facecond.photos.frame import Frame, central_frame, cut, fills, frame_by, landmarks_of

ROUNDS = 2
"""How often the frame is laid anew by eyes and mouth."""

FARTHEST, LARGEST = 0.4, 2.0
"""Frames laid by eyes and mouth whose centre is farther from that of the frame they were seen in (share of its side), or whose
side is more times as large or as small, are taken for none."""

BOX_OFF, BOX_LARGER = 0.12, 1.33
"""How far a frame by the detector may be from one that it agrees with: centre (share of the side), side (ratio)."""

MOST_FACES = 8
"""Faces of one photograph that are parsed to see which is the largest: the detector's boxes do not say it well."""


class FramedBy(Enum):
    """What a frame was laid by."""

    landmarks = "eyes and mouth"
    box = "box of the face"
    picture = "whole picture"


class Parse(Protocol):
    """A face parser for single pictures."""

    size: int
    """Pixels of the side of pictures it reads."""

    def __call__(self, image_HWC: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], float]:
        """uint8 (self.size, self.size, 3) -> label map uint8 (size, size), and the mean of the largest probabilities, 0..1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ParsedFace:
    """One face of a photograph, framed and parsed."""

    frame: Frame
    framed_by: FramedBy
    image_HWC: NDArray[np.uint8]
    """uint8 (size, size, 3)."""
    labels_HW: NDArray[np.uint8]
    """uint8 (size, size), class 0..18."""
    confidence: float
    """Mean over the pixels of the largest probability, 0..1."""
    findings: list[Problem]
    """What looks wrong, with names of `faces.checks.PROBLEMS` or FINDINGS."""


FINDINGS: dict[str, str] = {
    "several_faces": "the photograph shows several faces; the largest was taken",
    "no_landmarks": "no two eyes above a mouth were seen; framed by the box of the face, or as the picture is",
    "beyond_edge": "the frame reaches beyond the photograph, which is mirrored and blurred there",
}
"""Findings about photographs, beside the PROBLEMS of label maps and pictures."""

EDGE = 0.01
"""Share of a frame that may lie beyond the photograph without a word."""


def read_face(image_HWC: NDArray[np.uint8], parse: Parse, size: int, align: Align = Align.auto) -> ParsedFace | None:
    """Frame and parse the face of a photograph, uint8 (H, W, 3), at `size` pixels; None when no face is found.

    `never` takes the central square. `always` lays the frame by eyes and mouth of the largest face. `auto` does so unless the
    central square is framed already: eyes and mouth are where CelebA-HQ has them (`frame.fills`), and the detector sees no
    face anywhere else, since a parser that only knows framed faces may see them where they always are.
    """
    whole = central_frame(*image_HWC.shape[:2])
    if align is Align.never:
        return _finish(image_HWC, parse, size, whole, FramedBy.picture, 1)
    faces = find_faces(image_HWC)
    if align is Align.auto:
        laid = _lay(image_HWC, parse, whole)
        framed = laid is not None and fills(laid, whole)
        near = any(_agree(face.frame, whole) for face in faces)
        elsewhere = any(face.sure for face in faces) and not near
        if (framed and not elsewhere) or (laid is None and near):
            return _finish(image_HWC, parse, size, whole, FramedBy.picture, _count(faces))
    laid_by_landmarks = [frame for face in faces[:MOST_FACES] if (frame := _settle(image_HWC, parse, face.frame))]
    if laid_by_landmarks:
        largest = max(laid_by_landmarks, key=lambda frame: frame.side)
        return _finish(image_HWC, parse, size, largest, FramedBy.landmarks, _count(faces))
    sure = [face.frame for face in faces if face.sure]
    return _finish(image_HWC, parse, size, sure[0], FramedBy.box, len(sure)) if sure else None


def _settle(image_HWC: NDArray[np.uint8], parse: Parse, rough: Frame) -> Frame | None:
    """A rough frame, laid anew by eyes and mouth as often as ROUNDS says; None when they are not seen."""
    frame: Frame | None = rough
    for _ in range(ROUNDS):
        frame = _lay(image_HWC, parse, frame) if frame else None
    return frame


def _lay(image_HWC: NDArray[np.uint8], parse: Parse, frame: Frame) -> Frame | None:
    """The frame by eyes and mouth of what `frame` shows; None when it shows none, or so far off that they are none."""
    labels_HW, _ = parse(cut(image_HWC, frame, parse.size), parse.size)
    landmarks = landmarks_of(labels_HW)
    if landmarks is None:
        return None
    laid = frame.within(frame_by(landmarks), parse.size)
    off = hypot(laid.x - frame.x, laid.y - frame.y) / frame.side
    return laid if off < FARTHEST and 1 / LARGEST < laid.side / frame.side < LARGEST else None


def _agree(box: Frame, whole: Frame) -> bool:
    """Say whether a frame by the detector may be `whole`, within what the detector is off by."""
    return (
        hypot(box.x - whole.x, box.y - whole.y) < BOX_OFF * whole.side
        and 1 / BOX_LARGER < box.side / whole.side < BOX_LARGER
        and abs(box.roll) < 0.2
    )


def _count(faces: list[FoundFace]) -> int:
    return max(1, sum(face.sure for face in faces))


def _finish(
    image_HWC: NDArray[np.uint8], parse: Parse, size: int, frame: Frame, framed_by: FramedBy, faces: int
) -> ParsedFace:
    labels_HW, confidence = parse(cut(image_HWC, frame, parse.size), size)
    height, width = image_HWC.shape[:2]
    beyond = frame.outside(height, width)
    findings = []
    if faces > 1:
        findings.append(Problem("several_faces", f"{faces} found"))
    if framed_by is FramedBy.box or landmarks_of(labels_HW) is None:
        findings.append(Problem("no_landmarks", f"framed by the {framed_by.value}"))
    if beyond > EDGE:
        findings.append(Problem("beyond_edge", f"{beyond:.0%} of the frame"))
    if round(frame.side) < size:
        findings.append(Problem("enlarged", f"{round(frame.side)} to {size} px"))
    findings += check_labels_of_a_face(labels_HW)
    return ParsedFace(frame, framed_by, cut(image_HWC, frame, size), labels_HW, confidence, findings)
