"""`facecond data pack`: a data set becomes a pack."""

import os
from collections.abc import Sequence
from pathlib import Path

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands import PackConfig
from facecond.config.compose import compose
from facecond.errors import DataError


def prepare(words: Sequence[str]) -> Prepared[PackConfig, None]:
    """Check the configuration and settle the name."""
    composed = compose("data pack", words)
    config: PackConfig = composed.config
    root = getattr(config.data, "root", None)
    if root is not None and not Path(root).is_dir():
        raise DataError(f"data.root={root}: no such folder", hint="see docs/formats.md for what it should hold")
    return Prepared(
        composed=composed, name=config.name or f"{composed.choices['data']}-{config.resolution}", found=None
    )


def run(prepared: Prepared[PackConfig, None]) -> Result:
    """Read, resize and write what is missing; a finished pack of the same source is left as it is."""
    from facecond import assembly
    from facecond.data.packing import pack_source

    config = prepared.config
    folder = Path(config.workspace) / "packs" / prepared.name
    source = assembly.open_source(config.data)
    pack = pack_source(source, folder, config.resolution, workers=config.workers or os.cpu_count() or 1)
    splits = {name: len(indices) for name in dict.fromkeys(pack.splits) if len(indices := pack.indices(name))}
    return Result(
        command="data pack",
        facts={"items": len(pack), **splits, "resolution": pack.resolution, "suspicious": len(pack.findings)},
        tables={"Notes": [["what to know about this pack"], *([note] for note in pack.manifest["notes"])]}
        if pack.manifest["notes"]
        else {},
        made={"pack": folder},
        next=["facecond data inspect", "facecond train model=vq"],
    )
