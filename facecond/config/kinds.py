"""The base of what `facecond train` can train (`facecond.config.models` lists the kinds)."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Base of the model configurations; an option of the group `model` is one of them with a few values changed."""
