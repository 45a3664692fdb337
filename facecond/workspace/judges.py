"""Which judge measures samples of a pack when none is named."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.errors import CheckpointError
from facecond.io.files import sha256_file
from facecond.workspace.find import Found, finished_runs, images_seen, read_run

if TYPE_CHECKING:
    from facecond.data.pack import Pack


def choose_judge(workspace: str, kind: str, pack: "Pack") -> Found:
    """The judge of `kind` ("parser", "classifier") made for `pack`, and how much it learnt.

    Made for it: trained on this pack, else on another of its resolution and kind of source, and on none of its
    validation faces. Of several the latest that saw its training pictures at least once; else the one that saw most.

    Raises CheckpointError, with what is the matter with each, when none fits.
    """
    runs = finished_runs(workspace, kind)
    unfit = {path: _unfit(path, pack) for path in runs}
    digest = sha256_file(pack.path / "manifest.json")
    ranks = []
    for age, path in enumerate(runs):
        if not unfit[path]:
            learnt, seen = _learnt(path)[-1], images_seen(path)
            enough, same = seen >= learnt["count"], learnt["pack"] == digest
            ranks.append(((enough, same, 0 if enough else seen, -age), path, learnt))
    if not ranks:
        told = "; ".join(f"{path.name} {why}" for path, why in unfit.items())
        raise CheckpointError(
            f"no {kind} in {Path(workspace) / 'runs'} was made for {pack.path}" + (f" ({told})" if told else ""),
            hint=f"train one: facecond train model={kind} pack={pack.path.name}, or name one: {kind}=RUN",
        )
    (enough, same, *_), path, learnt = max(ranks, key=lambda rank: rank[0])
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
    met = count_learnt(learnt, pack, pack.indices("validation"))
    return f"learnt from {met} of its validation faces" if met else ""
