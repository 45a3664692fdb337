"""The set that comes with the program: whole, small, and in an empty workspace as good as its card says."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from facecond.cli.execute import MODULES
from facecond.commands.result import Result
from facecond.faces.labels import CLASSES
from facecond.io.checkpoint import load_weights
from facecond.io.documents import Record, read_json
from facecond.io.files import sha256_file
from facecond.sampling.generation import open_generation
from facecond.workspace.find import MEMBERS, SETS

pytestmark = pytest.mark.bundled

NAME = SETS[0]

LARGEST = {"": 16_000_000, "maps": 3_000_000}
"""Bytes of everything together, the generator of maps apart."""

AIMS = {"miou": (0.80, 0.90), "attribute_accuracy": (0.95, 0.985), "psnr": (30.5, None)}
"""What samples and real pictures are read as at least. 16 people are few; the card has 1,024."""


def call(command: str, *words: str) -> Result:
    module = importlib.import_module(MODULES[command])
    result: Result = module.run(module.prepare(list(words)))
    return result


def test_the_recipe_of_maps_makes_what_is_small_enough() -> None:
    """Counted before hours of training: matrices in half precision, vectors in float32, 40 kB of names and records."""
    from benchmarks.bundle import RECIPES
    from facecond.assembly.generator import diffusion_networks
    from facecond.config.compose import compose

    model = compose("train", ["model=maps", "size=tiny", *RECIPES["maps"][1]]).config.model
    networks = diffusion_networks(model, len(CLASSES), 64)
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    assert sum(tensor.numel() * (2 if tensor.ndim > 1 else 4) for tensor in tensors) + 40_000 <= LARGEST["maps"]


def test_it_is_whole_and_small(came_along: Path) -> None:
    maps = came_along / f"{NAME}-maps"
    files = [path for path in came_along.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if maps not in path.parents) <= LARGEST[""]
    assert sum(path.stat().st_size for path in files if maps in path.parents) <= LARGEST["maps"]
    record = read_json(came_along / f"{NAME}.json", Record)
    assert set(record["models"]) == {kind for kind in MEMBERS.values() if (came_along / f"{NAME}-{kind}").is_dir()}
    assert set(record["models"]) >= {"vq", "parser", "classifier", "multicond"}
    for name, model in record["models"].items():
        run = came_along / f"{NAME}-{name}"
        digest = sha256_file(run / "weights.safetensors")
        assert digest == model["sha256"] == read_json(run / "done.json", Record)["weights_sha256"]
        assert model["bytes"] == (run / "weights.safetensors").stat().st_size
    diffusion = load_weights(came_along / f"{NAME}-multicond" / "weights.safetensors")
    assert diffusion.config["first_stage"] == record["models"]["vq"]["sha256"]


def test_it_obeys_where_there_is_nothing_else(tmp_path: Path) -> None:
    result = call("eval", f"workspace={tmp_path}", "measures=[miou,attributes,reconstruction]", "count=16")
    figures = {figure.name: figure for figure in result.figures}
    for name, (samples, real) in AIMS.items():
        assert figures[name].value >= samples, name
        assert real is None or figures[name].ceiling >= real, name
    assert figures["miou"].value > figures["miou"].floor + 0.3


def test_attributes_alone_are_obeyed(tmp_path: Path) -> None:
    """Hair is black and then blond, in the colours of the pictures: brightness about the crown, 0 to 255."""
    bright = []
    for hair in ("Black_Hair", "Blond_Hair"):
        told = f"attr='+{hair},-Male,-Wearing_Hat'", "count=4", "sampler.steps=8"
        made = call("sample", f"workspace={tmp_path}", *told, f"name={hair}")
        images = open_generation(made.made["images"].parent).images
        bright.append(np.asarray(images)[:, 6:14, 24:40].mean(axis=(1, 2, 3)))
    assert min(bright[1]) > max(bright[0])
