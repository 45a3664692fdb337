"""docs/paper.md is filled with what `facecond reproduce` made, and nothing of the machine's paths goes into it."""

from pathlib import Path

from PIL import Image

from benchmarks.paper import BLOCK, DOCS, fill
from tests.experiments.test_plan import EVERY

TABLE = """# Title of the table
|  | miou |
| --- | ---: |
| attr | 0.5 |

## Does it hold?
- Command: facecond reproduce paper=table3 'scale.seeds=[0,1]' workspace=/home/somebody/w
- Scale: size tiny; pack /home/somebody/w/packs/faces
"""


def test_blocks_become_what_was_made_and_others_stay(tmp_path: Path) -> None:
    for name in ("table3-demo", "figure6-demo", "pictures"):
        (tmp_path / name).mkdir()
    (tmp_path / "table3-demo" / "table.md").write_text(TABLE)
    Image.new("RGB", (2400, 100), "red").save(tmp_path / "figure6-demo" / "figure.png")
    page = "".join(
        f"## {name}\nwords\n<!-- {name} -->\nold {name}\n<!-- end -->\nmore\n"
        for name in ("table3", "figure6", "table4")
    )
    found = fill(page, tmp_path, "demo", tmp_path / "pictures")
    assert "    facecond reproduce table3 'scale.seeds=[0,1]'\n" in found
    assert "| attr | 0.5 |" in found
    assert "### Does it hold?" in found
    assert "pack faces" in found
    assert "/home" not in found
    assert "old table3" not in found
    assert "old table4" in found
    assert "    facecond reproduce figure6\n" in found
    with Image.open(tmp_path / "pictures" / "figure6.jpg") as picture:
        assert picture.size == (1200, 50)
    assert found.count("words") == found.count("more") == 3
    assert fill(found, tmp_path, "demo", tmp_path / "pictures") == found


def test_the_page_has_a_place_for_everything() -> None:
    page = (DOCS / "paper.md").read_text()
    assert sorted(found[1] for found in BLOCK.finditer(page)) == sorted(EVERY)
