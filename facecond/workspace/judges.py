"""Which judge is meant: the one that is named, or the one made for a pack."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.errors import CheckpointError
from facecond.io.files import sha256_file
from facecond.io.runs import done_of
from facecond.workspace.find import (
    CAME_ALONG,
    Found,
    bundled_runs,
    find_run,
    finished_runs,
    images_seen,
    is_bundled,
    read_run,
)
from facecond.workspace.origin import weights_file

if TYPE_CHECKING:
    from facecond.data.pack import Pack

BISENET_SIZE = 512
"""Side in pixels of the pictures face-parsing.PyTorch trains its BiSeNet with."""


def named_judge(workspace: str, kind: str, named: str) -> Found:
    """The judge of `kind` ("parser", "classifier") that is `named`: a file of weights, or a run, finished, and how much it learnt.

    Raises CheckpointError when it is neither, of another kind, or not finished.
    """
    if Path(named).is_file():
        return Found(Path(named), "named")
    run = find_run(workspace, named, kind).path
    weights_file(read_run(run))
    return Found(run, f"named, {images_seen(run)} images seen")


def latest_judge(workspace: str, kind: str) -> Found:
    """The latest finished judge of `kind` in the workspace, and how much it learnt. Raises CheckpointError when there is none.

    What came with the program knows drawn faces alone, and has to be named.
    """
    found = find_run(workspace, None, kind)
    if is_bundled(found.path):
        raise CheckpointError(
            f"no finished run of a {kind} model in {Path(workspace) / 'runs'}",
            hint=f"train one: facecond train model={kind}; the one that came with the program knows drawn faces alone",
        )
    return Found(found.path, f"{found.why}, {images_seen(found.path)} images seen")


def photo_judge(workspace: str, kind: str, named: str | None, beside: Path | None = None) -> Found:
    """The judge of `kind` that reads photographs: the one that is `named`, or the latest; `beside` a run that came with the
    program, the judge that came along. Raises CheckpointError as `named_judge` and `latest_judge` do.
    """
    if named is not None:
        return named_judge(workspace, kind, named)
    if beside is not None and is_bundled(beside) and (along := bundled_runs(kind)):
        return Found(along[0], CAME_ALONG)
    return latest_judge(workspace, kind)


def size_learnt_at(place: Path) -> int:
    """Side in pixels of the pictures a judge learnt from: a run, its weights file, or BiSeNet weights of face-parsing.PyTorch."""
    from facecond.io.checkpoint import is_ours, load_weights

    if place.is_dir():
        return int(read_run(place).content["resolution"])
    if not is_ours(place):
        return BISENET_SIZE
    learnt = load_weights(place).config.get("learnt_from")
    if not learnt:
        raise CheckpointError(f"{place} does not say what it learnt from", hint="name its run instead of the file")
    return int(learnt[-1]["resolution"])


def choose_judge(workspace: str, kind: str, pack: "Pack") -> Found:
    """The judge of `kind` ("parser", "classifier") made for `pack`, and how much it learnt.

    Made for it: trained on this pack, else on another of its resolution and kind of source, and on none of its
    validation faces. Of several the latest that saw its training pictures at least once, one that came with the program
    last; else the one that saw most.

    Raises CheckpointError, with what is the matter with each, when none fits.
    """
    runs = [*finished_runs(workspace, kind), *bundled_runs(kind)]
    done = {path: done_of(path) for path in runs}
    unfit = {path: _unfit(path, pack) if done[path] else "has no done.json that can be read" for path in runs}
    digest = sha256_file(pack.path / "manifest.json")
    ranks = []
    for age, (path, note) in enumerate(done.items()):
        if note and not unfit[path]:
            learnt, seen = _learnt(path)[-1], note["images_seen"]
            enough, same = seen >= learnt["count"], learnt["pack"] == digest
            ranks.append(((enough, same, 0 if enough else seen, -age), path, learnt))
    if not ranks:
        told = "; ".join(f"{path.name} {why}" for path, why in unfit.items())
        raise CheckpointError(
            f"no {kind} in {Path(workspace) / 'runs'} was made for {pack.path}" + (f" ({told})" if told else ""),
            hint=f"train one: facecond train model={kind} pack={pack.path.name}, or name one: {kind}=RUN",
        )
    (enough, same, *_), path, learnt = max(ranks, key=lambda rank: rank[0])
    if is_bundled(path):
        return Found(path, f"{CAME_ALONG}, {images_seen(path)} images seen")
    made = "this pack" if same else "this resolution and source"
    which, little = ("latest", "") if enough else ("most trained", f", fewer than its {learnt['count']} training faces")
    return Found(path, f"the {which} made for {made}, {images_seen(path)} images seen{little}")


def _learnt(run: Path) -> list[dict[str, Any]]:
    learnt: list[dict[str, Any]] = read_run(run).content["weights_config"].get("learnt_from", [])
    return learnt


def _unfit(run: Path, pack: "Pack") -> str:
    """Why a judge is not for this pack; "" when it is."""
    from facecond.data.learnt import count_learnt

    learnt = _learnt(run)
    if not learnt:
        return "does not say what it learnt from"
    own, source = learnt[-1], pack.manifest["source"].get("kind")
    if (own["resolution"], own["source"]) != (pack.resolution, source):
        return f"learnt from {own['source']} at {own['resolution']} px"
    met = count_learnt(learnt, pack, pack.indices("validation")) if "validation" in pack.splits else 0
    return f"learnt from {met} of its validation faces" if met else ""
