"""What `facecond train` can train: four kinds of model, one configuration class each."""

from dataclasses import dataclass
from enum import Enum


class ModelKind(Enum):
    """The learner a model belongs to."""

    diffusion = "diffusion"
    vq = "vq"
    parser = "parser"
    classifier = "classifier"


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """Base of the four model configurations; an option of the group `model` is one of them with a few values changed."""
