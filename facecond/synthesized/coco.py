"""Faces as COCO files: the parts of each as instances, and all of it as a panoptic segmentation.

Masks are exact: run lengths in column-major order, as COCO's format defines them (pycocotools' `mask` reads them), never polygons,
which cannot follow single pixels. Area and box are those of the mask's pixels. Categories 1 to 18 are the parts, under the numbers
they have in label maps; the panoptic files also have the background, as category 19, and void (0) where nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.faces.names import CLASSES, NUM_CLASSES

BACKGROUND = NUM_CLASSES
"""Category of the background in panoptic files; their 0 is void."""

STUFF = ("background", "skin", "neck", "cloth", "hair")
"""Classes that have no countable form; the other parts are things, of which a face has at most one."""


class Labelled(NamedTuple):
    """A picture and its label map."""

    number: int
    """Of the picture, from 1."""
    file: str
    """Place of the picture in the folder."""
    labels_HW: NDArray[np.uint8]


def instances(faces: Iterable[Labelled], about: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an instances file: one annotation for each part that a face has."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for face in faces:
        images.append(_image(face))
        for part in _present(face.labels_HW):
            if part:
                mask_HW = face.labels_HW == part
                annotations.append({
                    "id": len(annotations) + 1, "image_id": face.number, "category_id": part, "iscrowd": 0,
                    "area": int(mask_HW.sum()), "bbox": box(mask_HW), "segmentation": run_lengths(mask_HW),
                })  # fmt: skip
    categories = [{"id": k, "name": CLASSES[k], "supercategory": "face"} for k in range(1, NUM_CLASSES)]
    return {"info": about, "images": images, "annotations": annotations, "categories": categories}


def panoptic(faces: Iterable[Labelled], about: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a panoptic file; the pictures it names are those of `panoptic_picture`, called as the faces are."""
    images, annotations = [], []
    for face in faces:
        images.append(_image(face))
        segments = []
        for part in _present(face.labels_HW):
            mask_HW = face.labels_HW == part
            category = part or BACKGROUND
            segments.append({
                "id": category, "category_id": category, "iscrowd": 0, "area": int(mask_HW.sum()), "bbox": box(mask_HW),
            })  # fmt: skip
        name = face.file.rpartition("/")[2]
        annotations.append({"image_id": face.number, "file_name": name, "segments_info": segments})
    named = [*((k, CLASSES[k]) for k in range(1, NUM_CLASSES)), (BACKGROUND, CLASSES[0])]
    categories = [
        {
            "id": number,
            "name": name,
            "supercategory": "face" if number < NUM_CLASSES else "scene",
            "isthing": int(name not in STUFF),
        }
        for number, name in named
    ]
    return {"info": about, "images": images, "annotations": annotations, "categories": categories}


def panoptic_picture(labels_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ids of segments as a picture, uint8 (H, W, 3): id = R + 256 G + 65536 B."""
    ids_HW = np.where(labels_HW == 0, BACKGROUND, labels_HW)
    picture = np.zeros((*labels_HW.shape, 3), dtype=np.uint8)
    picture[..., 0] = np.where(labels_HW < NUM_CLASSES, ids_HW, 0)
    return picture


def run_lengths(mask_HW: NDArray[np.bool_]) -> dict[str, Any]:
    """Return a mask as COCO writes run lengths: columns one after another, runs of 0 and 1 in turn, 0 first."""
    column_N = np.concatenate([[0], mask_HW.T.ravel().astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(column_N))
    counts = np.diff(np.concatenate([[0], edges, [mask_HW.size]]))
    if len(edges) and edges[-1] == mask_HW.size:  # it ends with a run of 1
        counts = counts[:-1]
    return {"size": list(mask_HW.shape), "counts": [int(count) for count in counts]}


def box(mask_HW: NDArray[np.bool_]) -> list[int]:
    """Return left, top, width and height of a mask with pixels in it."""
    rows, columns = (np.flatnonzero(mask_HW.any(axis=axis)) for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _present(labels_HW: NDArray[np.uint8]) -> list[int]:
    return [int(part) for part in np.unique(labels_HW) if part < NUM_CLASSES]


def _image(face: Labelled) -> dict[str, Any]:
    height, width = face.labels_HW.shape
    return {"id": face.number, "file_name": face.file, "width": width, "height": height}
