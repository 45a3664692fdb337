"""Make the weights that come with the program, `facecond/bundled`: `make pretrained`, or `python -m benchmarks.bundle`.

Draws people, trains first stage, judges and a multi-conditional model on them, writes each in half precision as it is done (so
that latents are those of the first stage that comes with the program), measures what was written, and writes a model card. It
takes hours; what is done is not done again, and what was interrupted goes on. `--share 0.01` is a hundredth of it.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.open_maps import TEN, Alone, measure
from facecond.commands import data_draw, encode, train
from facecond.commands import eval as evaluate
from facecond.commands.steps import Steps, run_command
from facecond.io.documents import Record, read_json, write_json
from facecond.io.files import sha256_file
from facecond.progress import start_log
from facecond.workspace.find import BUNDLED, MEMBERS, SETS

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = SETS[0]

FACES, HELD_OUT, SEED = 32768, 1024, 11
"""Drawn people to learn from and to measure on. Their seed is nobody's default, so that they meet no pack of a user."""

LEAST_HELD_OUT = 16

PEOPLE, PEOPLE_SEED = 16, 12
"""People that come with the program, for commands that are asked for people where there is no pack."""

RECIPES: dict[str, tuple[int, list[str]]] = {
    "vq": (288_000, [
        "model.network.decoder_ch=32", "model.network.n_embed=4096", "model.training.restart_every=16000", "trainer.batch_size=32",
        "trainer.warmup_images=6400", "trainer.learning_rate=1.5e-3", "trainer.clip_norm=1",
    ]),
    "parser": (640_000, ["model.network.width=32", "trainer.batch_size=64", "trainer.warmup_images=6400"]),
    "classifier": (640_000, ["trainer.batch_size=64", "trainer.warmup_images=6400"]),
    "multicond": (1_510_400, [
        "trainer.optimizer=adamw", "model.denoiser.placed_tokens=attend", "model.mask.grid=8",
        "model.target=velocity", "model.schedule.shape=straight", "model.joint_dropout=0.1", "trainer.batch_size=256",
        "trainer.warmup_images=128000", "trainer.learning_rate=1.5e-3", "trainer.ema_decay=0.999",
    ]),
    "maps": (512_000, [
        "model.denoiser.model_channels=30", "model.denoiser.head_channels=30", "model.denoiser.norm_groups=30",
        "trainer.batch_size=64", "trainer.warmup_images=12800", "trainer.learning_rate=2.0e-3", "guidance.scale=2.5",
    ]),
}  # fmt: skip
"""Images each model learns from, and what differs from `size=tiny`."""

SELDOM = 8
"""Evaluations and checkpoints of each training, beside those by the minute."""

MEASURES = ["miou", "accuracy", "attributes", "reconstruction"]


ALONE = "Attributes alone, as `python -m benchmarks.open_maps` measures them: "


