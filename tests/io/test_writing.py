"""What cannot be written is named in one line, and what was there stays whole."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from facecond.errors import StorageError
from facecond.io.documents import Record, RecordWriter, read_records, write_json
from facecond.io.files import atomic_write, explained, require_writable


def test_a_full_disk_is_named_with_the_file_and_the_room(tmp_path: Path) -> None:
    """/dev/full is a disk without room."""
    file = tmp_path / "a.json"
    file.write_text("old")

    def write() -> None:
        with atomic_write(file) as temporary, Path("/dev/full").open("w") as stream:
            temporary.write_text("half")
            stream.write("half")
            stream.flush()

    with pytest.raises(StorageError, match=r"a\.json cannot be written: the disk is full \(\d+ bytes are free\)"):
        write()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "there is no permission to write there"),
        (errno.EDQUOT, r"the quota is used up \("),
        (errno.EIO, "the disk reports an error"),
    ],
)
def test_other_reasons_are_named(tmp_path: Path, number: int, said: str) -> None:
    with pytest.raises(StorageError, match=rf"a\.png cannot be written: {said}"), explained(tmp_path / "a.png"):
        raise OSError(number, os.strerror(number), str(tmp_path / "a.png"))


def test_what_fails_elsewhere_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic_write(tmp_path / "copy"):
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/else/source.png")


def test_a_record_that_has_no_room_is_taken_back(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from facecond.io.documents import RecordWriter\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\n"
        "with RecordWriter(sys.argv[1]) as writer:\n"
        "    for index in range(9): writer.write({'index': index})\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "records.jsonl")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert "StorageError" in done.stderr
    whole = read_records(tmp_path / "records.jsonl", Record)
    assert [record["index"] for record in whole] == list(range(len(whole)))
    assert (tmp_path / "records.jsonl").read_bytes().endswith(b"\n")
    with RecordWriter(tmp_path / "records.jsonl") as writer:
        writer.write({"index": len(whole)})
    assert len(read_records(tmp_path / "records.jsonl", Record)) == len(whole) + 1


def test_folders_below_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="a part of the path is a file"):
            require_writable(place)
    require_writable(tmp_path / "new" / "deeper")
    with pytest.raises(StorageError, match=r"b\.json cannot be written: a part of the path is a file"):
        write_json(tmp_path / "file" / "b.json", {})


def test_a_workspace_that_is_read_only_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    with pytest.raises(StorageError, match=r"outputs cannot be written: there is no permission"):
        require_writable(tmp_path / "outputs")


def test_a_command_whose_files_have_no_room_says_which_and_goes_on_later(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "facecond", "data", "draw", "data.count=24", f"workspace={tmp_path / 'outputs'}"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    stopped = subprocess.run(words, check=False, capture_output=True, text=True, preexec_fn=limit)
    assert stopped.returncode == 2, stopped.stderr
    last = stopped.stderr.strip().splitlines()[-1]
    assert "images.npy cannot be written: a file may not become that large here" in last
    again = subprocess.run(words, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
