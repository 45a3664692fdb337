import pytest
import torch

from facecond.config.training import Precision
from facecond.training import device
from facecond.training.device import autocast, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx512_bf16"}, Precision.bfloat16),
        ({"amx_bf16"}, Precision.bfloat16),
        ({"avx2", "avx512_f"}, Precision.float32),
    ],
)
def test_auto_follows_the_processor(monkeypatch, flags, expected):
    monkeypatch.setattr(device, "_cpu_flags", lambda: flags)
    assert resolve_precision(Precision.auto, CPU) is expected


def test_what_is_asked_for_is_given():
    assert resolve_precision(Precision.float32, CPU) is Precision.float32
    assert resolve_precision(Precision.bfloat16, CPU) is Precision.bfloat16


def test_the_system_knows_this_processor():
    assert "sse2" in device._cpu_flags() or torch.backends.cpu.get_cpu_capability() == "DEFAULT"


def test_autocast_changes_products_only_for_bfloat16():
    layer, x = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with autocast(Precision.bfloat16, CPU):
        assert layer(x).dtype is torch.bfloat16
    with autocast(Precision.float32, CPU):
        assert layer(x).dtype is torch.float32
    assert layer.weight.dtype is torch.float32
