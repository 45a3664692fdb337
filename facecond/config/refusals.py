"""What is wrong with an override, in one line: what Hydra lets through, and what it explains badly."""

import dataclasses
import re

from facecond.config import commands
from facecond.config.catalogue import groups_of, options_of
from facecond.errors import ConfigError, nearest

NOT_OF_OTHERS = ("weighting", "sampler", "denoiser")
"""Groups of `facecond train` that only diffusion models have, beside `experiment`, which is none by default."""


def check_words(command: str, overrides: list[str]) -> None:
    """Refuse words that are no override, of Hydra's own grammar or of several values, and unknown options of groups."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    groups = groups_of(command)
    for word in overrides:
        if "=" not in word and not word.startswith("~"):
            hint = nearest(word, [*groups, *_root_keys(command)])
            raise ConfigError(f"{word!r} is not an override", hint=f"write key=value or group=option; {hint}")
        key = word.partition("=")[0]
        if not key.strip():
            raise ConfigError(f"{word!r} has no key before '='", hint="write key=value")
        if word.startswith(("+", "~")):
            raise ConfigError(
                f"{word!r}: keys cannot be added or deleted, every key of the configuration is known",
                hint=f"write {key.lstrip('+~')}=VALUE, or see: facecond config show {command}",
            )
        if key == "hydra" or key.startswith("hydra."):
            raise ConfigError(
                f"{word!r}: Hydra's own settings are not used here", hint="name the folder with workspace=DIR"
            )
        try:
            parsed = OverridesParser.create().parse_overrides([word])[0]
        except (HydraException, ValueError) as error:
            raise ConfigError(
                f"{word!r} cannot be read: {first_line(error)}", hint="quote values with spaces, commas or braces"
            ) from error
        if parsed.is_sweep_override():
            raise ConfigError(
                f"{word!r} names several values", hint=f"write {key}=[...] for one list, or add -m to run once for each"
            )
        if key in groups:
            _check_option(key, word.partition("=")[2], optional=groups[key] == "null")


def check_kind(kind: str, overrides: list[str]) -> None:
    """What belongs to diffusion alone is refused elsewhere, in words that say why."""
    own = {field.name for field in dataclasses.fields(commands.TRAINING[kind])}
    of_diffusion = {field.name for field in dataclasses.fields(commands.TRAINING["diffusion"])} - own
    for word in overrides:
        section = word.partition("=")[0].partition(".")[0]
        if section in {*of_diffusion, *NOT_OF_OTHERS, "experiment"}:
            raise ConfigError(
                f"{word!r} has no meaning for a {kind} model",
                hint=f"{section} belongs to diffusion models; leave it out",
            )


def _check_option(group: str, option: str, *, optional: bool) -> None:
    options = options_of(group)
    if option not in options and not (optional and option == "null"):
        raise ConfigError(f"{group}={option} is not an option of {group}", hint=nearest(option, options))


def check_key(key: str, known: list[str], command: str) -> None:
    """Refuse a key that is not among `known`, naming the nearest."""
    if key in known:
        return
    last = key.rpartition(".")[2]
    same_end = [other for other in known if other.rpartition(".")[2] == last]
    hint = f"did you mean {same_end[0]!r}?" if same_end else nearest(key, known)
    if hint.startswith("choose"):
        hint = f"see: facecond config show {command}"
    raise ConfigError(f"{key!r} is not a key of {command}", hint=hint)


def in_our_words(key: str | None, text: str) -> tuple[str, str | None]:
    """Say what Hydra and OmegaConf find wrong in the words of this tool; return a message and, for some, a hint."""
    kinds = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "text"}
    if re.search(r"is not a ListConfig, list or tuple", text):
        return f"{key} takes a list", f"write {key}=[...]"
    if re.search(r"Invalid type assigned: \w+ is not a subclass of", text):
        return f"{key} is a section of keys, not a value", f"write {key}.KEY=VALUE"
    if found := re.search(r"Value '(.*)' of type '.*' could not be converted to (\w+)", text):
        return f"{key}={found[1]} is not {kinds.get(found[2], found[2])}", None
    if re.search(r"field '.*' is not Optional", text):
        return f"{key} needs a value", None
    return (f"{key}: {text}" if key else text), None


def first_line(error: BaseException) -> str:
    """What an error says first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _root_keys(command: str) -> list[str]:
    return [field.name for field in dataclasses.fields(commands.COMMANDS[command])]
