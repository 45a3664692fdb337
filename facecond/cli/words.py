"""Positional words of commands: what is named, and overrides (`key.path=value`), told from one another and written as overrides."""

from collections.abc import Sequence
from pathlib import Path


def told_apart(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Names among the words, and overrides: a word with an equals sign."""
    return [word for word in words or [] if "=" not in word], [word for word in words or [] if "=" in word]


def places_among(words: Sequence[str] | None) -> tuple[str | None, list[str]]:
    """Files and folders among the words, as a list in an override (None when there are none), and the other words."""
    from facecond.config.compose import quoted

    named = [word for word in words or [] if "=" not in word or Path(word).exists()]
    # A name that begins with a bracket would be read as a list.
    text = ",".join(quoted(f"./{name}" if name.startswith("[") else name) for name in named)
    return (f"[{text}]" if named else None), [word for word in words or [] if word not in named]


def listed(names: Sequence[str]) -> str | None:
    """Names as a list in Hydra's grammar; None for no names."""
    from facecond.config.compose import quoted

    return "[" + ",".join(quoted(name) for name in names) + "]" if names else None
