"""Faces as Hugging Face's `imagefolder`: data/SPLIT/metadata.jsonl beside the pictures, one line a face.

`datasets.load_dataset("imagefolder", data_dir="FOLDER/data")` reads it: `image`, `labels` (the map told), `read` (the map that the
parser read), and for each attribute what was told and, as NAME_read, what the classifier read: -1, 0 (nothing said), 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from facecond.faces.names import ATTRIBUTES
from facecond.synthesized.folder import FaceRecord, attributes_of

READ = "_read"
"""Behind the name of an attribute: as it was read."""


def row_of(record: FaceRecord) -> dict[str, Any]:
    """Return the line of an accepted face; its keys are the same for all faces of a folder."""
    name = f"{record['index']:06d}.png"
    person = (
        None if record["source"] is None else f"item {record['source']}"
    )  # readers of tables take bare numbers for such
    row: dict[str, Any] = {"file_name": f"images/{name}"}
    row |= {f"{kind}_file_name": f"{kind}/{name}" for kind in maps_of(record)}
    row |= {
        "index": record["index"], "name": name, "split": record["split"], "seed": record["seed"], "person": person,
        "asked": record["asked"], "miou": record["miou"], "attributes_right": record["attributes_right"],
    }  # fmt: skip
    for key, ending in (("attributes_told", ""), ("attributes_read", READ)):
        signs = record[key]  # type: ignore[literal-required]
        if signs is not None:
            row |= {f"{each}{ending}": int(value) for each, value in zip(ATTRIBUTES, attributes_of(signs), strict=True)}
    return row


def maps_of(record: FaceRecord) -> list[str]:
    """The kinds of label maps that an accepted face has."""
    return [kind for kind in ("labels", "read") if record[kind] is not None]


def card(name: str, lines: Iterable[str]) -> str:
    """Return the text of README.md: where the splits are, for the Hub's viewer, and what the faces are."""
    head = ["---", "configs:", "- config_name: default", "  data_dir: data", "---", f"# {name}", ""]
    return "\n".join([*head, *lines]) + "\n"
