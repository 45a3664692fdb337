import json
from pathlib import Path

import pytest

from facecond.errors import DataError
from facecond.io.documents import Record, RecordWriter, keep_records, last_lines, read_records, write_records
from facecond.io.runs import read_last


def test_round_trip_and_append(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    assert read_records(path, Record) == []
    with RecordWriter(path) as writer:
        writer.write({"images_seen": 48, "loss": 0.5})
    with RecordWriter(path) as writer:
        writer.write({"images_seen": 96, "loss": float("nan"), "per_class": [1.0, float("inf")]})
    assert read_records(path, Record) == [
        {"images_seen": 48, "loss": 0.5},
        {"images_seen": 96, "loss": None, "per_class": [1.0, None]},
    ]
    assert [json.loads(line)["images_seen"] for line in path.read_text().splitlines()] == [48, 96]


def test_torn_last_line_is_dropped_and_cut_off(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": 3')
    assert read_records(path, Record) == [{"a": 1}, {"a": 2}]
    with RecordWriter(path) as writer:
        writer.write({"a": 4})
    assert path.read_text() == '{"a": 1}\n{"a": 2}\n{"a": 4}\n'
    path.write_text('{"a": 1')
    with RecordWriter(path) as writer:
        writer.write({"a": 5})
        writer.write({"a": 6})
    assert path.read_text() == '{"a": 5}\n{"a": 6}\n'


def test_records_are_there_before_the_writer_closes(tmp_path):
    writer = RecordWriter(tmp_path / "metrics.jsonl")
    writer.write({"a": 1})
    assert read_records(tmp_path / "metrics.jsonl", Record) == [{"a": 1}]
    writer.close()


def test_damage_in_the_middle_is_an_error(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl, line 2"):
        read_records(path, Record)
    path.write_text("[1, 2]\n")
    with pytest.raises(DataError, match="line 1: expected a JSON object, found list"):
        read_records(path, Record)


def test_a_line_whose_checksum_lost_its_name(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with RecordWriter(path) as writer:
        writer.write({"a": 1})  # as an older version wrote it
    with RecordWriter(path, checksum=True) as writer:
        for number in (2, 3):
            writer.write({"a": number})
    assert read_records(path, Record) == [{"a": 1}, {"a": 2}, {"a": 3}]
    *lines, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, last.replace("checksum", "checksul")]))
    with pytest.raises(DataError, match="line 3 was altered: it has no checksum, lines before it have one"):
        read_records(path, Record)


def test_keep_records(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_records(path, [{"images_seen": seen} for seen in (48, 96, 144)])
    with path.open("a") as stream:
        stream.write('{"images_seen": 19')
    assert keep_records(path, Record, lambda record: record["images_seen"] <= 96) == [
        {"images_seen": 48},
        {"images_seen": 96},
    ]
    assert path.read_text() == '{"images_seen": 48}\n{"images_seen": 96}\n'
    assert keep_records(tmp_path / "none.jsonl", Record, lambda record: True) == []
    assert not (tmp_path / "none.jsonl").exists()


def test_the_last_lines_are_read_from_the_end(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    assert list(last_lines(file)) == []
    file.write_bytes(b'{"a": 1}\n\n{"a": 2}\n{"a": 3}\n{"a": ')
    assert list(last_lines(file)) == [b'{"a": 3}', b'{"a": 2}', b'{"a": 1}']
    assert list(last_lines(file, most=16)) == [
        b'{"a": 3}'
    ]  # what stands before is not read, nor a line that begins there
    file.write_bytes(b'{"a": 1}')
    assert list(last_lines(file)) == []


def test_of_curves_the_last_line_and_the_last_evaluation_are_read(tmp_path: Path) -> None:
    assert read_last(tmp_path) == (None, None)
    file = tmp_path / "metrics.jsonl"
    lines = [
        {"images_seen": seen, "kind": kind} for seen, kind in ((8, "evaluation"), (16, "training"), (24, "training"))
    ]
    write_records(file, lines, checksum=True)
    assert read_last(tmp_path) == (lines[2], lines[0])
    write_records(file, [*lines, {"images_seen": 24, "kind": "evaluation", "loss": None}], checksum=True)
    last, evaluation = read_last(tmp_path)
    assert last == evaluation == {"images_seen": 24, "kind": "evaluation", "loss": None}
    text = file.read_text().replace(
        '"images_seen": 24, "kind": "evaluation"', '"images_seen": 25, "kind": "evaluation"'
    )
    file.write_text(text)
    with pytest.raises(DataError, match=r"metrics\.jsonl, a line near its end was altered"):
        read_last(tmp_path)
