import hashlib
import os
import subprocess
import sys
import tracemalloc

import pytest

from facecond.errors import CheckpointError, DataError
from facecond.io.documents import Record, read_json, write_json
from facecond.io.files import atomic_write, read_bytes, sha256_file


def test_sha256_of_known_texts(tmp_path):
    # FIPS 180-2, appendix B: the digest of "abc", and of a million times "a".
    (tmp_path / "abc").write_bytes(b"abc")
    (tmp_path / "million").write_bytes(b"a" * 1_000_000)
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "million") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


def test_sha256_across_chunks(tmp_path):
    content = os.urandom((1 << 20) * 2 + 17)
    (tmp_path / "big").write_bytes(content)
    assert sha256_file(tmp_path / "big") == hashlib.sha256(content).hexdigest()


def test_no_more_memory_is_taken_for_a_small_file_than_it_has(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    tracemalloc.start()
    assert read_bytes(tmp_path / "file", most=1 << 40) == b"x" * 1000
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "figures.bin"
    for content in (b"first", b"second"):
        with atomic_write(path) as temporary:
            assert temporary.suffix == ".bin"
            temporary.write_bytes(content)
        assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == ["figures.bin"]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "figures.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("new, but torn")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["figures.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "figures.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom facecond.io.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('new, but torn')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert path.read_text() == "old"


def test_json_round_trip(tmp_path):
    value = {"name": "Å", "figures": [1, 2.5, None, True]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json", Record) == value
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"loss": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_json_errors_name_the_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: no such file") as caught:
        read_json(tmp_path / "gone.json", Record, hint="run `facecond data pack` first")
    assert "data pack" in str(caught.value)
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(CheckpointError, match=r"torn\.json: not valid JSON"):
        read_json(tmp_path / "torn.json", Record, error=CheckpointError)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.json: not text in UTF-8"):
        read_json(tmp_path / "binary.json", Record)
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_json(tmp_path, Record)
