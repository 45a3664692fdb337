"""What a folder of synthesized faces holds, as Croissant metadata (JSON-LD, mlcommons.org/croissant/1.0).

`mlcroissant.Dataset("FOLDER/croissant.json").records("faces")` reads the faces with what was told and read of each,
`.records("labels")` and `.records("read")` the label maps, which that library shows in the colours of their palettes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facecond.faces.names import ATTRIBUTES, CLASSES
from facecond.synthesized.folder import FaceRecord
from facecond.synthesized.imagefolder import READ, maps_of, row_of

CONFORMS = "http://mlcommons.org/croissant/1.0"

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format",
            "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
            "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}  # fmt: skip
"""The names that Croissant's specification gives to its terms."""

_KINDS = {int: "sc:Integer", float: "sc:Float", str: "sc:Text"}

_SAID = {
    "index": "Number of the face",
    "name": "Name of its picture",
    "split": "train or validation",
    "seed": "Where all of its noise comes from",
    "person": "Item of the pack whose attributes it was told",
    "asked": "Attributes that were asked for by name",
    "miou": "Mean IoU of the map read with the map told",
    "attributes_right": "Share of the attributes told that were read so",
}

_MAPS = {"labels": "the label map that was told", "read": "the label map that a parser read"}


def croissant(
    name: str, accepted: Sequence[FaceRecord], *, description: str, published: str, licence: str | None
) -> dict[str, Any]:
    """Return the metadata of a folder whose accepted faces have the records `accepted`, one or more.

    `published`: a day, ISO 8601; `licence`: a name or an address, None where nothing is known of it.
    """
    maps = maps_of(accepted[0])
    sets = [_files("metadata", "application/jsonlines", "data/*/metadata.jsonl", "What was told and read of each face")]
    sets += [
        _files(kind, "image/png", f"data/*/{kind}/*.png", words.capitalize())
        for kind, words in {"images": "the faces", **_MAPS}.items()
        if kind in ("images", *maps)
    ]
    records = [
        _record_set(
            "faces", "The faces, with what was told and read of each.", [*_columns(accepted), _picture("images")]
        )
    ]
    records += [
        _record_set(
            kind,
            f"{_MAPS[kind].capitalize()}, pixel value = class: {', '.join(CLASSES)}; 255 = nothing said.",
            [
                _field(kind, "name", "sc:Text", "Name of the face's picture", _property(kind, "filename")),
                _picture(kind),
            ],
        )
        for kind in maps
    ]
    return {
        "@context": _CONTEXT, "@type": "sc:Dataset", "conformsTo": CONFORMS, "name": name, "description": description,
        "datePublished": published, "version": "1.0.0", **({"license": licence} if licence else {}),
        "rai:dataCollection": "Synthesized by a diffusion model from noise; no picture is a photograph.",
        "rai:dataAnnotationAnalysis": "Labels are what the model was told; what a face parser and an attribute classifier read of "
        "each face stands beside it. Faces that did not show what was told were left out.",
        "distribution": sets, "recordSet": records,
    }  # fmt: skip


def _columns(accepted: Sequence[FaceRecord]) -> list[dict[str, Any]]:
    """A field for each column of metadata.jsonl; the one that names the picture joins the two."""
    fields = []
    for key in row_of(accepted[0]):
        if key.endswith("file_name"):
            continue
        kind = {"person": str, "asked": str, "miou": float, "attributes_right": float, "name": str, "split": str}.get(
            key, int
        )
        field = _field(
            "faces", key, _KINDS[kind], _words(key), {"fileSet": {"@id": "metadata-files"}, "extract": {"column": key}}
        )
        if key == "name":
            field["references"] = _property("images", "filename")
        fields.append(field)
    return fields


def _words(key: str) -> str:
    if key in _SAID:
        return _SAID[key]
    name = key.removesuffix(READ) if key not in ATTRIBUTES else key
    return f"{name}, as {'read' if name != key else 'told'}: 1 there, -1 not there, 0 nothing said"


def _files(name: str, encoding: str, includes: str, words: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": f"{name}-files", "name": f"{name}-files", "description": words, "encodingFormat": encoding,
        "includes": includes,
    }  # fmt: skip


def _record_set(name: str, words: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    key = {"@id": f"{name}/name"}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": words,
            "key": key, "field": fields}  # fmt: skip


def _field(of: str, name: str, kind: str, words: str, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field", "@id": f"{of}/{name}", "name": name, "description": words, "dataType": kind, "source": source
    }  # fmt: skip


def _picture(files: str) -> dict[str, Any]:
    of = "faces" if files == "images" else files
    return _field(of, "image", "sc:ImageObject", "The picture", _property(files, "content"))


def _property(files: str, what: str) -> dict[str, Any]:
    return {"fileSet": {"@id": f"{files}-files"}, "extract": {"fileProperty": what}}
