"""Exported networks give what PyTorch gives: every denoiser, condition and first stage, run by onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facecond.assembly.first_stage import FirstStage
from facecond.autoencoder.pixels import Pixels
from facecond.autoencoder.vq import VQModel
from facecond.conditions.spatial import Norm, Pooling
from facecond.conditions.table import CONDITIONS
from facecond.config.networks import VQConfig
from facecond.denoisers.table import DENOISERS
from facecond.errors import ConfigError
from facecond.export import onnx_files
from facecond.export.networks import EXAMPLES, Piece, Step, decoder_of
from facecond.export.onnx_files import OPSET, require_exporter, write_onnx
from facecond.types import Context
from tests.conditions.makers import SIZE, encoder, said, unsaid
from tests.denoisers.test_table import small
from tests.denoisers.test_unet import awake, places

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'facecond[web]'")
pytest.importorskip("onnxscript", reason="needs onnxscript: pip install 'facecond[web]'")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")

NEAR = {"rtol": 1e-4, "atol": 2e-5}
"""Of answers of about 1: the order of sums in float32 differs."""


def run(path: Path, **inputs: Tensor) -> np.ndarray[Any, Any]:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray[Any, Any]] = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return found[0]


LONG = {"unet": [pytest.mark.slow], "transformer": [pytest.mark.slow]}
"""Networks of many operators, which torch traces for a quarter of a minute to two."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=LONG.get(kind, [])) for kind in DENOISERS])
def test_a_denoiser_with_its_context(kind: str, tmp_path: Path) -> None:
    denoiser = awake(small(kind, 2)).eval()
    where = places(16, 1)
    piece = Piece(
        "step", Step(denoiser, where),
        {"z": torch.zeros(EXAMPLES, 3, 16, 16), "time": torch.zeros(EXAMPLES), "tokens": torch.zeros(EXAMPLES, 17, 24)}, "raw",
    )  # fmt: skip
    write_onnx(piece, tmp_path / "step.onnx")
    generator = torch.Generator().manual_seed(1)
    for count in (1, 3):
        z = torch.randn(count, 3, 16, 16, generator=generator)
        time, tokens = torch.tensor([1000.0, 0.0, 423.7])[:count], torch.randn(count, 17, 24, generator=generator)
        with torch.no_grad():
            expected = denoiser(z, time, Context(tokens, where))
        assert expected.abs().max() > 0.01
        np.testing.assert_allclose(run(tmp_path / "step.onnx", z=z, time=time, tokens=tokens), expected, **NEAR)


@pytest.mark.slow
def test_a_denoiser_that_is_told_nothing(tmp_path: Path) -> None:
    denoiser = awake(small("unet", 1, None)).eval()
    inputs = {"z": torch.zeros(EXAMPLES, 3, 16, 16), "time": torch.zeros(EXAMPLES)}
    write_onnx(Piece("step", Step(denoiser, torch.zeros(0, 3)), inputs, "raw"), tmp_path / "step.onnx")
    z, time = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([500.0])
    with torch.no_grad():
        np.testing.assert_allclose(run(tmp_path / "step.onnx", z=z, time=time), denoiser(z, time), **NEAR)


@pytest.mark.parametrize(
    ("name", "changes"),
    [*((name, {}) for name in CONDITIONS), ("mask", {"pooling": Pooling.average, "norm": Norm.batch})],
)
@pytest.mark.parametrize("optional", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_encoder_and_its_null_tokens(name: str, changes: dict[str, Any], optional: bool, tmp_path: Path) -> None:
    network = encoder(name, optional=optional, **changes)
    with torch.no_grad():
        for buffer in network.buffers():
            if buffer.is_floating_point() and buffer.ndim == 1:  # statistics of a trained BatchNorm
                buffer.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(4))
    piece = Piece("encoder", network, {"values": unsaid(EXAMPLES)[name]}, "tokens")
    write_onnx(piece, tmp_path / "encoder.onnx")
    values = torch.cat([said(name), unsaid(1)[name]] if optional else [said(name)])
    if optional:
        values[1].view(-1)[: values[1].numel() // 2] = CONDITIONS[name].nothing(1, SIZE).view(-1)[0]
    with torch.no_grad():
        expected = network(values)
    np.testing.assert_allclose(run(tmp_path / "encoder.onnx", values=values), expected, **NEAR)
    if optional:
        assert network.null_tokens is not None
        np.testing.assert_array_equal(expected[-1], network.null_tokens.detach())


@pytest.mark.parametrize("attention", [False, True])
def test_a_first_stage_from_its_codes_on(attention: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = VQModel(VQConfig(ch=8, n_embed=64, num_res_blocks=1, norm_groups=8, mid_attention=attention)).eval()
    piece = decoder_of(FirstStage(network, "0" * 64, tmp_path), (3, 16, 16))
    assert piece is not None
    write_onnx(piece, tmp_path / "decoder.onnx")
    codes = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = network.decode_unquantised(codes)
    np.testing.assert_allclose(run(tmp_path / "decoder.onnx", codes=codes), expected, **NEAR)


def test_pixels_need_no_decoder(tmp_path: Path) -> None:
    assert decoder_of(FirstStage(Pixels(), "none", tmp_path), (3, 16, 16)) is None


def test_weights_that_float16_holds_are_stored_so_and_change_nothing(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    rounded, exact = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)
    rounded.weight.data = torch.randn(64, 64, generator=generator).half().float()
    network = torch.nn.Sequential(rounded, exact)
    write_onnx(Piece("net", network, {"x": torch.zeros(EXAMPLES, 64)}, "y"), tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    kinds = [
        onnx.TensorProto.DataType.Name(each.data_type) for each in model.graph.initializer if np.prod(each.dims) > 64
    ]
    assert sorted(kinds) == ["FLOAT", "FLOAT16"]
    assert len((tmp_path / "net.onnx").read_bytes()) < 64 * 64 * 6 + 4096
    x = torch.randn(3, 64, generator=generator)
    np.testing.assert_allclose(run(tmp_path / "net.onnx", x=x), network(x).detach(), **NEAR)
    assert str(Path(onnx_files.__file__).parent.parent).encode() not in (tmp_path / "net.onnx").read_bytes()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_files, "NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(ConfigError, match=r"no_such_package, which is not installed \(pip install 'facecond\[web\]'\)"):
        require_exporter()
