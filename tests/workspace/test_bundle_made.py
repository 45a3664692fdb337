"""The command that makes the weights that come with the program, a thousandth of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from facecond.io.documents import Record, read_json
from facecond.io.files import sha256_file


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_set_is_made_whole_and_not_made_twice(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.bundle", "--share", "0.002", "--workspace", str(tmp_path / "outputs"),
             "--to", str(tmp_path / "bundled")]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    record = read_json(tmp_path / "bundled" / "drawn64.json", Record)
    assert set(record["models"]) == {"vq", "parser", "classifier", "multicond", "maps"}
    for name, model in record["models"].items():
        file = tmp_path / "bundled" / f"drawn64-{name}" / "weights.safetensors"
        assert (sha256_file(file), file.stat().st_size) == (model["sha256"], model["bytes"])
    assert "Attributes alone" in (tmp_path / "bundled" / "drawn64.md").read_text()
    assert "Mask mIoU" in (tmp_path / "bundled" / "drawn64.md").read_text()
    assert (tmp_path / "bundled" / "drawn64-people" / "manifest.json").is_file()
    again = subprocess.run(words, check=True, capture_output=True, text=True)
    assert [line.partition(": ")[2] for line in again.stderr.splitlines() if " step " in line] == ["write the card"]
