"""From words on the command line to a checked configuration: with `sweep` and `settings` the only importer of Hydra.

`compose("train", ["model=attr", "trainer.seed=3"])` reads `conf/train.yaml`, puts the chosen options of the groups on top of the
typed schema, applies the overrides and returns plain dataclasses. Everything Hydra lets through or explains badly is refused
here in one line: unknown keys (with the nearest known one), `+` and `~`, settings of Hydra itself, sweeps outside `-m`,
values of a wrong type, values left out, environment variables that are not set.
"""

import copy
import dataclasses
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from facecond.bounds import check_bounds
from facecond.config.catalogue import chosen_size, conf_folder, groups_of, options_of, sized_kind
from facecond.config.commands.base import MISSING
from facecond.config.commands.table import COMMANDS, SCHEMAS, config_name
from facecond.config.commands.train import TRAINING
from facecond.config.meanings import commented
from facecond.config.models import GENERATIVE, VARIANTS
from facecond.config.settings import first_line, freeze, plain, to_yaml
from facecond.errors import ConfigError, nearest
from facecond.faces.names import ATTRIBUTES

REQUIRED = "(required)"
"""Stands for a value that must be given."""

UNUSED = ("output", "launcher", "sweeper", "help", "hydra_help", "hydra_logging", "job_logging", "env")
"""Hydra's own groups (logs, folders, help, sweeps). Nothing here reads them, and composing them takes a fifth of the time."""

RENAMED = {"metrics": "measures"}
"""Keys that had another name."""

SET_BY_SIZES = {"sampler"}
"""Groups some of whose values the sizes set."""


@dataclasses.dataclass(frozen=True, slots=True)
class Composed:
    """A checked configuration and how it came about."""

    command: str
    config: Any
    """The command's dataclass in `facecond.config.commands`."""
    choices: dict[str, str]
    """Chosen option of each group."""
    overrides: list[str]
    """The overrides as typed."""

    def given(self, key: str) -> bool:
        """Say whether the user typed a value for `key`, for a key below it, or an option of a group of that name."""
        return any(f"{word.partition('=')[0]}.".startswith(f"{key}.") for word in self.overrides)

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values that JSON can hold."""
        return plain(self.config)

    def as_yaml(self) -> str:
        """The configuration as YAML, keys in schema order."""
        return to_yaml(self.as_dict())

    def as_commented_yaml(self) -> str:
        """The same with the meaning of every key above it."""
        return "\n".join(commented(self.config, lambda name, value: to_yaml({name: plain(value)}).splitlines())) + "\n"


def quoted(value: Any) -> str:
    """Text that Hydra's grammar would take apart goes in quotes; lists are passed as they are."""
    text = str(value)
    if isinstance(value, str) and not text.startswith("["):
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return text


def is_group_choice(word: str, command: str) -> bool:
    """True when the override `word` chooses an option of a config group of `command` rather than setting a value."""
    return word.partition("=")[0] in groups_of(command)


def compose(
    command: str,
    overrides: Sequence[str],
    *,
    size: str | None = None,
    beneath: Sequence[str] = (),
    above: Sequence[str] = (),
    blank: bool = False,
) -> Composed:
    """Compose and check the configuration of `command`.

    Args:
        command: a key of `facecond.config.commands.table.COMMANDS`.
        overrides: Hydra overrides (`group=option`, `key.path=value`), later ones winning.
        size: size to use when the overrides name none (tiny, small, base, paper).
        blank: let what has no value stand as `REQUIRED`, for looking at.
        beneath: overrides that those typed replace, for example the sampler a run was trained with.
        above: overrides that replace those typed, for example a path that was found for a name that was typed.

    Raises:
        ConfigError: for every fault in the overrides, with the key's name and what was expected.
    """
    overrides = list(overrides)
    check_words(command, overrides)
    chosen = [word for word in overrides if is_group_choice(word, command)]
    values = [word for word in overrides if not is_group_choice(word, command)]
    if size is not None and not any(word.startswith("size=") for word in chosen):
        chosen.insert(0, f"size={size}")
    kind = sized_kind(command, chosen)
    if command == "train" and kind != "diffusion":
        check_kind(kind, overrides)
        chosen += [f"~{group}" for group in _groups_without(kind)]
    chosen = _resolve_denoiser(command, _named(chosen))
    chosen = [_resolve_size(command, word, chosen) for word in chosen]
    schemas = {**SCHEMAS, "train_schema": TRAINING[kind]}
    base, choices = _base(command, tuple(chosen), tuple(schemas.items()))
    composed = copy.deepcopy(base)
    try:
        _put_over(composed, [*beneath, *_over_size(chosen), *values, *above], command)
    except ConfigError:
        known = _keys(base)
        for word in values:
            check_key(word.partition("=")[0], known, command)
        raise
    config = _to_object(composed, blank=blank)
    check_bounds(config, slips=config.limits)
    return Composed(command, freeze(config), dict(choices), overrides)


