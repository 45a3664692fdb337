"""A generation folder: images depend on their request only, work continues, and other settings are refused."""

import hashlib
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facecond.errors import DataError
from facecond.faces.labels import PALETTE
from facecond.sampling.folder import finish, read_values
from facecond.sampling.generation import generate, open_generation
from facecond.sampling.plans import Lazy, Prompt, Request, one_each, several

LATENT = (3, 4, 4)
MADE_WITH: dict[str, Any] = {"weights": "a" * 64, "sampler": {"name": "ddim", "steps": 20, "eta": 1.0}}


class StandIn:
    """Pictures that show all an image may depend on: start noise, noise of two steps, labels, attributes."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.batches: list[int] = []
        self.stop_after = stop_after

    def __call__(self, values: Any, start_noise_BCHW: Any, noise_source: Any) -> np.ndarray:
        labels, attributes = values.get("mask"), values.get("attributes")
        if self.stop_after is not None and len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append(len(start_noise_BCHW))
        value = start_noise_BCHW + 0.5 * noise_source(0) + 0.25 * noise_source(17)
        picture = value.mul(40).add(128).clamp(0, 255).permute(0, 2, 3, 1).byte()
        if labels is not None:
            picture[..., 0] += labels[..., 0, 0].reshape(len(picture), -1)[:, :1, None].byte()
        if attributes is not None:
            picture[..., 1] += attributes[:, 3, None, None].byte()
        return picture.numpy()


def said(labels: Any, attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in (("mask", labels), ("attributes", attributes)) if value is not None}


def prompts() -> list[Prompt]:
    generator = np.random.default_rng(0)
    kinds: list[Prompt] = []
    for number in range(9):
        labels: Any = generator.integers(0, 19, (8, 6)).astype(np.uint8)
        labels[0, :2] = (255, number)
        if number % 3 == 1:
            labels = generator.random((18, 8, 6)) < 0.3
        if number % 3 == 2:
            labels = None
        attributes = generator.integers(-1, 2, 40).astype(np.int8) if number % 2 else None
        kinds.append(Prompt(values=said(labels, attributes), description={"n": number}, source=f"item {number}"))
    return kinds


def run(folder: Path, plan: Sequence[Request], render: Any = None, *, batch_size: int = 4, **more: Any) -> int:
    settings = {"made_with": MADE_WITH, "latent_shape": LATENT, "batch_size": batch_size} | more
    return generate(plan, render or StandIn(), folder, **settings)


def content(folder: Path) -> dict[str, str]:
    files = [
        *folder.glob("images/*"),
        *folder.glob("conditions/*.png"),
        folder / "images.npy",
        folder / "records.jsonl",
    ]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_batch_size_processes_and_interruption_change_nothing(tmp_path: Path) -> None:
    plan = several(prompts(), 2, seed=3)
    assert run(tmp_path / "one", plan) == 18
    expected = content(tmp_path / "one")
    assert len([name for name in expected if name.startswith("images/")]) == 18

    run(tmp_path / "batches", plan, batch_size=1)
    assert content(tmp_path / "batches") == expected

    made = [run(tmp_path / "many", plan, rank=rank, world_size=3) for rank in (2, 0, 1)]
    assert made == [6, 6, 6]
    assert finish(tmp_path / "many") == 18
    assert content(tmp_path / "many") == expected
    assert list((tmp_path / "many").glob("records-*")) == []

    stopped, rest = StandIn(stop_after=3), StandIn()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", plan, stopped, batch_size=2)
    with (tmp_path / "stopped" / "records.jsonl").open("a") as stream:
        stream.write('{"index": 17, "se')  # the power went while a line was written
    with pytest.raises(DataError, match="lacks 12 of 18 images"):
        open_generation(tmp_path / "stopped")
    assert run(tmp_path / "stopped", plan, rest, batch_size=2) == 12
    assert sum(stopped.batches) + sum(rest.batches) == 18
    assert content(tmp_path / "stopped") == expected
    assert run(tmp_path / "stopped", plan) == 0


def test_a_run_of_several_processes_continues_with_another_number(tmp_path: Path) -> None:
    plan = several(prompts(), 2, seed=3)
    run(tmp_path / "one", plan)
    for rank in range(3):
        stopped = StandIn(stop_after=1)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "many", plan, stopped, rank=rank, world_size=3, batch_size=1)
    assert run(tmp_path / "many", plan) == 15
    assert content(tmp_path / "many") == content(tmp_path / "one")


def test_more_images_keep_those_already_made(tmp_path: Path) -> None:
    few, many = one_each(prompts()[:4], 1), one_each(prompts(), 1)
    run(tmp_path / "grown", few)
    assert run(tmp_path / "grown", many) == 5
    run(tmp_path / "whole", many)
    assert content(tmp_path / "grown") == content(tmp_path / "whole")
    assert run(tmp_path / "grown", few) == 0
    assert len(open_generation(tmp_path / "grown").images) == 9


def test_array_pngs_and_records_agree(tmp_path: Path) -> None:
    wanted = prompts()
    run(tmp_path, one_each(wanted, 1))
    generation = open_generation(tmp_path)
    assert generation.images.shape == (9, 4, 4, 3)
    for index, (record, prompt) in enumerate(zip(generation.records, wanted, strict=True)):
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"images/{index:06d}.png")), generation.images[index])
        used = read_values(tmp_path, record)
        assert used.keys() == prompt.values.keys()
        for name, value in prompt.values.items():
            assert used[name].dtype == value.dtype
            assert np.array_equal(used[name], value)
        assert record["source"] == f"item {index}"
        assert record["description"] == {"n": index}
        assert record["sampler"] == MADE_WITH["sampler"]


def test_label_maps_are_kept_once_and_in_their_colours(tmp_path: Path) -> None:
    run(tmp_path, several(prompts()[:1], 5, seed=0))
    (file,) = (tmp_path / "conditions").iterdir()
    labels = prompts()[0].values["mask"]
    colours = np.asarray(Image.open(file).convert("RGB"))
    assert labels is not None
    known = labels < 19
    assert np.array_equal(colours[known], PALETTE[labels[known]])
    assert (colours[~known] == 255).all()


def test_deleted_pictures_and_arrays_are_made_again(tmp_path: Path) -> None:
    plan = one_each(prompts(), 1)
    run(tmp_path, plan)
    expected = content(tmp_path)
    (tmp_path / "images.npy").unlink()
    render = StandIn()
    assert run(tmp_path, plan, render) == 0
    assert render.batches == []
    assert content(tmp_path) == expected
    (tmp_path / "images/000004.png").unlink()
    assert run(tmp_path, plan) == 1
    assert content(tmp_path) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "b" * 64}, "made with weights=aaaaaaaaaaaa..., not weights=bbbbbbbbbbbb..."),
        ({"sampler": MADE_WITH["sampler"] | {"steps": 50}}, "made with sampler.steps=20, not sampler.steps=50"),
        ({"guidance": {"mask": 2.0}}, "made with guidance.mask=nothing, not guidance.mask=2.0"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    plan = one_each(prompts(), 1)
    run(tmp_path, plan)
    before = content(tmp_path)
    with pytest.raises(DataError, match=message):
        run(tmp_path, plan, made_with=MADE_WITH | change)
    assert content(tmp_path) == before


def test_a_setting_younger_than_the_folder_means_its_default(tmp_path: Path) -> None:
    """The same noise and sampler after the schema gained `sampler.order`: at its default nothing is made again."""
    plan = one_each(prompts(), 1)
    run(tmp_path, plan)
    younger, defaults = {"sampler": MADE_WITH["sampler"] | {"order": 2}}, {"sampler": {"order": 2, "eta": 0.0}}
    assert run(tmp_path, plan, made_with=MADE_WITH | younger, defaults=defaults) == 0
    with pytest.raises(DataError, match=r"made with sampler.order=2, not sampler.order=3"):
        run(tmp_path, plan, made_with=MADE_WITH | {"sampler": MADE_WITH["sampler"] | {"order": 3}}, defaults=defaults)
    with pytest.raises(DataError, match=r"sampler.eta=1.0, a setting this version does not have"):
        run(tmp_path, plan, made_with=MADE_WITH | {"sampler": {"name": "ddim", "steps": 20}}, defaults=defaults)


def test_other_requests_are_refused(tmp_path: Path) -> None:
    wanted = prompts()
    run(tmp_path, one_each(wanted, 1))
    with pytest.raises(DataError, match="image 0 was made from another seed"):
        run(tmp_path, one_each(wanted, 2))
    changed = [Prompt(values={**wanted[0].values, "mask": np.zeros((8, 6), np.uint8)}), *wanted[1:]]
    with pytest.raises(DataError, match="image 0 was made from another mask"):
        run(tmp_path, one_each(changed, 1))
    changed = [Prompt(values={**wanted[0].values, "attributes": np.ones(40, np.int8)}), *wanted[1:]]
    with pytest.raises(DataError, match="image 0 was made from another attributes"):
        run(tmp_path, one_each(changed, 1))


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other files"):
        run(tmp_path, one_each(prompts(), 1))
    (tmp_path / "generation.json").write_text(json.dumps({"format": "facecond-pack", "version": 1}))
    with pytest.raises(DataError, match="format is"):
        run(tmp_path, one_each(prompts(), 1))
    with pytest.raises(DataError, match="no such file"):
        open_generation(tmp_path / "nowhere")


def test_mistakes_of_the_caller_are_plain_errors(tmp_path: Path) -> None:
    plan = one_each(prompts(), 1)
    with pytest.raises(ValueError, match="request 1 of the plan is of image 0"):
        run(tmp_path, [plan[0], plan[0]])
    with pytest.raises(ValueError, match="lacks"):
        run(tmp_path, plan, made_with={"weights": "a"})
    with pytest.raises(ValueError, match="render gave float32"):
        run(tmp_path, plan, lambda *values: np.zeros((len(values[1]), 4, 4, 3), np.float32))


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """Neither requests, label maps (66 kB each), records nor pictures are held beyond the batches in work."""

    def prompt(place: int) -> Prompt:
        labels = np.full((256, 256), place % 19, np.uint8)
        labels[0, 0] = place // 19 % 19
        return Prompt(values=said(labels, np.ones(40, np.int8)), source=str(place))

    def peak(count: int) -> int:
        folder, plan = tmp_path / str(count), one_each(Lazy(count, prompt), 0)
        tracemalloc.start()
        run(folder, plan, lambda *given: np.zeros((len(given[1]), 4, 4, 3), np.uint8), batch_size=16)
        generation = open_generation(folder)
        assert len(generation.images) == len(generation.records) == count
        assert generation.records[count - 1]["source"] == str(count - 1)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(20)  # what is loaded once
    few, many = peak(80), peak(255)
    assert many - few < 6_000_000  # 175 label maps are 11 MB


def test_a_lazy_sequence_makes_what_is_asked_for() -> None:
    made: list[int] = []
    lazy = Lazy(10**9, lambda place: made.append(place) or place * place, keep=2)
    assert len(lazy) == 10**9
    assert (lazy[3], lazy[3], lazy[10**9 - 1], lazy[4:6]) == (9, 9, (10**9 - 1) ** 2, [16, 25])
    assert made == [3, 10**9 - 1, 4, 5]
    with pytest.raises(IndexError):
        lazy[10**9]
