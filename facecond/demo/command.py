"""`facecond demo`: draws faces, trains first stage, judges and a model, samples, swaps, edits, measures, writes one page.

Every step is a command that can be typed; the page shows them. A step that is done is not done again, a step that was
interrupted is continued.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from facecond.commands import data_draw, encode, sample, swap_masks, train
from facecond.commands import eval as evaluate
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.commands.steps import Step, Steps, run_command
from facecond.config.commands.whole import DemoConfig
from facecond.config.compose import compose
from facecond.demo.growing import Growing
from facecond.demo.plan import FIRST, PACES, TITLES, Plan, learnt_from, make_plan, overrides, there

log = logging.getLogger("facecond")

MEASURES = "[miou,accuracy,attributes,reconstruction]"
ON_MAPS = "[+Eyeglasses,+Wearing_Hat,+Mouth_Slightly_Open,'-Young,+Gray_Hair,-Black_Hair,-Brown_Hair,-Blond_Hair']"
ATTRIBUTE_SETS = [
    "+Blond_Hair", "+Black_Hair", "'+Male,-No_Beard'", "'-Male,+Heavy_Makeup,+Wearing_Lipstick'", "'-Young,+Gray_Hair'",
]  # fmt: skip
SHOWN_BY_MAPS = ["+Eyeglasses", "'+Wearing_Hat,+Male'"]
"""Sets that a model draws no faces of without a map."""


def prepare(words: Sequence[str]) -> Prepared[DemoConfig, None]:
    """Check the configuration; a demo of other minutes or another seed has a name of its own."""
    composed = compose("demo", words)
    config: DemoConfig = composed.config
    name = config.name
    if config.minutes != DemoConfig().minutes:
        name += f"-{config.minutes:g}min"
    if config.seed:
        name += f"-seed{config.seed}"
    if config.scratch:
        name += "-scratch"
    return Prepared(composed=composed, name=name, found=None)


def run(prepared: Prepared[DemoConfig, None]) -> Result:
    """Go through the steps; say which one it is and how long the rest will take."""
    from facecond.demo.page import write_demo_page
    from facecond.io.results import read_results

    config = prepared.config
    folder = Path(config.workspace) / prepared.name
    plan = make_plan(config, folder)
    demo = Demo(config, prepared.name, folder, plan)
    log.info("page: %s, which grows while the demo runs", folder / "index.html")
    with Growing(demo, folder):
        results, pictures, edits = _go_through(demo)
    page = demo.call("page", lambda: write_demo_page(folder, demo, results, pictures, edits), again=True)
    return Result(
        command="demo",
        facts={"minutes planned": plan.minutes, "minutes taken": round(demo.seconds / 60, 2)},
        figures=list(read_results(results).figures),
        made={"page": Path(page["page"]), "pack": demo.pack, "run": demo.run("multicond")},
        next=[
            prepared.suggest(command)
            for command in (
                "train model=multicond",
                "sample --eta 1.0",
                "eval miou accuracy attributes",
                "swap-masks",
            )
        ],
    )


def _go_through(demo: "Demo") -> tuple[Path, dict[str, str], dict[str, str]]:
    """Take every step before the page; return results.json, the page's pictures by name, and what the edits made."""
    from facecond.demo.edits import draw_edits

    config, plan = demo.config, demo.plan
    common = [f"run={demo.run('multicond')}", f"pack={demo.pack}", *PACES[plan.pace].sampling]
    demo.step("draw", data_draw, [
        f"data.count={plan.faces}", f"data.validation={plan.validation}", f"data.seed={plan.seed}",
        f"resolution={config.resolution}", f"name={demo.pack_name}",
    ])  # fmt: skip
    if "shipped" in plan.steps:
        demo.step("shipped", sample, [
            f"count={FIRST}", f"run={there(config)['multicond']}", f"pack={demo.pack}", f"name={demo.name}-shipped",
        ])  # fmt: skip
    if "vq" in plan.images:
        demo.train("vq")
    demo.step("encode", encode, [f"pack={demo.pack}", f"first_stage={demo.run('vq')}"])
    for judge in ("parser", "classifier"):
        if judge in plan.images:
            demo.train(judge)
    demo.train("multicond")
    measured = demo.step("measure", evaluate, [
        f"measures={MEASURES}", f"count={config.count}", f"parser={demo.run('parser')}",
        f"classifier={demo.run('classifier')}", *common,
    ])  # fmt: skip
    drawn_by = there(config).get("maps") if "maps" in plan.came_along else None
    sets = [*ATTRIBUTE_SETS, *(SHOWN_BY_MAPS if drawn_by else [])]
    grid = demo.step("sets", sample, [
        "grid=attributes", "only=[attributes]", f"maps={drawn_by or 'none'}", "attr=''", f"attribute_sets=[{','.join(sets)}]",
        "count=4", *([] if drawn_by else ["guidance.attributes=4"]),
        f"name={demo.name}-attributes", *common,
    ])  # fmt: skip
    on_maps = demo.step("on-maps", sample, [
        "grid=attributes", f"attribute_sets={ON_MAPS}", "count=4", f"name={demo.name}-on-maps", *common,
    ])  # fmt: skip
    variations = demo.step("variations", sample, [
        "grid=variations", "samples=8", "count=3", "sampler.eta=1.0", f"name={demo.name}-variations", *common,
    ])  # fmt: skip
    swap = demo.step("swap", swap_masks, [
        "parts=[hair]", "count=2", "samples=4", f"name={demo.name}-hair", *common,
    ])  # fmt: skip
    edits = demo.call("edits", lambda: draw_edits(config, demo.folder, common))
    pictures = {
        "sets": grid["grid"],
        "on maps": on_maps["grid"],
        "variations": variations["grid"],
        "swap": swap["figure"],
        "edits": edits["figure"],
    }
    return Path(measured["results"]), pictures, edits


