"""The demo's plan: minutes become numbers of images, once, from a short timing on this machine.

The numbers are written down. A continued demo, or the same plan on a slower machine, learns from exactly the same images.
"""

import dataclasses
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from facecond.commands.timing import TRIED, drawn_pack, pace, time_training, write_noise_latents
from facecond.config.catalogue import kind_of
from facecond.config.commands.whole import DemoConfig
from facecond.errors import DataError
from facecond.io.documents import read_json, write_json
from facecond.workspace.find import MEMBERS, bundled_runs

if TYPE_CHECKING:
    from facecond.learners.diffusion import DiffusionLearner

log = logging.getLogger("facecond")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How a demo divides its time, and what it learns and samples with."""

    faces: int
    """Drawn faces to learn from."""
    validation: int
    """Drawn faces held out, at least as many as are measured."""
    timing: float
    """Seconds each training is timed for."""
    shares: Mapping[str, float]
    """How the time left for learning is divided; the first stage bounds what samples can reach."""
    network: tuple[str, ...]
    """Overrides of the diffusion model beside `size=tiny`."""
    sampling: tuple[str, ...]
    """Overrides of sampler and guidance."""
    steps: int
    """Evaluations of the U-Net per sample; guidance doubles them."""


QUICK = (
    "model.target=velocity", "model.schedule.shape=straight", "model.denoiser.patch=2", "model.denoiser.channel_mult=[2]",
)  # fmt: skip
"""The straight flow, on patches of 2 x 2 latent cells: about twice the images in the same time."""

USUAL = Pace(
    faces=8192,
    validation=512,
    timing=2.0,
    shares={"vq": 0.34, "parser": 0.08, "classifier": 0.08, "multicond": 0.50},
    network=QUICK,
    sampling=("sampler=ddim", "sampler.steps=20", "sampler.eta=1", "guidance.scale=3"),
    steps=20,
)

PACES = {
    "long": dataclasses.replace(USUAL, faces=16384),
    "usual": USUAL,
    "short": Pace(
        faces=2048,
        validation=0,
        timing=1.0,
        shares={"vq": 0.31, "parser": 0.09, "classifier": 0.04, "multicond": 0.56},
        network=QUICK,
        sampling=("sampler=dpmpp", "sampler.steps=10", "guidance.scale=4"),
        steps=10,
    ),
}  # fmt: skip
"""Fresh noise in each step and a guidance of 3 help a model of minutes; a demo of few minutes gets stronger guidance and the fast
sampler. Measured in benchmarks/results and docs/speedrun.md."""

TITLES = {
    "draw": "draw faces", "shipped": "sample the model that came with the program", "vq": "train the first stage",
    "encode": "encode pictures to latents",
    "parser": "train the face parser, a judge", "classifier": "train the attribute classifier, a judge",
    "multicond": "train the diffusion model", "measure": "sample conditions and measure",
    "sets": "same noise, other attributes", "on-maps": "same noise and map, other attributes",
    "variations": "several samples of one condition", "swap": "exchange parts between people", "edits": "edit maps by hand",
    "page": "write the page",
}  # fmt: skip
"""What each step does, in their order."""

FROM = {"long": 25, "usual": 8, "short": 0}
"""Minutes from which a demo goes at a pace, the longest first."""

ELSEWHERE = ((17_280, "two cores of an AMD EPYC (Zen 3, AVX2, float32)", 0.783, 0.928),)
"""Images that a demo of the usual minutes learnt from on other machines, and the mask mIoU and attribute accuracy it came to."""

LEAST = {"vq": 1600, "parser": 1600, "classifier": 1600, "multicond": 3200}
"""Images below which a model is not worth having."""

FIRST = 8
"""Samples of the model that came with the program."""

FIGURES = 96
"""Samples drawn for grids, beside those that are measured."""

TOO_LONG = 1.3
"""Times the minutes asked for at which the demo says that it takes longer."""

HELD_OUT = 8
"""Of the faces that trainings are timed on."""

START_WORKERS = 3
"""Seconds until the processes that draw are there."""

START = 10
"""Seconds for imports, evaluations and pictures."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo will do."""

    minutes: float
    seed: int
    count: int
    """Validation conditions sampled and measured."""
    pace: str
    """Key of `PACES`."""
    faces: int
    validation: int
    images: dict[str, int]
    """Images each model learns from."""
    seconds: dict[str, float]
    """Estimated time of each step on the machine that was timed."""
    machine: str
    came_along: list[str] = field(default_factory=list)
    """The models of `pace.shares` that came with the program and are used here: the last for pictures alone, the others instead of
    training them."""

    @property
    def steps(self) -> dict[str, str]:
        """Those of `TITLES` that this demo goes through."""
        left_out = {"vq", "parser", "classifier"} - set(self.images)
        if "multicond" not in self.came_along:
            left_out.add("shipped")
        return {key: title for key, title in TITLES.items() if key not in left_out}

    @property
    def total(self) -> float:
        """Estimated time of everything, seconds."""
        return sum(self.seconds.values())

    def of_step(self, step: str) -> float:
        """Estimated time of a step of `TITLES`, seconds."""
        grids = ("sets", "on-maps", "variations", "swap", "edits")
        measured = self.count / (self.count + FIGURES)
        sampling = {"measure": measured} | dict.fromkeys(grids, (1 - measured) / len(grids))
        return self.seconds.get(step, 0.0) + sampling.get(step, 0.0) * self.seconds.get("sample", 0.0)

    def left(self, spent: Mapping[str, float], done: Collection[str]) -> float:
        """Estimated time of the steps that are not done, seconds, by how long those that are done took beside the plan.

        `spent` is the time of each step so far. The plan counts as if a quarter of it had been done as planned: a first step that
        was quick says little of the others.
        """
        doubt = sum(map(self.of_step, self.steps)) / 4
        planned = sum(self.of_step(step) for step in done)
        pace = (sum(spent[step] for step in done) + doubt) / (planned + doubt) if planned else 1.0
        return sum(
            max(self.of_step(step) * pace - spent.get(step, 0.0), 0.0) for step in self.steps if step not in done
        )


