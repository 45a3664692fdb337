"""Files that one batch, one condition and one picture pass through: `python -m benchmarks.paths`.

A file counts when a function of it runs between the two ends of the path; code that runs while modules are imported does not.
Two tiny models are trained for it in a temporary folder (half a minute).
"""

import os
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parent.parent / "facecond"

SMALL = [
    "size=tiny", "trainer.batch_size=8", "trainer.images=16", "trainer.warmup_images=8", "trainer.evaluate_items=8",
    "trainer.sample_grid=0", "trainer.tensorboard=false",
]  # fmt: skip


TOKENS = "conditions/conditioner.py:Conditioner.encode"


class Trace:
    """Files whose functions run, and how many there were when each function first returned."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.begun: set[str] = set()
        self.ended: dict[str, int] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """As `sys.setprofile` calls it."""
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(str(ROOT)):
            return
        name = f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_qualname}"
        if event == "return":
            if name in self.begun:
                self.ended.setdefault(name, len(self.files))
        elif name not in self.begun and not _is_importing(frame):
            self.files.add(name.partition(":")[0])
            self.begun.add(name)


def _is_importing(frame: FrameType | None) -> bool:
    """Say whether a frame runs because a module of the package is being imported: bodies of classes, defaults of fields."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(str(ROOT)):
            return True
        frame = frame.f_back
    return False


def files_between(words: list[str], first: str | None, last: str) -> tuple[int, int]:
    """Run a command line; return how many files ran from the call of `first` to the return of `last`, and from the start."""
    from facecond.cli.main import main

    trace, since = Trace(), Trace()

    def both(frame: FrameType, event: str, argument: Any) -> None:
        trace(frame, event, argument)
        if first is None or first in trace.begun:
            since(frame, event, argument)

    sys.argv = ["facecond", *words]
    threading.setprofile(both)
    sys.setprofile(both)
    try:
        main()
    except SystemExit as left:
        if left.code:
            raise
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return since.ended[last], trace.ended[last]


def main() -> None:
    """Print the table."""
    os.environ["TQDM_DISABLE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        here = f"workspace={folder}"
        from facecond.cli.execute import execute

        execute("data draw", [here, "data.count=40", "data.validation=16"])
        execute("train", [here, "model=vq", "model.network.ch=8", *SMALL])
        execute("encode", [here])
        model = [
            here,
            "model=multicond",
            "model.denoiser.model_channels=32",
            "model.mask.width=8",
            "model.token_width=32",
            *SMALL,
        ]
        batch = files_between(
            ["train", *model], "training/run.py:Run.step", "learners/diffusion.py:DiffusionLearner.loss"
        )
        told = files_between(
            ["sample", here, "--attr", "+Smiling", "--count", "1", "--steps", "2"],
            None,
            TOKENS,
        )
        picture = files_between(["sample", here, "--count", "1", "--steps", "2"], None, "io/images.py:write_png")
    print("| path | files |\n|---|---:|")
    print(
        f"| one batch: from `Run.step` until the first loss is there (from `facecond train` on) | {batch[0]} ({batch[1]}) |"
    )
    print(f"| one condition: `sample --attr +Smiling` until its tokens are there | {told[0]} |")
    print(f"| one picture: `sample --count 1` until its PNG is written | {picture[0]} |")


if __name__ == "__main__":
    main()
