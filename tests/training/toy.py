"""A learner of two phases on numbers made up on the spot; `main` trains it in a process of its own, to be killed and continued."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from facecond.config.training import LearningRateSchedule, OptimizerKind, Precision, TrainerConfig
from facecond.errors import FacecondError
from facecond.processes import Processes
from facecond.rng import numpy_generator, torch_generator
from facecond.training.learner import Evaluation, Items, Phase
from facecond.training.loop import fit

SIZE = 40


class Toy:
    """A generator learns a function from noisy examples while a critic learns to know its answers from true ones."""

    phases = (Phase("generator", ("generator",)), Phase("critic", ("critic",)))
    averaged = ("generator",)
    exported = ("generator",)

    def __init__(self, *, norm=True, pause=0.0, break_at=None, critic_from=0, width=8, deep=False):
        generator = torch_generator(0, "weights")
        hidden = [nn.Linear(width, width), nn.SiLU()] if deep else []
        self.modules = {
            "generator": nn.Sequential(
                nn.Linear(4, width),
                nn.BatchNorm1d(width) if norm else nn.Identity(),
                nn.Sequential(nn.SiLU(), *hidden),
                nn.Linear(width, 3),
            ),
            "critic": nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, 1)),
        }
        with torch.no_grad():
            for module in self.modules.values():
                for weight in module.parameters():
                    weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
        self.modules["generator"][0].bias.requires_grad_(False)  # a frozen weight must stay and be saved
        self.identity = {"size": SIZE, "model": {"norm": norm, "widths": (4, width, 3)}}
        self.inputs = torch.randn(SIZE, 4, generator=generator)
        self.targets = torch.sin(self.inputs @ torch.randn(4, 3, generator=generator))
        self.pause, self.break_at, self.critic_from = pause, break_at, critic_from
        self.evaluations = []

    def items(self, images_seen, global_batch):
        positions = images_seen + np.arange(global_batch)
        orders = {epoch: numpy_generator(3, "order", epoch).permutation(SIZE) for epoch in set(positions // SIZE)}
        indices = np.array([orders[position // SIZE][position % SIZE] for position in positions])
        return Items(indices, indices % 2 == 0)

    def loss(self, phase, step):
        time.sleep(self.pause)
        if phase == "critic" and step.images_seen < self.critic_from:
            return None
        noisy = self.inputs[step.indices_B] + 0.1 * step.normal("noise", 4)
        with step.autocast():
            answer = self.modules["generator"](noisy)
        if phase == "generator":
            loss = (answer.float() - self.targets[step.indices_B]).square().mean()
            loss = loss - 0.01 * self.modules["critic"](answer.float()).mean()
            if self.break_at is not None and step.images_seen >= self.break_at:
                loss = loss * float("nan")
            return loss, {"error": loss.detach()}
        real = self.targets[step.indices_B] + 0.1 * step.uniform("more noise", 3)
        critic = self.modules["critic"]
        loss = (critic(answer.detach().float()).square() + (critic(real) - 1).square()).mean()
        return loss, {"critic": loss.detach()}

    def after_step(self, images_seen, images_total, total):
        return {"steps": 1.0}

    def evaluate(self, images_seen):
        assert not self.modules["generator"].training
        error = (self.modules["generator"](self.inputs) - self.targets).square().mean().item()
        self.evaluations.append((images_seen, error))
        return Evaluation({"error": error}, np.full((4, 6, 3), images_seen % 256, np.uint8))


def trainer(**changes):
    settings = {
        "images": 96, "batch_size": 8, "learning_rate": 0.05, "schedule": LearningRateSchedule.cosine,
        "warmup_images": 24, "ema_decay": 0.9, "precision": Precision.float32, "log_every": 16, "evaluate_every": 32,
        "checkpoint_every": 24, "checkpoint_minutes": None, "tensorboard": False, "clip_norm": 0.5,
    }  # fmt: skip
    if "optimizer" in changes:
        changes["optimizer"] = OptimizerKind(changes["optimizer"])
    return TrainerConfig(**(settings | changes))


def main(folder, settings="{}", options="{}"):
    torch.set_num_threads(1)
    toy, config = Toy(**json.loads(options)), trainer(**json.loads(settings))
    with Processes.from_environment() as processes:
        try:
            fit(toy, config, Path(folder), weights_config={"toy": True}, processes=processes)
        except FacecondError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(error.exit_status) from None
