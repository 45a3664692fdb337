"""Weights of others are data: nothing in them runs, and what they are not is said in one line."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from facecond.errors import CheckpointError
from facecond.pretrained.efficientnet import EfficientNet
from facecond.pretrained.weights import read_weights


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.mark.timeout(30)
def test_what_is_no_weights_is_one_line_and_runs_nothing(tmp_path: Path) -> None:
    torch.save(Hostile(tmp_path / "ran"), tmp_path / "hostile.pt")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("no weights")
    (tmp_path / "empty.pt").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.pt")
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/data/0", bytes(1 << 24))
    with tarfile.open(tmp_path / "tar.pt", "w") as tar:
        tar.add(tmp_path / "text.pt", "../../text")
    for name, said in {
        "hostile": "refused, because reading it would run code: it names posix.mkdir", "list": "holds a list, not weights",
        "text": "damaged, or not a checkpoint", "empty": "damaged, or not a checkpoint", "gone": "no such checkpoint",
        "pipe": "is a pipe, expected a checkpoint", "bomb": "refused: archive/data.pkl is larger than the file",
        "tar": "damaged, or not a checkpoint",
    }.items():  # fmt: skip
        with pytest.raises(CheckpointError, match=said):
            read_weights(tmp_path / f"{name}.pt")
    assert not (tmp_path / "ran").exists()


def test_other_weights_than_efficientnet_s_are_named(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt does not hold EfficientNet-Lite0") as caught:
        EfficientNet(tmp_path / "other.pt")
    assert "\n" not in str(caught.value)
