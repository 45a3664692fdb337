"""Where things lie in the workspace, and which one a command means when none is named: the latest that is finished.

outputs/KIND/NAME       packs, runs, samples, ...: the kinds of facecond/workspace/kinds.py
outputs/first_stages    first stages that were given as files, by hash
outputs/features        what networks saw in pictures
outputs/reports/NAME    pages about runs
outputs/releases/NAME   data sets that were drawn as files
outputs/jobs            logs and words of jobs
outputs/demo            the demo's page

What came with the program is found by name, and where the workspace has nothing of its kind: each set under one name, runs in
half precision as any others, and a pack of drawn people that they never saw.

facecond/bundled/drawn64-vq, -parser, -classifier, -multicond
facecond/bundled/drawn64-people
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.commands.table import SCHEMAS
from facecond.config.commands.train import TRAINING, TrainConfig
from facecond.config.settings import completed, known, of_kinds, plain, restore_onto
from facecond.errors import CheckpointError, DataError, FacecondError, nearest
from facecond.io.documents import Digest, finished_at, read_json, write_json
from facecond.io.files import sha256_file
from facecond.io.runs import WEIGHTS, RunFile, done_of, read_done, read_run_file, weights_in

log = logging.getLogger("facecond")

BUNDLED = Path(str(files("facecond"))) / "bundled"
"""Where they lie; `python -m benchmarks.bundle` makes them."""

SETS = ("drawn64",)
"""Names of the sets. A run or a pack of the workspace that has such a name comes first."""

MEMBERS = {"vq": "vq", "parser": "parser", "classifier": "classifier", "diffusion": "multicond", "maps": "maps"}
"""Kind of model -> what the run of a set is called."""

CAME_ALONG = "came with the program"


@dataclass(frozen=True, slots=True)
class Found:
    """A folder a command will use, and why this one."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"{self.path} ({self.why})"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What run.json says of a run."""

    path: Path
    kind: str
    """diffusion, maps, vq, parser or classifier."""
    choices: dict[str, str]
    config: dict[str, Any]
    """The resolved training configuration; what was not recorded has the default of today's schema."""
    pack: str
    """SHA-256 of the pack's manifest."""
    first_stage: str | None
    """Hash of the first stage whose latents a diffusion model learnt."""
    content: RunFile


def find_pack(workspace: str, name: str | None, *, or_bundled: bool = False) -> Found:
    """The pack called `name` (a folder or a name in the workspace), or the latest; `or_bundled`: else that which came along.

    Raises:
        DataError: when there is none, or it is damaged or of another version.
    """
    from facecond.data.pack import read_manifest

    packs = Path(workspace) / "packs"
    if name is not None and not _there(packs, name) and (people := bundled_pack(name)):
        return Found(people, f"named, {CAME_ALONG}")
    if name is None and or_bundled and not _folders(packs, "manifest.json") and (people := bundled_pack(SETS[0])):
        return Found(people, CAME_ALONG)
    hint = "make one: facecond data draw, or: facecond data pack data=label_maps data.root=FOLDER"
    found = _find("pack", packs, name, "manifest.json", hint, DataError)
    read_manifest(found.path)
    return found


def named_run(workspace: str, name: str) -> Found:
    """The run called `name` (a folder or a name in the workspace), of whatever kind, finished or not.

    Raises:
        CheckpointError: when there is none.
    """
    hint = "runs are made by: facecond train"
    if not _there(Path(workspace) / "runs", name) and (BUNDLED / name / "run.json").is_file() and "/" not in name:
        return Found(BUNDLED / name, f"named, {CAME_ALONG}")
    return _find("run", Path(workspace) / "runs", name, "run.json", hint, CheckpointError)


def run_names(workspace: str) -> list[str]:
    """Names of the runs of a workspace, finished or not."""
    return [path.name for path in _folders(Path(workspace) / "runs", "run.json")]


def usable_names(workspace: str, kind: str) -> list[str]:
    """Names of the finished runs of models of `kind`, the latest first, and of those that came with the program."""
    return list(dict.fromkeys(path.name for path in [*finished_runs(workspace, kind), *bundled_runs(kind)]))


def pack_names(workspace: str) -> list[str]:
    """Names of the packs of a workspace, and of those that came with the program."""
    along = [place.name for name in SETS if (place := bundled_pack(name))]
    return list(dict.fromkeys([*(path.name for path in _folders(Path(workspace) / "packs", "manifest.json")), *along]))


def pack_with(workspace: str, digest: str, *elsewhere: Path) -> Path | None:
    """The pack whose manifest has this SHA-256, in the workspace or at one of the places `elsewhere`; None where there is none."""
    for place in [*_folders(Path(workspace) / "packs", "manifest.json"), *elsewhere]:
        manifest = place / "manifest.json"
        if manifest.is_file() and sha256_file(manifest) == digest:
            return place
    return None