class Demo:
    """The demo's steps with its words."""

    def __init__(self, config: DemoConfig, name: str, folder: Path, plan: Plan) -> None:
        self.config, self.name, self.plan, self.folder = config, name, plan, folder
        self.now = ""
        """Key of the step that is under way."""
        self._began = 0.0
        self.pack_name = f"{name}-drawn-{config.resolution}"
        self._steps = Steps(folder / "steps.json", len(plan.steps))

    @property
    def steps(self) -> dict[str, Step]:
        """What is known of each step: title, words, seconds, what it made."""
        return self._steps.entries

    @property
    def pack(self) -> Path:
        """The drawn faces."""
        return Path(self.config.workspace) / "packs" / self.pack_name

    @property
    def seconds(self) -> float:
        """Time spent so far, over all continuations."""
        return self._steps.seconds

    def spent(self) -> dict[str, float]:
        """Seconds of each step so far, with that under way."""
        spent = {key: entry["seconds"] for key, entry in dict(self.steps).items()}
        if self.now:
            spent[self.now] = spent.get(self.now, 0.0) + time.monotonic() - self._began
        return spent

    def left(self) -> float:
        """Seconds that the rest is thought to take."""
        done = [key for key, entry in dict(self.steps).items() if entry["done"] and key != self.now]
        return self.plan.left(self.spent(), done)

    def run(self, model: str) -> Path:
        """Run folder of a model: trained here, or come with the program."""
        if model not in self.plan.images:
            return there(self.config)[model]
        return Path(self.config.workspace) / "runs" / f"{self.name}-{model}"

    def train(self, model: str) -> None:
        """Train one model of the plan."""
        words = [f"name={self.name}-{model}", f"pack={self.pack}", *overrides(model, self.plan)]
        if model == "multicond":
            words.append(f"first_stage={self.run('vq')}")
            log.info("the diffusion model learns from %s", learnt_from(self.plan))
        self.step(model, train, words)

    def step(self, key: str, module: Any, words: list[str]) -> dict[str, str]:
        """Run a command as a step, unless it is done; return what it made."""
        words = [*words, f"workspace={self.config.workspace}"]
        if module is not data_draw:
            words.append(f"device={self.config.device.name}")
        return self.call(key, lambda: run_command(module, words), words=words)

    def call(
        self,
        key: str,
        work: Callable[[], dict[str, str]],
        *,
        words: Sequence[str] = (),
        again: bool = False,
    ) -> dict[str, str]:
        """Do one piece of work, unless it is done; see `Steps.call`."""
        left = self.left()
        self.now, self._began = key, time.monotonic()
        try:
            return self._steps.call(key, TITLES[key], work, words=words, again=again, left=left)
        finally:
            self.now = ""
