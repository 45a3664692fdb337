"""Arrays on the disk: opened as what they should be, and compared with what was written."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facecond.errors import DataError
from facecond.io import arrays
from facecond.io.arrays import create_array, open_array, read_archive, require_unaltered
from facecond.io.documents import write_json
from facecond.io.files import sha256_file


def test_what_was_made_is_opened(tmp_path: Path) -> None:
    array = create_array(tmp_path / "a.npy", np.float32, (2, 3))
    array[:] = 5
    array.flush()
    opened = open_array(tmp_path / "a.npy", np.float32, (2, None))
    np.testing.assert_array_equal(opened, np.full((2, 3), 5, np.float32))
    assert not opened.flags.writeable


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3), np.float64), r"is float64 \(2, 3\), expected float32 \(2, 3\)"),
        (np.zeros((2, 4), np.float32), r"is float32 \(2, 4\), expected float32 \(2, 3\)"),
        (np.zeros(6, np.float32), r"is float32 \(6,\), expected"),
        (np.asfortranarray(np.zeros((2, 3), np.float32)), "Fortran order"),
        (np.array([["a"] * 3] * 2, object), "cannot be read as an array"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=rf"a\.npy:? .*{said}|a\.npy {said}"):
        open_array(tmp_path / "a.npy", np.float32, (2, 3))


def header(text: str) -> bytes:
    """The head of an array file of version 1, with any text for its dictionary."""
    padded = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x93NUMPY", b"PK\x03\x04", b"{}", header("{"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**30, 3), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3), }"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }") + b"cos\nsystem\n",
        header("__import__('os').system('touch /tmp/never')"),
    ],
    ids=range(11),
)  # fmt: skip
def test_damaged_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npy: cannot be read as an array") as caught:
        open_array(tmp_path / "a.npy", np.float32, (2, 3))
    assert "\n" not in caught.value.message


def test_a_tail_and_an_archive_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.float32))
    with (tmp_path / "a.npy").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(DataError, match=r"has 156 bytes, expected 152"):
        open_array(tmp_path / "a.npy", np.float32, (2, 3))
    with (tmp_path / "b.npy").open("wb") as stream:
        np.savez(stream, a=np.zeros(3))
    with pytest.raises(DataError, match="archive of several"):
        open_array(tmp_path / "b.npy", np.float32)


def test_archives(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, one=np.arange(3), two=np.ones(2, np.uint8))
    found = read_archive(file, ("one", "two"), most=1 << 20)
    np.testing.assert_array_equal(found["one"], np.arange(3))
    with pytest.raises(DataError, match=r"a\.npz: cannot be read: .*three"):
        read_archive(file, ("three",), most=1 << 20)
    content = io.BytesIO()
    np.save(content, np.zeros(1 << 22, np.uint8))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.npy", content.getvalue())
    assert file.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="one has 4194432 bytes, expected at most 1048576"):
        read_archive(file, ("one",), most=1 << 20)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read whole."""
    names: list[str] = []

    def counted(path: Path) -> str:
        names.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(arrays, "sha256_file", counted)
    return names


def test_files_are_read_once_and_again_when_written(tmp_path: Path, looked: list[str]) -> None:
    file = tmp_path / "a.npy"
    file.write_bytes(b"one")
    hashes = {"a.npy": sha256_file(file)}
    require_unaltered(tmp_path, hashes)
    require_unaltered(tmp_path, hashes)
    assert looked == ["a.npy"]
    require_unaltered(tmp_path, hashes, again=True)
    assert looked == ["a.npy"] * 2
    times = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # ctime gives it away
    with pytest.raises(
        DataError, match=r"a\.npy was altered: its SHA-256 is 3fc4ccfe7458, when it was written it was 7692c3ad3540"
    ):
        require_unaltered(tmp_path, hashes, hint="make it anew")


def test_a_wrong_memory_is_none(tmp_path: Path, looked: list[str]) -> None:
    file = tmp_path / "a.npy"
    file.write_bytes(b"one")
    hashes = {"a.npy": sha256_file(file)}
    for memory in ("", "[1]", '{"a.npy": 1}', '{"a.npy": [1]}'):
        arrays._compared.clear()  # as in another process
        (tmp_path / arrays.MEMORY).write_text(memory)
        require_unaltered(tmp_path, hashes)
    assert looked == ["a.npy"] * 4
    arrays._compared.clear()
    write_json(tmp_path / arrays.MEMORY, {"a.npy": ["x"] * 6})
    require_unaltered(tmp_path, hashes)
    assert looked == ["a.npy"] * 5
