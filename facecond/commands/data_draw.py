"""`facecond data draw`: faces drawn by program, into a pack or in the layout of the official release."""

from collections.abc import Sequence
from pathlib import Path

from facecond.commands.data_inspect import counts, findings
from facecond.commands.data_pack import check_halving
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.data import DrawConfig, Layout
from facecond.config.compose import compose
from facecond.errors import ConfigError


def prepare(words: Sequence[str]) -> Prepared[DrawConfig, None]:
    """Check the configuration and settle the name."""
    composed = compose("data draw", words)
    config: DrawConfig = composed.config
    if config.data.held_out >= config.data.count:
        raise ConfigError(
            f"data.validation={config.data.held_out} leaves no face to train on",
            hint=f"expected fewer than data.count={config.data.count}",
        )
    if config.layout is Layout.pack:
        check_halving(config.resolution)
    prefix = "drawn" if config.layout is Layout.pack else "release"
    return Prepared(composed=composed, name=config.name or f"{prefix}-{config.resolution}", found=None)


def run(prepared: Prepared[DrawConfig, None]) -> Result:
    """Draw what is missing; a finished folder is left as it is."""
    from facecond.assembly.sources import open_source
    from facecond.data.inspection import inspect_pack
    from facecond.data.packing import pack_source
    from facecond.drawn.release import write_release
    from facecond.io.lock import hold

    config = prepared.config
    if config.layout is Layout.release:
        folder = Path(config.workspace) / "releases" / prepared.name
        with hold(folder):
            write_release(folder, seed=config.data.seed, count=config.data.count, resolution=config.resolution)
        return Result(
            command="data draw",
            facts={"faces": config.data.count, "resolution": config.resolution},
            made={"release": folder},
            next=[prepared.suggest(f"data pack data=celebamask_hq data.root={folder} resolution={config.resolution}")],
        )
    folder = Path(config.workspace) / "packs" / prepared.name
    with hold(folder):
        pack = pack_source(open_source(config.data), folder, config.resolution)
    summary = inspect_pack(pack)
    return Result(
        command="data draw",
        facts=counts(summary),
        tables=findings(summary),
        made={"pack": folder},
        next=[prepared.suggest(command, pack=config.name) for command in ("data inspect", "train model=vq")],
    )
