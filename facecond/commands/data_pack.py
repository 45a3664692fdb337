"""`facecond data pack`: a data set becomes a pack."""

import os
from collections.abc import Sequence
from pathlib import Path

from facecond.commands.data_inspect import counts, findings
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.data import PackConfig
from facecond.config.compose import compose
from facecond.errors import ConfigError, DataError


def prepare(words: Sequence[str]) -> Prepared[PackConfig, None]:
    """Check the configuration and settle the name."""
    composed = compose("data pack", words)
    config: PackConfig = composed.config
    check_halving(config.resolution)
    root = getattr(config.data, "root", None)
    if root is not None and not Path(root).is_dir():
        raise DataError(f"data.root={root}: no such folder", hint="see docs/formats.md for what it should hold")
    return Prepared(
        composed=composed, name=config.name or f"{composed.choices['data']}-{config.resolution}", found=None
    )


def check_halving(resolution: int) -> None:
    """Raise ConfigError for pictures that cannot be halved, again and again, down to the 8 cells of the mask encoder.

    First stages (4 or 8 pixels a cell), U-Nets and mask encoders halve; at powers of two every model trains as it is.
    """
    below = 2 ** (resolution.bit_length() - 1)
    if resolution != below:
        raise ConfigError(
            f"resolution={resolution} cannot be halved as often as first stage, U-Net and mask encoder do",
            hint=f"the nearest that can: {below} and {2 * below}",
        )


def run(prepared: Prepared[PackConfig, None]) -> Result:
    """Read, resize and write what is missing; a finished pack of the same source is left as it is."""
    from facecond.assembly.sources import open_source
    from facecond.data.inspection import inspect_pack
    from facecond.data.packing import pack_source
    from facecond.io.lock import hold

    config = prepared.config
    folder = Path(config.workspace) / "packs" / prepared.name
    source = open_source(config.data)
    with hold(folder):
        pack = pack_source(source, folder, config.resolution, workers=config.workers or os.cpu_count() or 1)
    summary = inspect_pack(pack)
    return Result(
        command="data pack",
        facts={**counts(summary), "suspicious": len(pack.findings)},
        tables=findings(summary),
        made={"pack": folder},
        next=[prepared.suggest(command, pack=config.name) for command in ("data inspect", "train model=vq")],
    )