def _named(chosen: list[str]) -> list[str]:
    """Group choices without those that the last word about their group takes back (`size=null`)."""
    last = {word.partition("=")[0]: word.partition("=")[2] for word in chosen}
    return [word for word in chosen if "null" not in (word.partition("=")[2], last[word.partition("=")[0]])]


def _resolve_size(command: str, word: str, chosen: list[str]) -> str:
    """`size=tiny` means the option of the kind of model that is trained: `size=diffusion/tiny`."""
    group, _, option = word.partition("=")
    if group != "size" or option == "null":
        return word
    return f"size={sized_kind(command, chosen)}/{option}"


def _resolve_denoiser(command: str, chosen: list[str]) -> list[str]:
    """`denoiser=unet` means its option of the size that is chosen, `denoiser=unet/tiny`; only models that diffuse have one."""
    default = groups_of(command).get("denoiser")
    if default is None:
        return chosen
    named = [word.partition("=")[2] for word in chosen if word.startswith("denoiser=")]
    others = [word for word in chosen if not word.startswith("denoiser=")]
    if sized_kind(command, chosen) not in GENERATIVE:
        return others
    return [*others, f"denoiser={[default, *named][-1]}/{chosen_size(chosen)}"]


def _over_size(chosen: list[str]) -> list[str]:
    """The values of options the user chose in groups that sizes set too: what is named counts more than the size."""
    from omegaconf import OmegaConf

    words = []
    for group, _, option in (word.partition("=") for word in chosen):
        if group in SET_BY_SIZES:
            values = OmegaConf.load(conf_folder() / group / f"{option}.yaml")
            words += [f"{group}.{key!s}={value}" for key, value in values.items()]
    return words


@cache
def _base(command: str, chosen: tuple[str, ...], schemas: tuple[tuple[str, type], ...]) -> tuple[Any, dict[str, str]]:
    """What the chosen options of the groups make, and the option of each group; `schemas`: what options start from, by name.

    Hydra, which takes most of the time, is asked once; values are put over copies.
    """
    from hydra import compose as hydra_compose
    from omegaconf import open_dict

    with _hydra(command, schemas), _in_our_words(command):
        words = [*chosen, *(f"~hydra/{group}" for group in UNUSED)]
        composed = hydra_compose(config_name=config_name(command), overrides=words, return_hydra_config=True)
        choices = _choices(command, composed)
        with open_dict(composed):
            del composed["hydra"]
    return composed, choices


_stored: dict[str, type] = {}
"""The schemas in Hydra's store, by name."""


@contextmanager
def _hydra(command: str, schemas: tuple[tuple[str, type], ...]) -> Iterator[None]:
    """Hydra with the schema of `command` and those that options of groups start from."""
    from hydra import initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    store = ConfigStore.instance()
    own = f"{config_name(command)}_schema"
    for name, schema in schemas:
        group, _, option = name.rpartition("/")
        if (not group and name != own) or _stored.get(name) is schema:
            continue
        open_sections = {field.name: MISSING for field in dataclasses.fields(schema) if field.type in VARIANTS}
        store.store(name=option, group=group or None, node=schema(**open_sections))
        _stored[name] = schema
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer  # of a program around us that uses Hydra itself


@contextmanager
def _in_our_words(command: str) -> Iterator[None]:
    """Turn what Hydra and OmegaConf refuse inside the block into a ConfigError."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        reason = error.__cause__ or error
        message, hint = in_our_words(getattr(reason, "full_key", None), first_line(reason))
        raise ConfigError(message, hint=hint or f"see: facecond config show {command}") from error


def _put_over(composed: Any, words: Sequence[str], command: str) -> None:
    """Set the values that `words` name, later ones winning."""
    from omegaconf import OmegaConf

    with _in_our_words(command):
        for word in words:
            parsed = _parsed(word)
            OmegaConf.update(composed, parsed.get_key_element(), parsed.value(), merge=True)


@lru_cache(maxsize=1024)
def _parsed(word: str) -> Any:
    """An override in Hydra's grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_overrides([word])[0]


def _to_object(composed: Any, *, blank: bool = False) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        OmegaConf.resolve(composed)
        if blank:
            for key in OmegaConf.missing_keys(composed):
                OmegaConf.update(composed, key, REQUIRED)
        if missing := sorted(OmegaConf.missing_keys(composed)):
            raise ConfigError(f"{missing[0]} has no value", hint=f"give it: {missing[0]}=...")
        return OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{getattr(error, 'full_key', '') or 'configuration'}: {first_line(error)}") from error


