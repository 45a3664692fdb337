"""Networks as ONNX files: opset 18, sizes fixed but for the number of items, weights in float16 where that changes none.

Half of the bytes of weights that were rounded to float16 when they were stored, as those that come with the program, are zeros:
such tensors are written as float16 with a cast behind them. Computed is in float32 in any case.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from facecond.errors import ConfigError
from facecond.io.files import atomic_write

if TYPE_CHECKING:
    import onnx

    from facecond.export.networks import Piece

OPSET = 18
"""Version of ONNX's operators; every runtime of the last years has it."""

NEEDED = ("onnx", "onnxscript")
"""Packages that torch's exporter needs: `pip install facecond[web]`."""

WORTHWHILE = 256
"""Numbers of a tensor below which it stays float32."""


def require_exporter() -> None:
    """Raise ConfigError, with what to install, unless networks can be written as ONNX."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"export needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            hint="pip install 'facecond[web]'",
        )


def write_onnx(piece: Piece, path: Path) -> None:
    """Write a network; `onnx.checker` has passed it."""
    import onnx
    import torch

    batch = torch.export.Dim("batch", min=1)
    network = piece.network.eval()
    quiet = logging.getLogger("torch.onnx")
    before = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about names of axes, and what its own dependencies deprecate
            program = torch.onnx.export(
                network, tuple(piece.inputs.values()), dynamo=True, opset_version=OPSET, verbose=False,
                input_names=list(piece.inputs), output_names=[piece.output],
                dynamic_shapes=tuple({0: batch} for _ in piece.inputs),
            )  # fmt: skip
    finally:
        quiet.setLevel(before)
    assert program is not None
    model = program.model_proto
    _forget_origin(model)
    _store_exactly(model)
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop what the exporter says of lines and folders of this machine."""
    for each in [model, model.graph, *model.graph.node, *model.graph.value_info]:
        each.doc_string = ""
        del each.metadata_props[:]


def _store_exactly(model: onnx.ModelProto) -> None:
    """Store tensors of float32 that float16 holds without a change as such, and cast them where they are used."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < WORTHWHILE or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
