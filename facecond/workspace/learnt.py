"""Which faces a run of pictures learnt from: read off its pack, or off what a judge notes that learnt from the same pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facecond.workspace.find import RunInfo, bundled_runs, finished_runs, read_run
from facecond.workspace.origin import learnt_from

JUDGES = ("parser", "classifier")


def faces_of(run: RunInfo, workspace: str) -> Mapping[str, Any] | None:
    """What `facecond.data.learnt.learnt_from` says of the pack that a run learnt from; None where nothing tells any more."""
    from facecond.data.learnt import learnt_from as faces_in
    from facecond.data.pack import Pack

    if (own := learnt_from(run, workspace)) is not None:
        return faces_in(Pack.open(own.path))
    for kind in JUDGES:
        for path in [*bundled_runs(kind), *finished_runs(workspace, kind)]:
            for entry in read_run(path).content["weights_config"].get("learnt_from", []):
                if entry["pack"] == run.pack and entry["split"] == "train":
                    found: Mapping[str, Any] = entry
                    return found
    return None