def find_run(workspace: str, name: str | None, kind: str) -> Found:
    """The run called `name`, or the latest finished run of models of `kind`, else the one that came with the program.

    Raises:
        CheckpointError: when there is none, or the named one is of another kind.
    """
    runs = Path(workspace) / "runs"
    example = {"diffusion": "multicond"}.get(kind, kind)
    hint = f"train one: facecond train model={example}"
    if name is None:
        latest = next(filter(_reads, finished_runs(workspace, kind)), None)
        if latest is None and (bundled := bundled_runs(kind)):
            return Found(bundled[0], CAME_ALONG)
        if latest is None:
            unreadable = [path.name for path in _folders(runs, "run.json") if not _reads(path)]
            more = f" ({', '.join(unreadable)} cannot be read: of another version, or damaged)" if unreadable else ""
            raise CheckpointError(f"no finished run of a {kind} model in {runs}{more}", hint=hint)
        return Found(latest, f"the latest {kind} run")
    if not _there(runs, name) and (place := bundled_run(name, kind)):
        return Found(place, f"named, {CAME_ALONG}")
    usable = usable_names(workspace, kind)
    of_kind = f"there are {', '.join(usable)}" if usable else hint
    if not _there(runs, name) and (other := next((each for each in MEMBERS if bundled_run(name, each)), None)):
        raise CheckpointError(f"{name} is a run of a {other} model, expected {kind}", hint=of_kind)
    found = _find("run", runs, name, "run.json", hint, CheckpointError, usable)
    if read_run(found.path).kind != kind:
        raise CheckpointError(f"{found.path} is a run of a {_kind(found.path)} model, expected {kind}", hint=of_kind)
    return found


def finished_runs(workspace: str, *kinds: str) -> list[Path]:
    """The finished runs of models of `kinds`, the latest first."""
    found = [path for path in _folders(Path(workspace) / "runs", WEIGHTS) if _kind(path) in kinds]
    return _by_age(found, "done.json", WEIGHTS)


def images_seen(run: Path) -> int:
    """Images a finished run learnt from."""
    return read_done(run)["images_seen"]


def read_run(path: Path) -> RunInfo:
    """Read run.json of the run folder `path`.

    Raises:
        CheckpointError: when it is missing, damaged or of another version.
        ConfigError: when a setting in it is not of the schema's types or outside its limits.
    """
    file = path / "run.json"
    if not file.is_file():
        raise CheckpointError(f"{path} is not a run: it has no run.json", hint="runs are made by: facecond train")
    content = read_run_file(path)
    kind, recorded = content["kind"], content["config"]
    if not isinstance(recorded.get("model", {}), dict):
        raise CheckpointError(f"{file}: config.model is no object", hint="the file was edited by hand: bring it back")
    base = _training(kind, recorded, str(file))
    defaults: dict[str, Any] = plain(base)
    config = completed(recorded, defaults)
    restore_onto(base, known(config, defaults), f"{file}: config")
    return RunInfo(
        path,
        kind,
        content["choices"],
        config,
        content["sha256 of the pack"],
        content["sha256 of the first stage"],
        content,
    )


def train_defaults(kind: str, recorded: Mapping[str, Any], origin: str = "the run") -> dict[str, Any]:
    """Defaults of `facecond train` for models of `kind`, as plain values: what a setting means that a run did not record.

    Sections that may be of several kinds (the denoiser) have the defaults of the kind that was `recorded`.
    """
    defaults: dict[str, Any] = plain(_training(kind, recorded, origin))
    return defaults


def _training(kind: str, recorded: Mapping[str, Any], origin: str) -> TrainConfig:
    return TRAINING[kind](model=of_kinds(SCHEMAS[f"model/{kind}_schema"], recorded.get("model", {}), origin))


def _find(
    what: str,
    folder: Path,
    name: str | None,
    marker: str,
    hint: str,
    kind: type[FacecondError],
    usable: Sequence[str] | None = None,
) -> Found:
    """The folder called `name`, or the latest; one of `usable` (None: all that have the marker) is suggested for a wrong name."""
    if name is not None:
        for path in (Path(name), folder / name):
            if (path / marker).is_file():
                return Found(path, "named")
        known = [path.name for path in _folders(folder, marker)] if usable is None else usable
        if Path(name).exists():
            raise kind(f"{name} is not a {what}: it has no {marker}", hint=hint)
        raise kind(f"{what} {name!r} is neither a folder nor in {folder}", hint=nearest(name, known) if known else hint)
    found = _folders(folder, marker)
    if not found:
        raise kind(f"no {what} in {folder}", hint=hint)
    return Found(_by_age(found, "finished.json", marker)[0], f"the latest {what}")