def _choices(command: str, composed: Any) -> dict[str, str]:
    chosen = composed.hydra.runtime.choices
    found = {group: chosen.get(group) for group in groups_of(command)}
    named = {group: str(option) for group, option in found.items() if option not in (None, "null")}
    return {
        group: option.partition("/")[0] if group == "denoiser" else option.rpartition("/")[2]
        for group, option in named.items()
    }


def _keys(composed: Any, prefix: str = "") -> list[str]:
    from omegaconf import DictConfig

    keys: list[str] = []
    for key in composed:
        node = composed._get_node(key)
        keys.append(prefix + str(key))
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
            keys.extend(_keys(node, f"{prefix}{key}."))
    return keys


NOT_OF_OTHERS = ("weighting", "sampler", "denoiser")
"""Groups of `facecond train` that only models that diffuse have, beside `experiment`, which is none by default."""


def _groups_without(kind: str) -> tuple[str, ...]:
    """Groups of `facecond train` that models of `kind` do not have."""
    return () if kind in GENERATIVE else NOT_OF_OTHERS


def check_words(command: str, overrides: list[str]) -> None:
    """Refuse words that are no override, of Hydra's own grammar or of several values, and unknown options of groups."""
    from hydra.errors import HydraException

    groups = groups_of(command)
    for word in overrides:
        if "=" not in word and not word.startswith("~"):
            keys = _root_keys(command)
            meant = next((each for each in ATTRIBUTES if each.lower() == word.lstrip("+-").lower()), None)
            if meant and "attr" in keys:
                sign = "-" if word.startswith("-") else "+"
                raise ConfigError(f"{word!r} is not an override", hint=f"did you mean --attr {sign}{meant}?")
            hint = nearest(word, [*groups, *keys])
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
            parsed = _parsed(word)
        except (HydraException, ValueError) as error:
            raise ConfigError(
                f"{word!r} cannot be read: {first_line(error)}",
                hint="quote values with spaces, commas, braces or equals signs",
            ) from error
        if parsed.is_sweep_override():
            raise ConfigError(
                f"{word!r} names several values", hint=f"write {key}=[...] for one list, or add -m to run once for each"
            )
        if key in groups:
            _check_option(key, word.partition("=")[2], optional=groups[key] == "null")
    if "launcher" in groups:
        _check_launcher(overrides)


def _check_launcher(overrides: list[str]) -> None:
    """Refuse settings of a launcher where none is chosen."""
    chosen = [word.partition("=")[2] for word in overrides if word.startswith("launcher=")]
    if chosen[-1:] not in ([], ["null"]):
        return
    for word in overrides:
        if word.startswith("launcher."):
            named = " or ".join(f"launcher={option}" for option in options_of("launcher"))
            raise ConfigError(f"{word!r}: no launcher is chosen", hint=f"add {named}")


def check_kind(kind: str, overrides: list[str]) -> None:
    """What belongs to diffusion alone is refused elsewhere, in words that say why."""
    own = {field.name for field in dataclasses.fields(TRAINING[kind])}
    of_diffusion = {field.name for field in dataclasses.fields(TRAINING["diffusion"])} - own
    for word in overrides:
        section = word.partition("=")[0].partition(".")[0]
        if section in {*of_diffusion, *_groups_without(kind), "experiment"}:
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
    if RENAMED.get(key) in known:
        raise ConfigError(f"{key!r} is not a key of {command}", hint=f"it is called {RENAMED[key]} now")
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
    if found := re.search(
        r"Value '(.*)' of type '.*' is incompatible with type hint 'Optional\[Union\[(?:int, str|str, int)\]\]'", text
    ):
        return f"{key}={found[1]} is not a whole number", None
    if found := re.search(
        r"Value '(.*)' of type '.*' is incompatible with type hint 'Union\[(?:bool, str|str, bool)\]'", text
    ):
        return f"{key}={found[1]} is not true or false", None
    if found := re.search(r"Value '(.*)' of type '.*' could not be converted to (\w+)", text):
        return f"{key}={found[1]} is not {kinds.get(found[2], found[2])}", None
    if found := re.search(r"Invalid value '(.*)', expected one of \[(.*)\]", text):
        return f"{key}={found[1]} is not an option of {key}", nearest(found[1], found[2].split(", "))
    if re.search(r"field '.*' is not Optional", text):
        return f"{key} needs a value", None
    return (f"{key}: {text}" if key else text), None


def _root_keys(command: str) -> list[str]:
    return [field.name for field in dataclasses.fields(COMMANDS[command])]
