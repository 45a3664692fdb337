"""What reads files that may hold anything is called in few places, where sizes, paths, types and formats are checked."""

import re
from pathlib import Path

import pytest

import facecond

MAY = {
    r"json\.loads?\(": {"io/documents.py"},
    r"np\.(load|fromfile|loadtxt|genfromtxt|memmap)\(|open_memmap": {"io/arrays.py"},
    r"Image\.open\(": {"io/images.py"},
    r"safe_open\(|load_file\(": {"io/checkpoint.py", "io/sizes.py"},
    r"torch\.load\(": {"pretrained/weights.py"},
    r"torch\.jit\.load\(": {"pretrained/inception.py"},  # only where the SHA-256 of the file is the published one
    r"\bpickle\.loads?\(|import (dill|joblib|shelve|marshal)\b": set(),
    r"\b(import|from) (zipfile|tarfile)\b": {
        "io/arrays.py",
        "pretrained/weights.py",
        "export/runtime.py",  # only where the SHA-256 of the archive is the published one
    },
    r"\byaml\.\w*load": set(),
    r"\b(eval|exec)\(": set(),
}
"""Pattern -> modules that may hold it."""

PACKAGE = Path(facecond.__file__).parent


@pytest.mark.parametrize("pattern", MAY)
def test_one_reader(pattern: str) -> None:
    found = {
        str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")
        if re.search(pattern, re.sub(r"(\.|def |`|\")eval\(", "", path.read_text(encoding="utf-8")))
    }  # fmt: skip
    assert found == MAY[pattern]
