"""Judges as detectors: parser and classifier, named by the user or made for the pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.errors import ConfigError
from facecond.measuring.measure import Detector, Source

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from facecond.config.commands.evaluate import EvalConfig
    from facecond.data.pack import Pack
    from facecond.workspace.find import Found


def judge(kind: str) -> Source:
    """The judge called `kind`, "parser" or "classifier"."""

    def find(config: EvalConfig, pack: Pack | None) -> Found:
        from facecond.workspace.judges import choose_judge, named_judge

        named = getattr(config, kind)
        if named is None and pack is None:
            raise ConfigError(f"no pack says which {kind} is meant", hint=f"name one: {kind}=RUN")
        if named is None and pack is not None:
            return choose_judge(config.workspace, kind, pack)
        return named_judge(config.workspace, kind, named)

    def load(place: Path, config: EvalConfig, device: torch.device) -> Detector:
        from facecond.assembly.judges import LOADERS

        return LOADERS[kind](place, device)

    return Source(find=find, load=load, named=lambda config: getattr(config, kind) is not None)
