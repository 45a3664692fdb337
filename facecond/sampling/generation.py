"""From a plan to a folder of images: batches, noise, records, continuing (the paper, section 4, "Sampling").

Every image depends on the weights, its condition, its seed and the sampler, and on nothing else. What turns noise into
pictures is passed in (`Render`): this package depends on no network, first stage or sampler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecond.conditions.table import CONDITIONS
from facecond.errors import DataError, NotFiniteError
from facecond.io.images import digest_of_pixels
from facecond.memory import Halving
from facecond.progress import bar
from facecond.sampling.folder import GenerationFolder, digest_of, finish, open_images, read_manifest
from facecond.sampling.noise import StepNoise, start_noise
from facecond.sampling.plans import Lazy, Prompt, Request
from facecond.types import NoiseSource, Values

Digests = dict[int, dict[str, str]]
"""Identity of a prompt -> SHA-256 of its values, by condition."""


Complete = Callable[[Sequence[Request]], list[Request]]
"""Returns requests with what their prompts leave open filled in, as far as it can; a pure function of each request."""


class Step(NamedTuple):
    """A step of sampling that is under way: the network has answered, its answer is not yet used."""

    what: str
    """"pictures", or "maps" where label maps are drawn first."""
    number: int
    """From 0."""
    of: int
    """Steps in all."""
    look: Callable[[], NDArray[np.uint8]]
    """Returns what the network now takes for the clean data: pictures uint8 (B, H, W, 3), or label maps uint8 (B, H, W)."""


Watch = Callable[[Step], None]
"""Sees every step. What it raises ends the sampling, and nothing of it is kept. It changes no picture."""


class Render(Protocol):
    """Conditions and noise in, pictures out: network, sampler and first stage behind one call."""

    def __call__(self, values: Values, start_noise_BCHW: Tensor, noise_source: NoiseSource) -> NDArray[np.uint8]:
        """Return pictures (B, H, W, 3) uint8.

        `values` are on the device of the noise; a condition that no image of the batch is told is missing.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """A folder of images, opened for looking."""

    folder: Path
    images: NDArray[np.uint8]
    """(N, H, W, 3), read from images.npy as needed; row = index of the image."""
    records: Sequence[dict[str, Any]]
    """One per image, by index; read as needed."""
    made_with: dict[str, Any]
    about: dict[str, Any]
    """What is kept beside and not compared, for example which pack the conditions come from."""


def generate(
    plan: Sequence[Request],
    render: Render,
    folder: Path,
    *,
    made_with: Mapping[str, Any],
    latent_shape: tuple[int, int, int],
    batch_size: int,
    device: torch.device | str = "cpu",
    about: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    rank: int = 0,
    world_size: int = 1,
    description: str = "sampling",
    complete: Complete = list,
) -> int:
    """Make the images of `plan`, request i being image i, that `folder` does not hold yet; return how many were made here.

    Requests are asked for one after another, and no more of them are held than are in work.

    `made_with` says what the images depend on besides their requests; it holds at least "weights" (SHA-256) and
    "sampler" (a mapping), and a folder made with anything else is refused; `defaults` say what settings mean that an
    older folder does not record. `about` is kept and not compared. Process
    `rank` of `world_size` makes the requests at places rank, rank + world_size, ... of the plan; with several, call
    `finish(folder)` in one of them when all have ended. `complete`: see `batches`.

    Raises DataError when the folder holds images made with something else, or from other seeds or conditions.
    """
    if missing := {"weights", "sampler"} - made_with.keys():
        raise ValueError(f"made_with lacks {sorted(missing)}")
    count = len(plan)
    store = GenerationFolder(folder, made_with=made_with, about=about or {}, count=count, defaults=defaults)
    for index in range(count):  # every process looks at all of it, so that either all go on or none does
        if index in store.records:
            _refuse_other_request(plan[index], store.records[index], folder)
    store.lengthen(count)
    mine = range(rank, count, world_size)
    pending = [index for index in mine if index not in store.records]

    def save(batch: Sequence[Request], images_BHWC: NDArray[np.uint8]) -> None:
        indices = [request.index for request in batch]
        store.write_rows(indices, images_BHWC)
        list(writers.map(store.write_image, indices, images_BHWC))
        digests: Digests = {}
        records = [_record(request, store, made_with["sampler"], digests) for request in batch]
        for record, image_HWC in zip(records, images_BHWC, strict=True):
            record["pixels"] = digest_of_pixels(image_HWC)
        store.append(records, rank, world_size)
        progress.update(len(batch))

    with (
        bar(description, len(mine), initial=len(mine) - len(pending)) as progress,
        ThreadPoolExecutor(max_workers=4, thread_name_prefix="write-png") as writers,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="save-batch") as saver,
    ):
        saving: Future[None] | None = None
        for batch, images_BHWC in batches(_checked(plan, pending), render, latent_shape, batch_size, device, complete):
            if saving is not None:  # one batch is written while the next is made
                saving.result()
            saving = saver.submit(save, batch, images_BHWC)
        if saving is not None:
            saving.result()
    if pending == [] and store.records:
        store.prepare_array(store.read_png(next(iter(store.records))).shape)  # rebuild images.npy where it was deleted
    if world_size == 1:
        finish(folder)
    return len(pending)


