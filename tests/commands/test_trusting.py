"""`verify=size` reads large arrays without their hashes; weights are compared all the same."""

import shutil
from pathlib import Path

import pytest

from tests.commands.conftest import MODEL, TINY, Facecond, call


@pytest.fixture
def own(workspace: Path, tmp_path: Path) -> Path:
    """A copy of the workspace, to be damaged."""
    return shutil.copytree(workspace, tmp_path / "workspace")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("array", ["packs/drawn-64/images.npy", "packs/drawn-64/latents/*/latents.npy"])
def test_a_flipped_bit_is_found_unless_sizes_are_trusted(own: Path, facecond: Facecond, array: str) -> None:
    (file,) = own.glob(array)
    flip(file)
    words = ["train", "model=attr", "name=flipped", f"workspace={own}", *MODEL, *TINY]
    status, _, err = facecond(*words)
    assert status == 2
    assert f"{file} was altered" in err
    status, _, err = facecond(*words, "verify=size")
    assert status == 0, err
    status, _, _ = facecond(*words)  # nothing was remembered as unaltered
    assert status == 2
    flip(file)
    status, _, err = facecond(*words)  # and it is the same run
    assert status == 0, err
    file.write_bytes(file.read_bytes()[:-1])
    status, _, err = facecond("encode", f"workspace={own}", "verify=size")
    assert status == 2


def test_weights_are_compared_all_the_same(own: Path, facecond: Facecond) -> None:
    flip(own / "runs" / "multicond" / "weights.safetensors")
    status, _, err = facecond("sample", "run=multicond", "count=1", f"workspace={own}", "verify=size")
    assert status == 2
    assert "the SHA-256 of its content is" in err


def test_samples_are_read_as_they_are(own: Path, facecond: Facecond, caplog: pytest.LogCaptureFixture) -> None:
    words = ["run=multicond", "count=2", f"workspace={own}", "name=two"]
    made = call("sample", *words)
    flip(made.made["images"].parent / "images.npy")
    facecond("sample", *words, "verify=size")
    assert "was altered" not in caplog.text
    _, _, err = facecond("sample", *words)
    assert "was altered; made again" in err + caplog.text
