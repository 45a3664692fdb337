"""A small pack of drawn faces, its latents (averages over 4x4 pixels), and trainers for the learners' tests."""

import numpy as np

from facecond.config.training import LearningRateSchedule, Precision, TrainerConfig
from facecond.data.latents import LatentWriter
from facecond.data.pack import PackWriter
from facecond.drawn.painter import draw
from facecond.io.checkpoint import find_states, load_state
from facecond.training.learner import Draws, Step

SIZE, COUNT, TRAIN = 32, 80, 64
FIRST_STAGE = "0123456789abcdef"


def make_pack(path):
    drawing = draw(7, range(COUNT), SIZE)
    writer = PackWriter(path, count=COUNT, resolution=SIZE, source={"kind": "drawn"})
    writer.write(slice(0, COUNT), drawing.images, drawing.labels, drawing.attributes)
    splits = ["train"] * TRAIN + ["validation"] * (COUNT - TRAIN)
    return writer.finish([f"{index:05d}" for index in range(COUNT)], splits)


def make_latents(pack):
    cells = pack.images.reshape(COUNT, SIZE // 4, 4, SIZE // 4, 4, 3).astype(np.float32).mean(axis=(2, 4))
    latents = (cells / 127.5 - 1).transpose(0, 3, 1, 2)
    writer = LatentWriter(pack.path, FIRST_STAGE, count=COUNT, shape=latents.shape[1:], flips=True)
    writer.write(slice(0, COUNT), latents, latents[..., ::-1])
    return writer.finish(pack.indices("train"))


def trainer(**changes):
    settings = {
        "images": 640, "batch_size": 16, "learning_rate": 2e-3, "schedule": LearningRateSchedule.cosine,
        "ema_decay": 0.0, "precision": Precision.float32, "log_every": 64, "evaluate_every": 320,
        "checkpoint_every": 320, "checkpoint_minutes": None, "tensorboard": False, "evaluate_items": 16,
        "sample_grid": 2,
    }  # fmt: skip
    return TrainerConfig(**(settings | changes))


def step_of(learner, *, images_seen=0, batch=16, first=0, count=None, total=640):
    """One micro-batch as the loop would hand it out."""
    items = learner.items(images_seen, batch)
    part = slice(first, first + (count or batch))
    return Step(items.indices_B[part], items.flips_B[part], first, total, Draws(0, images_seen, batch),
                learner.train.device, Precision.float32)  # fmt: skip


def last_state(folder):
    state = load_state(find_states(folder / "checkpoints")[0])
    return {f"{group}/{name}": tensor for group, held in state.groups.items() for name, tensor in held.items()}


def apart(folder, other, before):
    """How far two runs ended from one another, as a share of the way one of them went from `before` (name -> tensor).

    Over all weights at once: where a gradient is about 0, its sign, and with it AdamW's step, hangs on rounding.
    """
    ends, others = last_state(folder), last_state(other)
    between = sum((ends[f"network/{name}"] - others[f"network/{name}"]).double().square().sum() for name in before)
    way = sum((others[f"network/{name}"] - start).double().square().sum() for name, start in before.items())
    assert way > 0
    return float((between / way).sqrt())