def learnt_from(plan: Plan) -> str:
    """From how many images the diffusion model learns here, and what others came to in the same minutes."""
    here = f"{plan.images['multicond']:,} images here"
    if plan.minutes != DemoConfig().minutes or "parser" not in plan.came_along:
        return here
    others = [
        f"{images:,} on {machine} came to a mask mIoU of {miou:.2f} and an attribute accuracy of {attributes:.2f}"
        for images, machine, miou, attributes in ELSEWHERE
    ]
    return "; ".join([here, *others])


def make_plan(config: DemoConfig, folder: Path) -> Plan:
    """Return the plan written in `folder`, or time this machine and write one.

    Raises DataError when the plan there was made for other settings.
    """
    file = folder / "plan.json"
    if file.is_file():
        hint = (
            "written by another version, or damaged: delete its folder, or give this demo a name of its own: name=..."
        )
        plan = read_json(file, Plan, hint=hint)
        for key in ("minutes", "seed", "count"):
            if getattr(plan, key) != getattr(config, key):
                raise DataError(
                    f"{file} was made with {key}={getattr(plan, key)}, not {getattr(config, key)}",
                    hint="give this demo a name of its own: name=...",
                )
        if gone := set(plan.came_along) - set(there(config)):
            raise DataError(
                f"{file} was made with models that came with the program and are not here: {', '.join(sorted(gone))}",
                hint="give this demo a name of its own: name=...",
            )
        return plan
    log.info("timing this machine for %g minutes of demo", config.minutes)
    began = time.monotonic()
    came_along = there(config)
    speeds = measure(config, came_along)
    plan = divide(config, speeds, overhead=time.monotonic() - began + START, came_along=came_along)
    if plan.total > TOO_LONG * config.minutes * 60:
        log.warning(
            "warning: %g minutes are too few on this machine as it was timed: the shortest demo takes about %.0f",
            config.minutes,
            plan.total / 60,
        )
    write_json(file, dataclasses.asdict(plan))
    return plan


def there(config: DemoConfig) -> dict[str, Path]:
    """The models of the demo that came with the program: none from scratch, or where first stage and judges did not come all."""
    found = {member: places[0] for kind, member in MEMBERS.items() if (places := bundled_runs(kind))}
    return {} if config.scratch or {"vq", "parser", "classifier"} - found.keys() else found


def pace_of(config: DemoConfig) -> str:
    """Return the key of `PACES` for the minutes there are."""
    return next(pace for pace, minutes in FROM.items() if config.minutes >= minutes)


