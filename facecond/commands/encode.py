"""`facecond encode`: latents of every picture of a pack, computed once (float32 arithmetic, half-precision storage)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.commands.train import EncodeConfig
from facecond.config.compose import compose
from facecond.data.pack import read_manifest
from facecond.errors import CheckpointError, ConfigError, DataError
from facecond.io.files import sha256_file
from facecond.processes import Processes
from facecond.workspace.find import find_first_stage, find_pack, is_bundled, read_run

if TYPE_CHECKING:
    import torch

    from facecond.assembly.first_stage import FirstStage
    from facecond.data.pack import Pack

RECONSTRUCTED = 32
"""Pictures, at most, that a first stage of another pack is tried on."""


class Encoding(NamedTuple):
    """What is encoded with what."""

    pack: Path
    first_stage: Path
    """Run or weights file."""


def prepare(words: Sequence[str]) -> Prepared[EncodeConfig, Encoding]:
    """Check the configuration; find the pack and the first stage."""
    composed = compose("encode", words)
    config: EncodeConfig = composed.config
    if config.first_stage == NO_FIRST_STAGE:
        raise ConfigError("first_stage=none: there is nothing to encode", hint="train with first_stage=none at once")
    pack = find_pack(config.workspace, config.pack)
    first_stage = find_first_stage(config.workspace, config.first_stage)
    if config.first_stage is None and is_bundled(first_stage.path):
        source = read_manifest(pack.path)["source"].get("kind")
        if source != "drawn":
            raise CheckpointError(
                f"no finished run of a vq model in {Path(config.workspace) / 'runs'}",
                hint="train one: facecond train model=vq; the one that came with the program knows drawn faces alone "
                f"(first_stage={first_stage.path.name} takes it all the same)",
            )
    return Prepared(
        composed=composed,
        name=f"{pack.path.name}-{first_stage.path.name}",
        used={"pack": str(pack), "first stage": str(first_stage)},
        found=Encoding(pack.path, first_stage.path),
    )


def run(prepared: Prepared[EncodeConfig, Encoding]) -> Result:
    """Encode what is missing; complete latents are left as they are."""
    from facecond.assembly.first_stage import check_resolution, keep_first_stage, load_first_stage
    from facecond.data.latents import LatentStore, latents_folder
    from facecond.data.pack import Pack
    from facecond.io.lock import WAIT, hold
    from facecond.training.device import choose_device

    prepared.announce()
    config = prepared.config
    processes = prepared.processes
    device = choose_device(config.device, processes)
    pack = Pack.open(prepared.found.pack)
    first_stage = load_first_stage(prepared.found.first_stage, device, norm_groups=config.norm_groups)
    check_resolution(first_stage, pack)
    if prepared.found.first_stage.resolve().parent != (Path(config.workspace) / "runs").resolve():
        processes.first_does(lambda: keep_first_stage(first_stage, config.workspace))
    folder = latents_folder(pack.path, first_stage.sha256)
    with processes.first_enters(lambda: hold(folder, wait=WAIT)):
        made = _encode(pack, first_stage, folder, config, device, processes)
    store = LatentStore.open(pack.path, first_stage.sha256)
    if config.flips and store.latents_flipped is None:
        raise DataError(
            f"{store.path} holds no mirrored copy", hint="delete the folder to encode again, or encode with flips=false"
        )
    return Result(
        command="encode",
        used=prepared.used,
        facts={
            "items": len(pack),
            "encoded now": made,
            "latent shape": "x".join(map(str, store.shape)),
            "mirrored copy": store.latents_flipped is not None,
            "mean": " ".join(f"{value:.3f}" for value in store.mean),
            "deviation": " ".join(f"{value:.3f}" for value in store.std),
            **({} if _learnt_from(prepared.found) else _reconstruction(first_stage, pack, device)),
        },
        made={"latents": folder},
        next=[prepared.suggest("train model=multicond", pack=config.pack, first_stage=config.first_stage)],
    )


def _encode(
    pack: "Pack",
    first_stage: "FirstStage",
    folder: Path,
    config: EncodeConfig,
    device: "torch.device",
    processes: Processes,
) -> int:
    """Encode what is missing, each process a batch in turn; the first writes. Return how many pictures there were to encode."""
    import numpy as np
    import torch

    from facecond import progress
    from facecond.data.latents import LatentWriter
    from facecond.memory import Halving

    side = pack.resolution // first_stage.network.factor
    shape = (first_stage.network.channels, side, side)
    writer: LatentWriter | None = None
    missing: list[slice] = []

    def begin() -> None:
        nonlocal writer, missing
        if not (folder / "manifest.json").exists():
            writer = LatentWriter(
                pack.path, first_stage.sha256, count=len(pack), shape=shape, flips=config.flips,
                source={"first_stage": str(first_stage.origin)},
            )  # fmt: skip
            missing = writer.missing(config.batch_size)

    halving = Halving("batch_size")

    def encode(images: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            pieces = halving.over(len(images), lambda part: first_stage.encode(images[part]).float().cpu().numpy())
        return np.concatenate(pieces)

    def look(rows: slice) -> tuple[slice, np.ndarray, np.ndarray | None]:
        images = torch.from_numpy(np.array(pack.images[rows])).to(device).permute(0, 3, 1, 2)
        return rows, encode(images), encode(images.flip(-1)) if config.flips else None

    def write(found: tuple[slice, np.ndarray, np.ndarray | None]) -> None:
        rows, latents, flipped = found
        assert writer is not None
        writer.write(rows, latents, flipped)
        bar.update(len(latents))

    processes.first_does(begin)
    missing = processes.as_first(missing)
    made = sum(rows.stop - rows.start for rows in missing)
    with progress.bar("encode", len(pack), initial=len(pack) - made, shown=processes.first) as bar:
        processes.share_out(missing, look, write)
    processes.first_does(lambda: writer.finish(pack.indices("train")) if writer else None)
    return made


def _learnt_from(found: Encoding) -> bool:
    """Say whether the first stage is known to have been trained on the pack it encodes."""
    run, manifest = found.first_stage, found.pack / "manifest.json"
    return (run / "run.json").is_file() and read_run(run).pack == sha256_file(manifest)


def _reconstruction(first_stage: "FirstStage", pack: "Pack", device: "torch.device") -> dict[str, Any]:
    """How well a first stage of another pack reconstructs some validation pictures (training ones, if none are held out)."""
    import numpy as np
    import torch

    from facecond.metrics.reconstruction import psnr

    split = "validation" if "validation" in pack.splits else "train"
    ratios = []
    for index in pack.indices(split)[:RECONSTRUCTED]:
        picture_NHWC = np.array(pack.images[index : index + 1])
        with torch.inference_mode():
            images = torch.from_numpy(picture_NHWC).to(device).permute(0, 3, 1, 2)
            ratios.append(float(psnr(picture_NHWC, first_stage.decode(first_stage.encode(images)))[0]))
    return {"reconstruction PSNR": float(np.mean(ratios)), f"{split} pictures reconstructed": len(ratios)}