def training(name: str, images: int, words: Sequence[str]) -> list[str]:
    """The words that train one of the models."""
    every = {
        "images": images,
        "evaluate_every": max(images // SELDOM, 1),
        "checkpoint_every": max(images // SELDOM, 1),
        "log_every": max(images // 100, 1),
    }
    return [
        f"model={name}", "size=tiny", f"name={NAME}-{name}", "trainer.tensorboard=false",
        *(f"trainer.{key}={value}" for key, value in every.items()), *words,
    ]  # fmt: skip


def halved(run: Path, target: Path) -> dict[str, str]:
    """Write a finished run as one that comes with the program: matrices in half precision, nothing about this machine."""
    import torch

    from facecond.io.checkpoint import load_weights, save_weights

    weights = load_weights(run / "weights.safetensors")
    tensors = {
        name: tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in weights.tensors.items()
    }
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point())
    target.mkdir(parents=True, exist_ok=True)
    digest = save_weights(target / "weights.safetensors", tensors, weights.config, **weights.metadata)
    content = read_json(run / "run.json", Record)
    content |= {"pack_path": "", "overrides": []}
    content["config"] |= {"workspace": "outputs", "pack": None, "name": None}
    if "first_stage" in content["config"]:
        content["config"]["first_stage"] = None
    write_json(target / "run.json", content, checksum=True)
    done = read_json(run / "done.json", Record)
    write_json(target / "done.json", {**done, "weights_sha256": digest, "metrics_lines": 0}, checksum=True)
    return {"run": str(target)}


def people(workspace: str, target: Path) -> dict[str, str]:
    """Draw the people that come with the program."""
    name = f"{NAME}-people"
    run_command(data_draw, [
        f"workspace={workspace}", f"name={name}", f"data.count={PEOPLE + 1}", f"data.validation={PEOPLE}",
        f"data.seed={PEOPLE_SEED}", "resolution=64",
    ])  # fmt: skip
    shutil.copytree(Path(workspace) / "packs" / name, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    return {"pack": str(target)}


def card(
    chosen: Sequence[str], runs: Path, results: Path | None, alone: Path | None, target: Path, faces: int, held_out: int
) -> dict[str, str]:
    """Write the model card and the record beside the weights.

    `chosen` are the models that were made now, `runs` is the folder of the trainings, `results` what was measured, `alone` the
    folder that `benchmarks.open_maps` wrote. What is not there stays as the record has it.
    """
    from facecond.io.results import read_results
    from facecond.io.runs import read_lines
    from facecond.reports.tables import figure_rows, markdown

    file = target / f"{NAME}.json"
    record: dict[str, Any] = read_json(file, Record) if file.is_file() else {"set": NAME, "models": {}}
    rows = [["model", "words of `facecond train`", "images", "minutes", "machine", "MB"]]
    for name, (_, words) in RECIPES.items():
        run = target / f"{NAME}-{name}"
        if name in chosen and (runs / run.name / "done.json").is_file():
            done, content = read_json(run / "done.json", Record), read_json(run / "run.json", Record)
            record["models"][name] = {
                "words": ["size=tiny", *words], "images": done["images_seen"], "seconds": round(done["seconds"]),
                "sha256": done["weights_sha256"], "bytes": (run / "weights.safetensors").stat().st_size, "code": content["code"],
                "versions": content["versions"],
                "evaluations": [line for line in read_lines(runs / run.name) if line["kind"] == "evaluation"],
            }  # fmt: skip
        if made := record["models"].get(name):
            on = made["versions"]["cuda"] if made["versions"]["cuda"] != "none" else made["versions"]["machine"]
            rows.append(
                [
                    name,
                    " ".join(made["words"]),
                    str(made["images"]),
                    f"{made['seconds'] / 60:.1f}",
                    on,
                    f"{made['bytes'] / 1e6:.1f}",
                ]
            )
    if results is not None:
        figures = [replace(each, classes=()) for each in read_results(results).figures]
        kept = ("name", "value", "spread", "ceiling", "floor", "count")
        record["figures"] = [{key: value for key, value in asdict(each).items() if key in kept} for each in figures]
        record["table"] = markdown(figure_rows(figures))
    if alone is not None:
        found = read_json(alone / "figures.json", Record)
        record["attributes_alone"] = {
            "table": (alone / "table.md").read_text(), "told_apart": found["told_apart"],
            "pixels_that_differ": found["pixels_that_differ"],
        }  # fmt: skip
    write_json(file, record)
    text = "\n".join([
        f"# {NAME}: the weights that come with the program", "",
        f"Made by `make pretrained` from {faces} drawn people at 64 px (`facecond data draw data.seed={SEED}`), nothing else; no",
        "photograph of a person is in them. Use: trying the program, the demo's judges and first stage, tests. They know drawn",
        "faces and no others. Half precision on disk, float32 when loaded; the files are safetensors and are never unpickled.", "",
        markdown(rows),
        f"Measured as they are here, on {held_out} people that none of them saw (`facecond eval {' '.join(MEASURES)}`):", "",
        record.get("table", ""),
        *([ALONE + record["attributes_alone"]["table"]] if "attributes_alone" in record else []),
        f"How they learnt, and the SHA-256 of each file, stands in {NAME}.json.", "",
    ])  # fmt: skip
    (target / f"{NAME}.md").write_text(text, encoding="utf-8")
    return {"card": str(target / f"{NAME}.md")}


def make(workspace: str, target: Path, share: float, device: str, only: Sequence[str] | None = None) -> None:
    """Go through the steps; with `only`, draw people and make these models, which another process may do for others."""
    chosen = list(RECIPES) if only is None else [name for name in RECIPES if name in only]
    account = "bundle.json" if only is None else "-".join(["bundle", *chosen]) + ".json"
    count = 1 + 2 * len(chosen) + ("multicond" in chosen) + ("maps" in chosen) + 1 + 2 * (only is None)
    steps = Steps(Path(workspace) / account, count)
    faces, held_out = int(FACES * share), max(LEAST_HELD_OUT, int(HELD_OUT * share))
    pack = f"{workspace}/packs/{NAME}"
    common = [f"workspace={workspace}", f"pack={pack}", f"device={device}"]

    def step(key: str, module: Any, words: Sequence[str]) -> dict[str, str]:
        return steps.call(key, key, lambda: run_command(module, words), words=words)

    step("draw people", data_draw, [
        f"workspace={workspace}", f"name={NAME}", f"data.count={faces + held_out}", f"data.validation={held_out}",
        f"data.seed={SEED}", "resolution=64",
    ])  # fmt: skip
    for kind, name in MEMBERS.items():
        if name not in chosen:
            continue
        images, words = RECIPES[name]
        words = training(name, int(images * share), words)
        if kind == "diffusion":
            stage = f"first_stage={target / f'{NAME}-vq' / 'weights.safetensors'}"  # kept in the workspace, by content
            step("encode", encode, [*common, stage])
            words.append(stage)
        run = step(f"train {name}", train, [*common, *words])["run"]
        place = target / f"{NAME}-{name}"
        digest = sha256_file(Path(run) / "weights.safetensors")
        steps.call(f"write {name}", f"write {name}", partial(halved, Path(run), place), words=[digest])
    results = alone = None
    if only is None:
        results = step("measure", evaluate, [
            *common, f"measures=[{','.join(MEASURES)}]", f"count={held_out}", f"run={target / f'{NAME}-multicond'}",
            *(f"{judge}={target / f'{NAME}-{judge}'}" for judge in ("parser", "classifier")),
        ])["results"]  # fmt: skip
        steps.call("people", "draw the people that come along", lambda: people(workspace, target / f"{NAME}-people"))
    runs = {name: target / f"{NAME}-{name}" for name in ("multicond", "maps", "parser", "classifier")}
    weights = [run / "weights.safetensors" for run in runs.values()]
    if "maps" in chosen and all(file.is_file() for file in weights):
        each = max(2, round(TEN * min(share, 1)))
        told = Alone(
            workspace, pack, {name: str(run) for name, run in runs.items()}, min(256, held_out), device, each=each
        )
        alone = steps.call(
            "measure maps", "sample attributes alone", lambda: {"folder": str(measure(told))}, words=[*map(sha256_file, weights)],
        )["folder"]  # fmt: skip
    steps.call(
        "card",
        "write the card",
        lambda: card(
            chosen,
            Path(workspace) / "runs",
            Path(results) if results else None,
            Path(alone) if alone else None,
            target,
            faces,
            held_out,
        ),
        again=True,
    )


def main() -> None:
    """Read the words and make the set."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--workspace", default="outputs/bundle", help="where runs and measurements are kept")
    words.add_argument("--to", type=Path, default=BUNDLED, help="where the set is written")
    words.add_argument("--share", type=float, default=1.0, help="share of the people and of the training")
    words.add_argument("--device", default="auto")
    words.add_argument("--only", nargs="*", choices=RECIPES, help="models to make (with none: draw people alone)")
    options = words.parse_args()
    start_log()
    make(options.workspace, options.to, options.share, options.device, options.only)


if __name__ == "__main__":
    main()