def _there(folder: Path, name: str) -> bool:
    """Whether `name` is a folder, or one in `folder`."""
    return Path(name).is_dir() or (folder / name).is_dir()


def _by_age(folders: list[Path], note: str, marker: str) -> list[Path]:
    """The folders, the one that was finished last first: by its note, else by when its marker changed, then by name."""
    return sorted(folders, key=lambda path: (finished_at(path / note, path / marker), path.name), reverse=True)


def _folders(folder: Path, marker: str) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{marker}"))


def _reads(path: Path) -> bool:
    """Whether what run.json says is of this version and of the schema."""
    try:
        read_run(path)
    except FacecondError as reason:
        log.warning("%s is left out: %s", path.name, reason)
        return False
    return True


def _kind(path: Path) -> str:
    try:
        return read_run_file(path)["kind"]
    except FacecondError:
        return "unknown"


def find_first_stage(workspace: str, name: str | None) -> Found:
    """The first stage called `name` (a run, or a checkpoint file of this project or of CompVis), or the latest run.

    Raises:
        CheckpointError: when there is none.
    """
    if name is not None and Path(name).is_file():
        return Found(Path(name), "named")
    found = find_run(workspace, name, "vq")
    if not (found.path / WEIGHTS).is_file():
        raise CheckpointError(f"{found.path} is not finished", hint="give its training command again to continue it")
    return found


def first_stage_digest(workspace: str, place: Path) -> str:
    """SHA-256 that names the latents of the first stage at `place`: a run, a weights file, or a file that was encoded with."""
    digest = sha256_file(weights_in(place))
    for note in sorted((Path(workspace) / "first_stages").glob("*.json")):
        with suppress(DataError):  # of another first stage, perhaps; whose it is, a damaged note does not say
            content = read_json(note, KeptNote)
            if digest in content["made_from"]:
                return content["sha256"]
    return digest


def first_stage_of(workspace: str, digest: str, of: str, named: str | None = None) -> Path:
    """Run or weights file of the first stage with SHA-256 `digest`: by content in the workspace, unless it was `named`.

    `of` says whose first stage it is; "none" stands for itself. Raises CheckpointError when it is nowhere to be found.
    (What was named is compared when it is loaded.)
    """
    if digest == NO_FIRST_STAGE:
        return Path(NO_FIRST_STAGE)
    if named is not None:
        return find_first_stage(workspace, named).path
    runs = [done.parent for done in sorted((Path(workspace) / "runs").glob("*/done.json"))]
    for run in [*runs, *bundled_runs("vq")]:
        if (done := done_of(run)) and done["weights_sha256"] == digest:
            return run
    if (kept := kept_first_stage(workspace, digest)).is_file():
        return kept
    raise CheckpointError(f"the first stage {digest[:12]} of {of} is not in {workspace}", hint=_KEPT)


_KEPT = "bring back its run or WORKSPACE/first_stages; sample, eval and swap-masks also take first_stage=RUN_OR_FILE"


class KeptNote(TypedDict):
    """What is noted beside a kept first stage."""

    sha256: Digest
    made_from: dict[Digest, str]


def kept_first_stage(workspace: str, digest: str) -> Path:
    """File in which a workspace keeps a first stage that is no run of its own, by SHA-256."""
    return Path(workspace) / "first_stages" / f"{digest[:12]}.safetensors"


def note_first_stage(kept: Path, digest: str, origin: Path) -> None:
    """Note the SHA-256 of a kept first stage beside it, and by which files, by SHA-256, it may be named."""
    note = kept.with_suffix(".json")
    made_from = read_json(note, KeptNote)["made_from"] if note.is_file() else {}
    write_json(note, {"sha256": digest, "made_from": made_from | {sha256_file(origin): origin.name}})


def bundled_runs(kind: str) -> list[Path]:
    """The runs of models of `kind` that came with the program."""
    places = [BUNDLED / f"{name}-{MEMBERS[kind]}" for name in SETS]
    return [place for place in places if (place / WEIGHTS).is_file()]


def bundled_run(name: str, kind: str) -> Path | None:
    """The run of the set called `name` for `kind`, or the run of `kind` called so; None when there is no such."""
    called = (name, f"{name}-{MEMBERS[kind]}")
    return next((place for place in bundled_runs(kind) if place.name in called), None)


def bundled_pack(name: str) -> Path | None:
    """The people of the set called `name`, or of the set that one of its runs is called after; None when there is no such."""
    for each in SETS:
        place = BUNDLED / f"{each}-people"
        if (
            name in (each, *(f"{each}-{member}" for member in ("people", *MEMBERS.values())))
            and (place / "manifest.json").is_file()
        ):
            return place
    return None


def is_bundled(place: Path) -> bool:
    """Whether a run or a pack came with the program."""
    return place.resolve().parent == BUNDLED.resolve()
