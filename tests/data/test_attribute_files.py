from pathlib import Path

import numpy as np
import pytest

from facecond.data.attribute_files import read_annotation, read_csv, write_csv
from facecond.errors import DataError
from facecond.faces.attributes import ATTRIBUTES

SHARED = Path(__file__).parents[3] / "shared" / "real"


def annotation(path, rows, names=ATTRIBUTES, count=None):
    path.write_text("\n".join([str(len(rows) if count is None else count), " ".join(names), *rows]) + "\n")
    return path


def test_annotation_with_two_spaces_after_the_name(tmp_path):
    values = np.where(np.arange(40) % 3 == 0, 1, -1)
    path = annotation(tmp_path / "a.txt", ["12.jpg  " + " ".join(map(str, values))], count=30_000)
    table = read_annotation(path)
    assert list(table) == ["12"]
    assert table["12"].dtype == np.int8
    assert table["12"].tolist() == values.tolist()


def test_annotation_columns_go_by_name(tmp_path):
    names = list(reversed(ATTRIBUTES))
    path = annotation(tmp_path / "a.txt", ["0.jpg  " + " ".join(["1"] + ["-1"] * 39)], names)
    assert read_annotation(path)["0"].tolist() == [-1] * 39 + [1]


@pytest.mark.parametrize(
    ("rows", "names", "expected"),
    [
        (["0.jpg  1 -1"], ATTRIBUTES, "line 3: expected a name and 40 values, found 3 words"),
        (["0.jpg  " + "2 " * 40], ATTRIBUTES, "line 3: 5_o_Clock_Shadow is '2'"),
        ([], ATTRIBUTES[:39], "should name the 40 attributes"),
        ([], (*ATTRIBUTES[:39], "Jung"), "should name the 40 attributes"),
        ([], (*ATTRIBUTES[:39], "Male"), "two columns are named Male"),
    ],
)
def test_annotation_errors(tmp_path, rows, names, expected):
    with pytest.raises(DataError, match=expected):
        read_annotation(annotation(tmp_path / "a.txt", rows, names))


def test_annotation_that_is_something_else(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    with pytest.raises(DataError, match="line 1 should be a number"):
        read_annotation(tmp_path / "a.txt")
    with pytest.raises(DataError, match="no such attribute file"):
        read_annotation(tmp_path / "b.txt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,Smiling\n", "a row per picture"),
        ("name,Smile_Width\na,1\n", "no column is named by an attribute"),
        ("name,Smiling\nz,1\n", "no column holds the names"),
        ("name,Smiling\na,0\nb,1\n", "written as 0 and 1"),
        ("name,Smiling\na,yes\n", "line 2: Smiling is 'yes'"),
        ("name,Smiling\na,1,1\n", "line 2: 3 cells under 2"),
        ("name,Smiling,smiling\na,1,1\n", "two columns are named Smiling"),
    ],
)
def test_csv_errors(tmp_path, text, expected):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=expected):
        read_csv(tmp_path / "a.csv", ["a", "b"])


def test_csv_empty_cells_are_unknown(tmp_path):
    (tmp_path / "a.csv").write_text("id,Young,Wavy Hair\na,,-1\nb,1,\n")
    table = read_csv(tmp_path / "a.csv", ["a", "b"])
    assert [table[item][[39, 33]].tolist() for item in "ab"] == [[0, -1], [1, 0]]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the annotation files are not here")
def test_both_files_of_the_real_release_agree():
    official = read_annotation(SHARED / "anno" / "CelebAMask-HQ-attribute-anno.txt")
    assert len(official) == 30_000
    some = read_csv(SHARED / "indexed" / "attributes.csv", [str(index) for index in range(30_000)])
    assert len(some) == 62
    for item, vector in some.items():
        np.testing.assert_array_equal(vector, official[item])


def test_what_is_written_is_read_again(tmp_path):
    values = np.random.default_rng(0).choice([-1, 1], (3, 40)).astype(np.int8)
    names = ["a.b.png", 'with, "signs".png', "c.png"]
    write_csv(tmp_path / "a.csv", dict(zip(names, values, strict=True)))
    table = read_csv(tmp_path / "a.csv", ["a.b", 'with, "signs"', "c"])
    assert [table[name].tolist() for name in ("a.b", 'with, "signs"', "c")] == values.tolist()
