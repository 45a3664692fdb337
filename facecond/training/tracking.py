"""The log of a run: metrics.jsonl, grids as PNG, and the same for TensorBoard.

Lines beyond the checkpoint a run continues from are dropped when it continues: their images are learnt from again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facecond.io.documents import RecordWriter, keep_records
from facecond.io.images import write_png
from facecond.io.runs import Line

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Tracker:
    """Writes the figures and grids of one run; only the first process has one."""

    def __init__(self, folder: Path, images_seen: int, *, tensorboard: bool) -> None:
        self.folder = folder
        kept = keep_records(
            folder / "metrics.jsonl", Line, lambda record: record["images_seen"] <= images_seen, checksum=True
        )
        self.lines = len(kept)
        """Lines of metrics.jsonl."""
        self.evaluated_at = max((line["images_seen"] for line in kept if line["kind"] == "evaluation"), default=0)
        """Images seen at the last evaluation that was written."""
        for grid in (folder / "grids").glob("*.png"):
            if grid.stem.isdigit() and int(grid.stem) > images_seen:
                grid.unlink()
        self._records = RecordWriter(folder / "metrics.jsonl", checksum=True)
        self._tensorboard = tensorboard
        self._resumed_at = images_seen
        self._board: SummaryWriter | None = None

    def figures(self, kind: str, images_seen: int, figures: Mapping[str, float]) -> None:
        """Write one line: `kind` is "training" or "evaluation"."""
        if kind == "evaluation":
            self.evaluated_at = images_seen
        self.lines += 1
        self._records.write({"images_seen": images_seen, "kind": kind, **figures})
        if board := self._summary_writer():
            for name, value in figures.items():
                board.add_scalar(f"{kind}/{name}", value, images_seen)

    def grid(self, images_seen: int, picture: NDArray[np.uint8]) -> Path:
        """Write one picture (H, W, 3) as grids/<images seen>.png; return its path."""
        path = self.folder / "grids" / f"{images_seen:012d}.png"
        write_png(path, picture)
        if board := self._summary_writer():
            board.add_image("grid", picture, images_seen, dataformats="HWC")
        return path

    def _summary_writer(self) -> SummaryWriter | None:
        """TensorBoard's writer, made at the first use because importing it takes seconds."""
        if self._tensorboard and self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self._resumed_at + 1)
        return self._board

    def flush(self) -> None:
        """Flush TensorBoard's file (metrics.jsonl is flushed at each line)."""
        if self._board:
            self._board.flush()

    def close(self) -> None:
        """Close all files."""
        self._records.close()
        if self._board:
            self._board.close()
