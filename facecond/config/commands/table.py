"""Every command that has a configuration."""

from collections.abc import Sequence

from facecond.config.commands.data import DrawConfig, InspectConfig, PackConfig
from facecond.config.commands.evaluate import CompareConfig, EvalConfig
from facecond.config.commands.pages import ExportWebConfig, StudioConfig
from facecond.config.commands.photographs import EditConfig, ParseConfig
from facecond.config.commands.sample import SampleConfig, SwapConfig
from facecond.config.commands.synthesize import SynthesizeConfig
from facecond.config.commands.train import EncodeConfig, TrainDiffusionConfig
from facecond.config.commands.whole import DemoConfig, ReproduceConfig
from facecond.config.commands.workspace import ReportConfig, RunsConfig, VerifyConfig
from facecond.config.data import CelebAMaskHQConfig, LabelMapsConfig
from facecond.config.launcher import LAUNCHERS
from facecond.config.models import MODELS
from facecond.config.networks import DENOISERS

COMMANDS: dict[str, type] = {
    "data pack": PackConfig,
    "data draw": DrawConfig,
    "data inspect": InspectConfig,
    "runs": RunsConfig,
    "verify": VerifyConfig,
    "parse": ParseConfig,
    "train": TrainDiffusionConfig,
    "encode": EncodeConfig,
    "sample": SampleConfig,
    "eval": EvalConfig,
    "compare": CompareConfig,
    "swap-masks": SwapConfig,
    "edit": EditConfig,
    "studio": StudioConfig,
    "export web": ExportWebConfig,
    "synthesize": SynthesizeConfig,
    "report": ReportConfig,
    "demo": DemoConfig,
    "reproduce": ReproduceConfig,
}
"""Every command that has a configuration, in the order of the work."""


def config_name(command: str) -> str:
    """Name of the command's file in `conf/`."""
    return command.replace(" ", "_").replace("-", "_")


def command_named(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """The command that `words` begin with, and the words behind it; None for no command.

    A command of two words may be written as two, or as one with a dash: "data pack", "data-pack".
    """
    named = {config_name(command): command for command in COMMANDS}
    for count in (2, 1):
        if command := named.get(config_name(" ".join(words[:count]))):
            return command, list(words[count:])
    return None


SCHEMAS: dict[str, type] = {
    **{f"{config_name(command)}_schema": schema for command, schema in COMMANDS.items()},
    **{f"model/{kind}_schema": schema for kind, schema in MODELS.items()},
    **{f"denoiser/{kind}_schema": schema for kind, schema in DENOISERS.items()},
    **{f"launcher/{kind}_schema": schema for kind, schema in LAUNCHERS.items()},
    "data/celebamask_hq_schema": CelebAMaskHQConfig,
    "data/label_maps_schema": LabelMapsConfig,
}
"""Typed starting points that the YAML files name in their defaults lists."""
