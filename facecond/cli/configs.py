"""`facecond config list` and `facecond config show`."""

import sys
from collections.abc import Sequence

from facecond.cli.show import print_configuration, print_json, print_table
from facecond.config.catalogue import groups_of, options_of
from facecond.config.commands.table import COMMANDS, command_named
from facecond.config.models import MODELS
from facecond.errors import ConfigError, nearest
from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import CLASSES


def print_list(*, as_json: bool) -> None:
    """Print the commands, their groups and the options of every group."""
    groups = list(dict.fromkeys(group for command in COMMANDS for group in groups_of(command)))
    if as_json:
        print_json(
            {
                "commands": {command: groups_of(command) for command in COMMANDS},
                "groups": {group: options_of(group) for group in groups},
            }
        )
        return
    print_table("Commands and their groups", [(c, " ".join(groups_of(c)) or "-") for c in COMMANDS])
    for group in groups:
        if group != "size":
            print_table(f"{group}=", list(options_of(group).items()))
            continue
        for kind in MODELS:
            print_table(f"size= of {kind} models", list(options_of(f"size/{kind}").items()))
    print_table("Names", [("names of attributes", ", ".join(ATTRIBUTES)), ("parts of a map", ", ".join(CLASSES[1:]))])


def print_config(command: str, overrides: Sequence[str], *, as_json: bool) -> None:
    """Print the configuration of `command`; "data-pack" and "data pack" are the same."""
    from facecond.config.compose import compose

    found = command_named([command, *overrides])
    if found is None:
        raise ConfigError(
            f"{command!r} is not a command with a configuration",
            hint=nearest(command, COMMANDS),
        )
    name, words = found
    print_configuration(compose(name, words, blank=True), as_json=as_json, meanings=True)
    sys.stdout.flush()
