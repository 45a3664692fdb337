"""The golden run: a workspace with a tiny pack and a training that was stopped after one step, kept in tests/golden/workspace-v1.

It is made anew (`python -m tests.commands.golden_run`) only when formats or the schema change so that older runs are refused on
purpose; docs/formats.md then gets a new version. Adding a setting is no such reason: tests/commands/test_golden_run.py.
"""

import shutil
from contextlib import chdir
from pathlib import Path

from tests.commands.conftest import call
from tests.data.makers import random_pack

GOLDEN = Path(__file__).parents[1] / "golden" / "workspace-v1"
WORDS = [
    "model=vq", "name=first", "size=tiny", "model.network.ch=1", "model.network.ch_mult=[1]", "model.network.norm_groups=1",
    "model.network.num_res_blocks=1", "model.network.mid_attention=false", "model.network.n_embed=4",
    "model.loss.perceptual=none", "model.loss.discriminator_weight=0", "model.training.quantise_after=0",
    "model.training.restart_every=null", "trainer.images=16", "trainer.batch_size=4", "trainer.log_every=4",
    "trainer.evaluate_every=16", "trainer.sample_grid=0", "trainer.tensorboard=false", "trainer.precision=float32",
]  # fmt: skip
"""The training's command, without its workspace."""


def make(folder: Path) -> None:
    """Write the pack and the interrupted run."""
    random_pack(folder / "packs" / "tiny", count=6, resolution=8, validation=2)
    with chdir(folder):  # so that the files name no folder of the machine they were made on
        call("train", *WORDS, "workspace=.", "trainer.stop_after_minutes=1e-9")


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    make(GOLDEN)
