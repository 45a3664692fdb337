import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from facecond.errors import CheckpointError
from facecond.interop.foreign import read_tensors


class Malicious:
    """Unpickling this with an ordinary unpickler creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_checkpoint_is_refused_and_does_nothing(tmp_path: Path, zipped: bool) -> None:
    marker = tmp_path / "was-here"
    path = tmp_path / "evil.ckpt"
    content = {"state_dict": {"weight": torch.ones(2)}, "callbacks": Malicious(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"would run code: it names (posix|os|nt)\.mkdir"):
        read_tensors(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Malicious(marker)))  # the bait does bite where loading is not safe
    assert marker.exists()


def lightning_checkpoint(path: Path, callback: bytes) -> None:
    """Write an old Lightning checkpoint: its callbacks are keyed by a class that is not installed here."""
    torch.save({"state_dict": {"weight": torch.arange(3.0)}, "callbacks": {"CALLBACK": {"best": 1}}}, path)
    with zipfile.ZipFile(path) as source:
        entries = {info.filename: source.read(info) for info in source.infolist()}
    inside = next(name for name in entries if name.endswith("data.pkl"))
    text = b"X\x08\x00\x00\x00CALLBACK"
    assert text in entries[inside]
    entries[inside] = entries[inside].replace(text, callback)
    with zipfile.ZipFile(path, "w") as target:
        for name, data in entries.items():
            target.writestr(name, data)


def test_lightnings_callback_is_met_with_a_stand_in(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    lightning_checkpoint(path, b"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n")
    assert read_tensors(path)["weight"].tolist() == [0, 1, 2]
    with pytest.raises(pickle.UnpicklingError):  # the name is allowed nowhere else afterwards
        torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    "callback",
    [
        b"cpytorch_lightning.callbacks.model_checkpoint\nos.system\n",
        b"cpytorch_lightning.callbacks.early_stopping\nEarlyStopping\n",
        b"cbuiltins\neval\n",
    ],
)
def test_no_other_name_is_let_in(tmp_path: Path, callback: bytes) -> None:
    path = tmp_path / "odd.ckpt"
    lightning_checkpoint(path, callback)
    with pytest.raises(CheckpointError, match="would run code"):
        read_tensors(path)


def test_calling_the_stand_in_gets_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "odd.ckpt"
    call = b"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n(X\x01\x00\x00\x00atR"
    lightning_checkpoint(path, call)
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)


def test_plain_state_dicts_and_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = {"a.weight": torch.randn(2, 3)}
    torch.save(tensors, tmp_path / "a.pth")
    save_file(tensors, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        assert torch.equal(read_tensors(tmp_path / name)["a.weight"], tensors["a.weight"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such checkpoint"),
        (b"", "damaged"),
        (b"\x80\x02garbage", "damaged"),
        ({"epoch": 3}, "epoch: not tensors"),
        ([torch.ones(1)], "holds a list"),
        ({"state_dict": {}}, "expected tensors by name"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "file.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_tensors(path)
    assert "file.ckpt" in str(caught.value)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.ckpt"
    torch.save({"a": torch.randn(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)
