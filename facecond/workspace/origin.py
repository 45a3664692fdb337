"""What samples come from: a finished diffusion run, its first stage, and the pack its conditions come from."""

from dataclasses import dataclass
from pathlib import Path

from facecond.errors import CheckpointError
from facecond.io.files import read_json, sha256_file
from facecond.workspace.find import Found, RunInfo, find_pack, finished_runs, first_stage_of, images_seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What samples come from."""

    run: RunInfo
    pack: Path
    weights: Path
    first_stage: Path
    """Run or weights file."""

    @property
    def conditions(self) -> list[str]:
        """What the model is conditioned on."""
        return list(self.run.config["model"]["conditions"])


def origin_of(run: RunInfo, pack: Path, workspace: str, first_stage: str | None = None) -> Origin:
    """Join a run with its weights, its first stage (as named, or found) and the pack its conditions are taken from.

    Raises CheckpointError when the run is not finished or its first stage is nowhere to be found.
    """
    weights = weights_file(run)
    place = first_stage_of(workspace, str(run.first_stage), str(run.path), first_stage)
    return Origin(run=run, pack=pack, weights=weights, first_stage=place)


def how_trained(found: Found, pack: Path, workspace: str, named: str | None) -> str:
    """The run as it is shown: why this one, how many images it saw, and, when it was not `named`, which other saw many more."""
    if not (found.path / "done.json").is_file():
        return str(found)
    seen, faces = images_seen(found.path), 0
    for first, last in read_json(pack / "manifest.json")["splits"].get("train", []):
        faces += last - first
    words = f"{found.why}, {seen} images seen" + (f", fewer than the {faces} training faces" if seen < faces else "")
    if named is None:
        finished = finished_runs(workspace, "diffusion")
        others = {path: images_seen(path) for path in finished if (path / "done.json").is_file()}
        most = max(others, key=others.__getitem__)
        if others[most] >= MANY_MORE * seen:
            words += f"; {most.name} saw {others[most]}: run={most.name}"
    return str(Found(found.path, words))


MANY_MORE = 4
"""Times as many images as the latest run saw, at which another is pointed out."""


def weights_file(run: RunInfo) -> Path:
    """The weights of a run. Raises CheckpointError when it is not finished."""
    file = run.path / "weights.safetensors"
    if not file.is_file():
        raise CheckpointError(
            f"{file} does not exist", hint="the run is not finished: give its training command again to continue it"
        )
    return file


def own_pack(run: RunInfo, workspace: str) -> Found | None:
    """The pack the run was trained on, wherever it lies in the workspace now, else where it lay; None when it is gone."""
    places = [*sorted((Path(workspace) / "packs").glob("*")), Path(run.content["pack_path"])]
    for place in places:
        manifest = place / "manifest.json"
        if manifest.is_file() and sha256_file(manifest) == run.pack:
            return Found(place, "the run was trained on it")
    return None


def pack_of(run: RunInfo, workspace: str) -> Found:
    """The pack the run was trained on, or, when it is gone, the latest."""
    return own_pack(run, workspace) or find_pack(workspace, None)
