"""`benchmarks.on_gpu` on the CPU, at the smallest size, so that it runs when a GPU is at hand."""

import pytest
import torch

from benchmarks import on_gpu


@pytest.mark.slow
def test_measures_every_piece_of_work() -> None:
    device, rows = torch.device("cpu"), []
    on_gpu.measure(["tiny"], ["vq", "multicond"], device, 0.01, rows.append)
    assert [row["what"] for row in rows] == ["train vq", "encode", "decode", "train multicond", "sampling step"]
    assert not any("error" in row for row in rows)
    assert all(row["images_s"] > 0 for row in rows)
    trained, stepped = rows[-2], rows[-1]
    # A training step is three forward passes; a bound step is one without the condition encoders.
    assert 0.5 * trained["flops"] / 3 < stepped["flops"] < trained["flops"] / 3
    page = on_gpu.table(
        {"device": "CPU", "torch": "2", "date": "today", "peak": {"tflops": 1.0, "tb_s": 0.1}, "rows": rows}
    )
    assert len(page.splitlines()) == 4 + len(rows)


def test_a_failure_is_a_row(monkeypatch) -> None:
    def fails(*about: object) -> dict[str, object]:
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(on_gpu, "training", fails)
    rows: list[dict[str, object]] = []
    on_gpu.measure(["tiny"], ["parser"], torch.device("cpu"), 0.01, rows.append)
    assert {row["error"] for row in rows} == {"out of memory"}
    page = on_gpu.table(
        {"device": "CPU", "torch": "2", "date": "today", "peak": {"tflops": 1.0, "tb_s": 0.1}, "rows": rows}
    )
    assert page.endswith("| failed: out of memory | | | |")


def test_the_peak_is_measured() -> None:
    found = on_gpu.peak(torch.device("cpu"))
    assert 0 < found["tflops"] < 100
    assert 0 < found["tb_s"] < 10