def open_generation(folder: Path, count: int | None = None) -> Generation:
    """Open the first `count` images of a folder, or all, for looking and measuring.

    Raises DataError, with the number missing, when some of them are not there.
    """
    manifest = read_manifest(folder)
    store = GenerationFolder(folder, made_with=manifest["made_with"], about=manifest["about"], count=manifest["count"])
    count = manifest["count"] if count is None else count
    missing = sum(index not in store.records for index in range(count))
    if missing or manifest["image_shape"] is None:
        raise DataError(
            f"{folder} lacks {missing} of {count} images",
            hint="run the command that made it again to continue",
        )
    store.prepare_array(tuple(manifest["image_shape"]))
    store.mend_array()
    images = open_images(folder / "images.npy")[:count]
    records = Lazy(count, store.records.__getitem__, keep=0)
    return Generation(
        folder=folder, images=images, records=records, made_with=manifest["made_with"], about=dict(manifest["about"])
    )


def _checked(plan: Sequence[Request], indices: Iterable[int]) -> Iterator[Request]:
    for index in indices:
        request = plan[index]
        if request.index != index:
            raise ValueError(f"request {index} of the plan is of image {request.index}")
        yield request


def batches(
    requests: Iterable[Request],
    render: Render,
    latent_shape: tuple[int, int, int],
    batch_size: int,
    device: torch.device | str = "cpu",
    complete: Complete = list,
) -> Iterator[tuple[list[Request], NDArray[np.uint8]]]:
    """Make the images of `requests`; yield requests, at most `batch_size`, with their images, uint8 (B, H, W, 3).

    `complete` may fill in, for some requests at a time, what their prompts leave open; completed ones are yielded.
    """
    halving = Halving("batch_size")
    for batch in _batches(_completed(requests, complete, batch_size), batch_size):

        def made(part: slice, batch: list[Request] = batch) -> NDArray[np.uint8]:
            return _render(batch[part], render, latent_shape, device)

        yield batch, np.concatenate(halving.over(len(batch), made))


def record_of(request: Request, known: Digests) -> dict[str, Any]:
    """Return what is said of an image, the values it was told as arrays; `known` keeps digests from one call to the next."""
    prompt, digests = request.prompt, _digests(request.prompt, known)
    told = {name: {"value": value, "sha256": digests[name]} for name, value in prompt.values.items()}
    for name, given in prompt.given.items():
        told[name]["given"] = None if given is None else digest_of(given)
    return {
        "index": request.index,
        "seed": request.seed,
        "source": prompt.source,
        "description": dict(prompt.description),
        "told": told,
        "place": dict(request.place),
    }


def _completed(requests: Iterable[Request], complete: Complete, count: int) -> Iterator[Request]:
    """The requests completed, `count` at a time."""
    waiting: list[Request] = []
    for request in requests:
        waiting.append(request)
        if len(waiting) == count:
            yield from complete(waiting)
            waiting = []
    yield from complete(waiting)


def _batches(requests: Iterable[Request], batch_size: int) -> Iterator[list[Request]]:
    """Batches of requests that say the same kind of things: their values can be stacked."""
    kinds: dict[tuple[Any, ...], list[Request]] = {}
    for request in requests:
        kind = tuple((name, value.dtype, value.shape) for name, value in request.prompt.values.items())
        kinds.setdefault(kind, []).append(request)
        if len(kinds[kind]) == batch_size:
            yield kinds.pop(kind)
    yield from kinds.values()


def _render(
    batch: Sequence[Request], render: Render, latent_shape: tuple[int, int, int], device: torch.device | str
) -> NDArray[np.uint8]:
    """Pictures of a batch whose values can be stacked. Raises DataError, with their seeds, for latents that are not finite."""
    seeds = [request.seed for request in batch]
    told = [request.prompt.values for request in batch]
    values = {name: torch.from_numpy(np.stack([each[name] for each in told])).to(device) for name in told[0]}
    with StepNoise(seeds, latent_shape, device) as noise_source:
        try:
            images_BHWC = render(values, start_noise(seeds, latent_shape, device), noise_source)
        except NotFiniteError as error:
            named = ", ".join(str(seeds[row]) for row in error.rows[:3])
            raise DataError(
                f"{error.what} of {len(error.rows)} of {len(batch)} pictures are not finite, those of seed {named}",
                hint="are the weights of a training that diverged? guidance and precision=float32 may help",
            ) from error
    if images_BHWC.dtype != np.uint8 or images_BHWC.ndim != 4 or images_BHWC.shape[::3] != (len(batch), 3):
        raise ValueError(
            f"render gave {images_BHWC.dtype} {images_BHWC.shape}, expected uint8 (B, H, W, 3) with B = {len(batch)}"
        )
    return images_BHWC


def _digests(prompt: Prompt, known: Digests) -> dict[str, str]:
    """SHA-256 of kind, shape and content of every value; worked out once per prompt."""
    if id(prompt) not in known:
        found = {}
        for name, value in prompt.values.items():
            found[name] = digest_of(value)
        known[id(prompt)] = found
    return known[id(prompt)]


def _record(request: Request, store: GenerationFolder, sampler: Any, known: Digests) -> dict[str, Any]:
    record = record_of(request, known)
    for name, told in record["told"].items():
        told["value"] = CONDITIONS[name].record(told["value"], store.path, told["sha256"])
    return record | {"sampler": sampler}


def _refuse_other_request(request: Request, record: Mapping[str, Any], folder: Path) -> None:
    asked = {"seed": request.seed, **_digests(request.prompt, {})}
    there = {"seed": record["seed"]}
    there |= {name: told["given"] if "given" in told else told["sha256"] for name, told in record["told"].items()}
    for name in sorted(asked.keys() | there.keys()):
        if there.get(name) != asked.get(name):
            raise DataError(
                f"{folder}: image {request.index} was made from another {name} than is asked for now",
                hint="choose another folder, or the seed and conditions it was made with",
            )