def divide(config: DemoConfig, speeds: dict[str, float], overhead: float, came_along: Collection[str] = ()) -> Plan:
    """Turn minutes into images, given seconds per image of each kind of work and what was and will be spent besides.

    Models that `came_along` with the program are not trained, but for the last.
    """
    pace = PACES[pace_of(config)]
    trained = {name: share for name, share in pace.shares.items() if name == "multicond" or name not in came_along}
    validation = max(config.count, pace.validation)
    faces, samples = pace.faces + validation, config.count + FIGURES
    fixed = {
        "timing and start": overhead,
        "draw": faces * speeds["draw"] + START_WORKERS,
        "encode": 2 * faces * speeds["encode"],
        "sample": samples * pace.steps * 2 * speeds["predict"],
        "measure": 3 * config.count * speeds["look"] + 10,
    }
    if "multicond" in came_along:
        fixed["shipped"] = FIRST * pace.steps * 2 * speeds["predict"] + 4
    left = max(config.minutes * 60 - sum(fixed.values()), 0.0)
    images = {
        name: max(LEAST[name], int(left * share / sum(trained.values()) / speeds[name]) // 160 * 160)
        for name, share in trained.items()
    }
    seconds = fixed | {name: count * speeds[name] for name, count in images.items()}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return Plan(
        config.minutes, config.seed, config.count, pace_of(config), faces, validation, images, seconds, machine, list(came_along)
    )  # fmt: skip


def overrides(name: str, plan: Plan) -> list[str]:
    """What differs from the tiny configurations in the demo's training of one model."""
    total = plan.images[name]
    words = [f"model={name}", "size=tiny", f"trainer.seed={plan.seed}", "trainer.tensorboard=false"]
    words += [f"{key}={value}" for key, value in pace(kind_of(name), total).items()]
    if name == "multicond":
        words += [*PACES[plan.pace].network, *PACES[plan.pace].sampling]
    return words


def measure(config: DemoConfig, came_along: Mapping[str, Path]) -> dict[str, float]:
    """Return seconds per image of drawing, encoding, judging, an evaluation of the network and of training each model, measured in
    a few seconds each.

    What `came_along` with the program is not trained, but for the last.
    """
    import numpy as np
    import torch

    from facecond.assembly.first_stage import load_first_stage
    from facecond.assembly.judges import LOADERS
    from facecond.autoencoder.vq import VQModel
    from facecond.data.packing import cores
    from facecond.training.device import choose_device
    from facecond.training.timing import seconds_per_item

    device, pace = choose_device(config.device), PACES[pace_of(config)]
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        moments, sizes = [time.perf_counter()], (24, 24, 352)  # the first imports, and lays out what is laid out once
        for turn, faces in enumerate(sizes):
            pack = drawn_pack(Path(folder) / f"pack-{turn}", config.resolution, faces=faces, validation=HELD_OUT)
            moments.append(time.perf_counter())
        _, few, many = np.diff(moments).tolist()
        speeds["draw"] = max(many - few, 0.0) / (sizes[2] - sizes[1]) / cores()
        write_noise_latents(pack)
        for name in pace.shares:
            if name in came_along and name != "multicond":
                continue
            words = [f"model={name}", "size=tiny", *(pace.network if name == "multicond" else ())]
            speeds[name], learner = time_training(words, pack, device, seconds=pace.timing)
            if name == "vq":
                model: VQModel = learner.modules["first_stage"]  # type: ignore[assignment]
                images = torch.zeros(TRIED, 3, config.resolution, config.resolution, device=device)
                speeds["encode"] = _shortest(lambda: model.encode(images).sum().item())  # noqa: B023 - called at once
            if name in LOADERS:
                speeds["look"] = speeds.get("look", 0.0) + seconds_per_item(learner, HELD_OUT)
            if name == "multicond":
                speeds["predict"] = _shortest(_prediction(cast("DiffusionLearner", learner)))
        pictures = np.array(pack.images[:TRIED])
        if came_along:
            stage = load_first_stage(came_along["vq"], device)
            images = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
            speeds["encode"] = _shortest(lambda: stage.encode(images).sum().item())
            judges = [LOADERS[name](came_along[name], device) for name in LOADERS]
            speeds["look"] = sum(_shortest(partial(judge, pictures)) for judge in judges)
    return speeds


def _prediction(learner: "DiffusionLearner") -> Callable[[], Any]:
    """An evaluation of the network for `TRIED` pictures."""
    import torch

    batch = learner.train.batch(range(TRIED))
    denoise = learner.denoiser.bind(learner.conditioner(batch.conditions))
    time_B = torch.full((TRIED,), 500.0, dtype=torch.float64, device=batch.latents_BCHW.device)
    return lambda: denoise(batch.latents_BCHW, time_B).sum().item()


def _shortest(work: Callable[[], Any]) -> float:
    """Seconds per picture of work on `TRIED` of them, the shortest of a few times."""
    import torch

    took = []
    with torch.inference_mode():
        for _ in range(4):
            began = time.perf_counter()
            work()
            took.append(time.perf_counter() - began)
    return min(took) / TRIED
