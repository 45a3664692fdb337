"""Only regular, bounded files are opened, and only inside the folder they belong to; nothing waits."""

import os
from pathlib import Path

import pytest

from facecond.conditions.table import CONDITIONS
from facecond.errors import CheckpointError, DataError
from facecond.io.files import inside, open_regular, read_bytes, read_text


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffgrüße\r\n".encode())
    assert read_bytes(tmp_path / "a", most=100) == "\ufeffgrüße\r\n".encode()
    assert read_text(tmp_path / "a") == "grüße\r\n"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_text(tmp_path / "link") == "grüße\r\n"


@pytest.mark.timeout(10)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    for place, said in {
        tmp_path / "pipe": "is a pipe, expected a picture",
        tmp_path / "to-pipe": "is a pipe",
        tmp_path: "is a folder",
        Path("/dev/zero"): "/dev/zero is a device",
        tmp_path / "nothing": "nothing: no such picture",
        tmp_path / "a\0b": "cannot be read",
    }.items():
        with pytest.raises(CheckpointError, match=said):
            open_regular(place, what="picture", error=CheckpointError)


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(DataError, match=r"large has 1099511627776 bytes, expected a table of at most 1000"):
        read_bytes(tmp_path / "large", what="table", most=1000)
    with pytest.raises(DataError, match=r"more than 5 bytes"):  # /proc tells no sizes
        read_bytes("/proc/self/status", most=5)
    whole = read_bytes("/proc/self/status", most=1 << 20)
    assert whole.startswith(b"Name:")
    assert whole.endswith(b"\n")


def test_text_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="a: not text in UTF-8"):
        read_text(tmp_path / "a")


def test_names_lead_into_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "secret").write_text("")
    (folder / "there").symlink_to(folder / "deep")
    (folder / "out").symlink_to(tmp_path)
    assert inside(folder, "deep/a.png", of="records.jsonl") == folder / "deep" / "a.png"
    assert inside(folder, "there/a.png", of="records.jsonl") == folder / "there" / "a.png"
    for name in ("", ".", "..", "../secret", "deep/../../secret", "/etc/passwd", "a\nb", "a\udcffb", "a\0b"):
        with pytest.raises(DataError, match=r"records\.jsonl: .* is no file of"):
            inside(folder, name, of="records.jsonl")
    with pytest.raises(DataError, match="leads out of"):
        inside(folder, "out/secret", of="records.jsonl")


@pytest.mark.parametrize("condition", ["mask", "sketch"])
def test_records_read_inside_their_folder(tmp_path: Path, condition: str) -> None:
    (tmp_path / "generation").mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    for name in ("../secret.png", "/etc/passwd", str(tmp_path / "secret.png")):
        with pytest.raises(DataError, match=rf"a record of .*generation, {condition}: .* is no file of"):
            CONDITIONS[condition].recall(name, tmp_path / "generation")
