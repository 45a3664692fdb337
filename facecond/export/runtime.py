"""onnxruntime-web, which runs exported networks in a browser: found on this machine, or fetched once; no part of this program.

One version is pinned, with the SHA-256 of its archive and of the three files an export takes from it: code that will run in
people's browsers is compared byte by byte, wherever it comes from.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.request
from pathlib import Path

from facecond.errors import ConfigError, DataError
from facecond.io.files import atomic_write, read_bytes, sha256_file

VERSION = "1.30.0"

NAME = f"onnxruntime-web-{VERSION}.tgz"

ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/{NAME}"

ARCHIVE = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
"""SHA-256 of the archive, as `npm pack` writes it too."""

FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""What an export takes from `dist`, with the SHA-256 of each: the build for processors, with and without threads."""

LICENCE = """\
onnxruntime-web {version}: MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
"""What must accompany its files; its archive holds no such file."""

MOST = 64 << 20
"""Bytes of the archive, and of each file."""

TIMEOUT = 60.0
"""Seconds without an answer after which fetching is given up."""


def cache() -> Path:
    """Where the archive is kept once it was fetched: XDG_CACHE_HOME/facecond, or ~/.cache/facecond."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facecond" / NAME


def where(named: str | None) -> str:
    """What will be used, in words. Raises ConfigError when what is named is not there."""
    if named is not None:
        if not Path(named).exists():
            raise ConfigError(
                f"runtime={named}: no such file or folder",
                hint=f"name onnxruntime-web {VERSION}: the .tgz that `npm pack onnxruntime-web@{VERSION}` writes, or its folder",
            )
        return f"onnxruntime-web {VERSION} ({named}, named)"
    return f"onnxruntime-web {VERSION} ({f'{cache()}, fetched before' if cache().is_file() else 'fetched once'})"


def read_runtime(named: str | None) -> dict[str, bytes]:
    """The files of onnxruntime-web by name, from a folder or .tgz that is `named`, from the cache, or fetched into it.

    Raises DataError for files of another version, ConfigError when it cannot be fetched.
    """
    place = _fetched() if named is None else Path(named)
    files = _unpacked(place) if place.is_file() else _read(place)
    for name, content in files.items():
        if (found := hashlib.sha256(content).hexdigest()) != FILES[name]:
            raise DataError(
                f"{place}: {name} is not that of onnxruntime-web {VERSION} (SHA-256 {found[:12]}, expected {FILES[name][:12]})",
                hint=f"npm pack onnxruntime-web@{VERSION}, and name what it writes: runtime={NAME}",
            )
    return files


def _read(folder: Path) -> dict[str, bytes]:
    places = [folder, folder / "dist", folder / "package" / "dist"]
    place = next((each for each in places if (each / next(iter(FILES))).is_file()), folder)
    hint = f"expected the folder of onnxruntime-web {VERSION}: node_modules/onnxruntime-web, for example"
    return {name: read_bytes(place / name, most=MOST, hint=hint) for name in FILES}


def _unpacked(archive: Path) -> dict[str, bytes]:
    """The files in an archive, which is compared before it is opened."""
    if archive.stat().st_size > MOST or (found := sha256_file(archive)) != ARCHIVE:
        said = "too large" if archive.stat().st_size > MOST else f"SHA-256 {found[:12]}, expected {ARCHIVE[:12]}"
        raise DataError(
            f"{archive} is not onnxruntime-web {VERSION} as npm has it ({said})",
            hint=f"npm pack onnxruntime-web@{VERSION}",
        )
    files = {}
    with tarfile.open(archive, "r:gz") as members:
        for name in FILES:
            stream = members.extractfile(f"package/dist/{name}")
            assert stream is not None
            files[name] = stream.read()
    return files


def _fetched() -> Path:
    place = cache()
    if place.is_file() and sha256_file(place) == ARCHIVE:
        return place
    elsewhere = f"where there is a network: npm pack onnxruntime-web@{VERSION}; then here: runtime={NAME}"
    try:
        with urllib.request.urlopen(ADDRESS, timeout=TIMEOUT) as answer:
            content = answer.read(MOST + 1)
    except OSError as reason:
        why = getattr(reason, "reason", reason)
        raise ConfigError(f"onnxruntime-web {VERSION} cannot be fetched: {why}", hint=elsewhere) from reason
    if (found := hashlib.sha256(content).hexdigest()) != ARCHIVE:
        raise DataError(f"{ADDRESS} has SHA-256 {found[:12]}, expected {ARCHIVE[:12]}", hint=elsewhere)
    with atomic_write(place) as temporary:
        temporary.write_bytes(content)
    return place
