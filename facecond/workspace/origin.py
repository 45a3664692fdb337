"""What samples come from: a finished diffusion run, its first stage, and the pack its conditions come from."""

from dataclasses import dataclass
from pathlib import Path

from facecond.errors import CheckpointError
from facecond.io.files import sha256_file
from facecond.workspace.find import Found, RunInfo, find_pack, first_stage_of


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
