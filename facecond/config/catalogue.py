"""What `conf/` offers, read without Hydra: groups, their options, the defaults of each command.

Used where speed matters: `--help`, shell completion, and the checks that come before composing.
"""

import re
from functools import cache
from pathlib import Path

from facecond.config.commands.table import config_name
from facecond.errors import ConfigError

_GROUP_LINE = re.compile(r"^\s*-\s*(?:optional\s+|override\s+)?/?(?P<group>[\w/]+):\s*(?P<option>[\w/]+)\s*(?:#.*)?$")


PAPER = "paper"
"""The size whose values are the schema's own."""


@cache
def conf_folder() -> Path:
    """The folder of YAML files: `facecond/conf` in a wheel, `conf` beside the package in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder.resolve()
    raise ConfigError(
        f"the configuration folder is missing: neither {package / 'conf'} nor {package.parent / 'conf'} holds train.yaml"
    )


@cache
def groups_of(command: str) -> dict[str, str]:
    """Groups of a command with the option each has by default ("null" = none), in the order of its defaults list."""
    lines = (conf_folder() / f"{config_name(command)}.yaml").read_text(encoding="utf-8").splitlines()
    found = [match for line in lines if (match := _GROUP_LINE.match(line))]
    return {match["group"]: match["option"].partition("/")[0] for match in found}


@cache
def options_of(group: str) -> dict[str, str]:
    """Options of a group with the comment that opens each file; the sizes are those of any kind of model."""
    folder = conf_folder() / group
    if group == "denoiser":  # one folder each, with a file for each size
        return {path.parent.name: describe(path) for path in sorted(folder.glob(f"*/{PAPER}.yaml"))}
    paths = sorted(folder.glob("*/*.yaml" if group == "size" else "*.yaml"))
    options: dict[str, str] = {}
    for path in paths:
        options.setdefault(path.stem, describe(path))
    return options


def describe(path: Path) -> str:
    """The comment at the top of a YAML file, without Hydra's package line."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            words.append(line.lstrip("# ").strip())
    return " ".join(words)


@cache
def kind_of(option: str) -> str:
    """Kind of model (diffusion, maps, vq, ...) an option of the group `model` belongs to: the schema it starts from."""
    text = (conf_folder() / "model" / f"{option}.yaml").read_text(encoding="utf-8")
    match = re.search(r"^\s*-\s*(\w+)_schema\s*$", text, flags=re.MULTILINE)
    if match is None:
        raise ConfigError(f"conf/model/{option}.yaml does not start from a schema")
    return match[1]


def sized_kind(command: str, chosen: list[str]) -> str:
    """Kind of model whose sizes `size=...` means, given the group choices made so far."""
    option = groups_of(command).get("model", "multicond")
    for word in chosen:
        group, _, value = word.partition("=")
        if group == "model":
            option = value
    return kind_of(option)


def chosen_size(chosen: list[str]) -> str:
    """Size that group choices name, themselves or through an experiment; the paper's when they name none."""
    named = {group: option for group, _, option in (word.partition("=") for word in chosen)}
    if named.get("size", "null") != "null":
        return named["size"]
    if named.get("experiment", "null") != "null":
        text = (conf_folder() / "experiment" / f"{named['experiment']}.yaml").read_text(encoding="utf-8")
        if match := re.search(r"override\s+/size:\s*\w+/(\w+)", text):
            return match[1]
    return PAPER
