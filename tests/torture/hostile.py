"""Files that are made to do harm: what they run, where they write and read, how long they take."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np

from facecond.errors import DataError
from tests.torture.trials import FOUND, HARMLESS, SILENT, TRACEBACK, Trial

LIMIT = 5.0
"""Seconds a reader may take."""


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.place),)


def _pickled(folder: Path) -> bytes:
    return pickle.dumps(Hostile(folder / "ran"))


def _torch(folder: Path) -> bytes:
    import torch

    content = io.BytesIO()
    torch.save({"state_dict": Hostile(folder / "ran")}, content)
    return content.getvalue()


def _objects(folder: Path) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([Hostile(folder / "ran")], dtype=object), allow_pickle=True)
    return content.getvalue()


def _archive(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escaped", "out")
        archive.writestr("channels.npy", bytes(1 << 26))
        archive.writestr("archive/data.pkl", _pickled(folder))
    return content.getvalue()


def _tar(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("../../escaped")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"out"))
    return content.getvalue()


def _safetensors(header: bytes, size: int | None = None) -> Callable[[Path], bytes]:
    return lambda folder: struct.pack("<Q", len(header) if size is None else size) + header


def _png(width: int, height: int, *more: tuple[bytes, bytes]) -> Callable[[Path], bytes]:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = b"".join(chunk(*each) for each in more)
    return lambda folder: (
        b"\x89PNG\r\n\x1a\n" + head + rest + chunk(b"IDAT", zlib.compress(bytes(1 << 16))) + chunk(b"IEND", b"")
    )


def _text(value: str | bytes) -> Callable[[Path], bytes]:
    return lambda folder: value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _array(header: str, tail: bytes = b"") -> Callable[[Path], bytes]:
    padded = header.encode() + b"\n"
    return lambda folder: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + tail


CONTENTS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": _pickled,
    "a torch file that names a function": _torch,
    "an array of objects": _objects,
    "an archive with a path outside and a bomb": _archive,
    "a tar with a path outside": _tar,
    "nothing": _text(b""),
    "zeros": _text(bytes(4096)),
    "JSON nested deeply": _text("[" * 200_000),
    "JSON objects nested deeply": _text('{"a":' * 200_000),
    "a JSON number of a million digits": _text("9" * 1_000_000),
    "JSON with half a character": _text('{"format": "\\ud800", "name\\udfff": "a\\nb"}'),
    "JSON with NaN": _text('{"format": NaN, "version": Infinity}'),
    "JSON that refers elsewhere": _text('{"config": {"workspace": "${oc.env:HOME}"}, "kind": "vq"}'),
    "text that is no UTF-8": _text(b"\xff\xfe\x00{}"),
    "a safetensors header that is longer than the file": _safetensors(b"{}", 1 << 60),
    "a safetensors header that is no JSON": _safetensors(b"[" * 100_000),
    "safetensors that overlap": _safetensors(
        b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}'
    ),
    "safetensors of a huge shape": _safetensors(
        b'{"a":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,16]}}'
    ),
    "a picture that says it is huge": _png(60_000, 60_000),
    "a picture of no height": _png(64, 0),
    "a picture with a text bomb": _png(8, 8, (b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 26)))),
    "PostScript": _text(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(ran) (w) file closefile\n"),
    "an array that says it is huge": _array("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 64), }"),
    "an array with a negative side": _array("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 64), }"),
    "an array header that is code": _array("__import__('os').mkdir('ran')"),
    "an array header nested deeply": _array("(" * 9000),
}

SPECIAL = ("a pipe", "a device", "a link to a device", "a link outside", "a folder", "a link to itself")

READERS: dict[str, str] = {
    "weights.safetensors": "weights", "weights.pth": "foreign", "manifest.json": "pack", "run.json": "run",
    "images.npy": "array", "value.npz": "archive", "picture.png": "picture", "labels.png": "labels", "records.jsonl": "records",
    "results.json": "results", "attributes.csv": "table",
}  # fmt: skip
"""Name of the file -> the reader that gets it."""


def hostile(folder: Path) -> Iterator[Trial]:
    """Give each reader each file; nothing may run, nothing may be read or written outside, and no reader may wait."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, reader in READERS.items():  # so that imports are not counted
        _read(reader, folder / "nowhere" / name, limit=300)
    for number, (name, content) in enumerate(product(READERS, [*CONTENTS, *SPECIAL])):
        place = folder / f"{number:03d}"
        place.mkdir()
        file = place / name
        if content in CONTENTS:
            file.write_bytes(CONTENTS[content](place))
        else:
            _special(file, content)
        before = set(place.iterdir())
        outcome, said = _read(READERS[name], file)
        made = set(place.iterdir()) - before
        escaped = [
            path
            for path in (folder.parent / "escaped", folder / "escaped", place / "ran", Path("ran"))
            if path.exists()
        ]
        if escaped or any(path.name in ("ran", "escaped") for path in made):
            outcome, said = SILENT, f"made {escaped or made}"
        yield Trial(f"{content} as {name}", outcome, said)


def _special(file: Path, what: str) -> None:
    if what == "a pipe":
        os.mkfifo(file)
    elif what == "a folder":
        file.mkdir()
    else:
        target = {"a link outside": "/etc/passwd", "a link to itself": file.name}.get(what, "/dev/zero")
        file.symlink_to(target)


def _read(reader: str, file: Path, limit: float = LIMIT) -> tuple[str, str]:
    import threading

    from facecond.errors import FacecondError

    answer: list[tuple[str, str]] = []

    def work() -> None:
        try:
            _READ[reader](file)
            answer.append((HARMLESS, ""))
        except FacecondError as error:
            answer.append((FOUND if "\n" not in str(error) and str(error) else TRACEBACK, str(error)))
        except BaseException as error:  # would be a traceback for the user
            answer.append((TRACEBACK, f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    return answer[0] if answer else (SILENT, f"took more than {LIMIT} s")


def _weights(file: Path) -> None:
    from facecond.io.checkpoint import is_ours, load_weights
    from facecond.io.sizes import count_values

    is_ours(file)
    for read in (load_weights, count_values):
        read(file)


def _foreign(file: Path) -> None:
    from facecond.interop.foreign import read_tensors

    read_tensors(file)


def _pack(file: Path) -> None:
    from facecond.data.pack import Pack

    Pack.open(file.parent)


def _run(file: Path) -> None:
    from facecond.workspace.find import read_run

    read_run(file.parent)


def _array_of(file: Path) -> None:
    from facecond.sampling.folder import open_images

    open_images(file)


def _values(file: Path) -> None:
    from facecond.conditions.table import CONDITIONS

    CONDITIONS["mask"].recall(file.name, file.parent)


def _picture(file: Path) -> None:
    from facecond.io.images import read_image

    read_image(file)


def _labels(file: Path) -> None:
    from facecond.io.images import read_label_map

    read_label_map(file)


def _records(file: Path) -> None:
    from facecond.sampling.folder import RecordIndex

    RecordIndex(file.parent)


def _results(file: Path) -> None:
    from facecond.io.results import read_results

    read_results(file)


def _table(file: Path) -> None:
    from facecond.data.attribute_files import read_annotation, read_csv

    for read in (read_annotation, lambda path: read_csv(path, ["a"])):
        with suppress(DataError):
            read(file)
    read_csv(file, ["a"])


_READ: dict[str, Callable[[Path], None]] = {
    "weights": _weights, "foreign": _foreign, "pack": _pack, "run": _run, "array": _array_of, "archive": _values,
    "picture": _picture, "labels": _labels, "records": _records, "results": _results, "table": _table,
}  # fmt: skip
