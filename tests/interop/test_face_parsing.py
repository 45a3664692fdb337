from pathlib import Path

import pytest
import torch

from facecond.config.networks import ParserConfig
from facecond.errors import CheckpointError
from facecond.interop.face_parsing import HEADS, read_bisenet, reorder_classes
from facecond.io.checkpoint import load_strictly
from facecond.judges.bisenet import BiSeNet
from tests.denoisers.golden import names_and_shapes

# face-parsing.PyTorch's ids as CelebAMask-HQ's.
TABLE = [0, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14]


def test_published_weights_answer_in_our_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = BiSeNet(ParserConfig(input_size=64)).eval()
    torch.save({f"module.{name}": value for name, value in theirs.state_dict().items()}, tmp_path / "79999_iter.pth")
    ours = BiSeNet(ParserConfig(input_size=64)).eval()
    load_strictly(ours, read_bisenet(tmp_path / "79999_iter.pth"), "79999_iter.pth")
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        for mine, published in zip(ours.training_logits(images), theirs.training_logits(images), strict=True):
            torch.testing.assert_close(mine[:, TABLE], published)


def test_reordering_there_and_back_changes_nothing() -> None:
    tensors = {name: torch.randn(shape) for name, shape in names_and_shapes("bisenet") if name in HEADS}
    assert len(tensors) == 3
    moved = reorder_classes(tensors, "face_parsing", "celebamaskhq")
    back = reorder_classes(moved, "celebamaskhq", "face_parsing")
    for name in HEADS:
        assert not torch.equal(moved[name], tensors[name])
        assert torch.equal(back[name], tensors[name])


def test_other_weights_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"conv_out\.conv_out\.weight is missing"):
        reorder_classes({"fc.weight": torch.ones(1)}, "face_parsing", "celebamaskhq")
    twelve = {head: torch.zeros(12, 4, 1, 1) for head in HEADS}
    with pytest.raises(CheckpointError, match=r"19 classes.*\(12, 4, 1, 1\)"):
        reorder_classes(twelve, "face_parsing", "celebamaskhq")
