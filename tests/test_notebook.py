"""The notebook in docs runs from its first cell to its last, with what comes with the program, and is kept without outputs."""

import ast
from pathlib import Path
from typing import Any

import pytest

from facecond.io.documents import Record, read_json

FILE = Path(__file__).parent.parent / "docs" / "first-faces.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in read_json(FILE, Record)["cells"] if cell["cell_type"] == kind]


def test_it_is_a_notebook_without_outputs() -> None:
    content = read_json(FILE, Record)
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids)
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in cells("code"))
    assert FILE.stat().st_size < 20_000


@pytest.mark.bundled
def test_its_cells_run_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one namespace, as a notebook does: a cell that ends with an expression shows it."""
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    shown: list[Any] = []
    for cell in cells("code"):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, FILE.name, "exec"), known)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), FILE.name, "eval"), known))
    names, smiling, glasses, hair, record, drawn = shown
    assert names == known["generator"].names
    assert [picture.size for picture in (smiling, glasses, hair, drawn)] == [
        (3 * 128, 3 * 64), (3 * 128, 3 * 128), (3 * 128, 3 * 128), (3 * 128, 3 * 64),
    ]  # fmt: skip
    assert record["description"]["attributes"] == "+Blond_Hair,-Male,+Smiling"
    assert record["sampler"]["steps"] == 10
    before, after = known["as_they_are"].images, known["with_other_hair"].images
    assert (before != after).any()
    assert not list(tmp_path.iterdir())
