"""How fast a learner learns here: a few steps, nothing written."""

import tempfile
import time
from pathlib import Path

import torch

from facecond.config.training import TrainerConfig
from facecond.processes import Processes
from facecond.training.learner import Learner
from facecond.training.run import Run, evaluation_mode


def seconds_per_image(learner: Learner, config: TrainerConfig, *, seconds: float = 3.0, warmup: int = 2) -> float:
    """Return the time one image takes in training, measured over about `seconds` after `warmup` steps.

    It is that of a middling step (the median), which a moment of other work on the machine does not change. The learner's weights
    change; throw it away afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Run(learner, config, Path(folder), {}, Processes(), lambda event: None)
        for module in learner.modules.values():
            module.train()
        durations: list[float] = []
        while len(durations) < warmup + 4 or sum(durations[warmup:]) < seconds:
            began = time.perf_counter()
            run.step()
            run.watch.check()  # waits for the device
            durations.append(time.perf_counter() - began)
    steps = sorted(durations[warmup:])
    return steps[len(steps) // 2] / config.batch_size


def seconds_per_item(learner: Learner, items: int, *, times: int = 2) -> float:
    """Return the time one item takes in an evaluation, which looks at `items` of them: the shortest of a few times."""
    took = []
    with torch.no_grad(), evaluation_mode(learner):
        for _ in range(times):
            began = time.perf_counter()
            learner.evaluate(0)
            took.append(time.perf_counter() - began)
    return min(took) / items
