"""Judges say what they do to the pictures they look at."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facecond.assembly.judges import Judge, load_classifier, load_parser
from facecond.config.models import ClassifierModelConfig, ParserModelConfig
from facecond.config.networks import ClassifierConfig, ClassifierKind, ParserConfig, ParserKind
from facecond.config.settings import plain
from facecond.io.checkpoint import join_modules, save_weights
from facecond.judges.bisenet import BiSeNet
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser

CPU = torch.device("cpu")


def parser(folder: Path, size: int | None) -> Judge:
    config = ParserConfig(kind=ParserKind.small, width=8, input_size=size)
    file = folder / "parser.safetensors"
    model = plain(ParserModelConfig(network=config))
    save_weights(file, join_modules({"parser": build_parser(config).state_dict()}), {"kind": "parser", "model": model})
    return load_parser(file, CPU)


def classifier(folder: Path, size: int | None) -> Judge:
    config = ClassifierConfig(kind=ClassifierKind.small, width=8, input_size=size)
    file = folder / "classifier.safetensors"
    tensors = join_modules({"classifier": build_classifier(config).state_dict()})
    save_weights(file, tensors, {"kind": "classifier", "model": plain(ClassifierModelConfig(network=config))})
    return load_classifier(file, CPU)


def published(folder: Path, size: int | None) -> Judge:
    """BiSeNet as face-parsing.PyTorch publishes it."""
    torch.save(
        {f"module.{name}": value for name, value in BiSeNet(ParserConfig()).state_dict().items()}, folder / "b.pth"
    )
    return load_parser(folder / "b.pth", CPU)


@pytest.mark.parametrize(
    ("made", "size", "side"),
    [(parser, None, 32), (parser, 64, 64), (classifier, None, 32), (classifier, 48, 48), (published, 512, 512)],
)
def test_a_judge_says_at_what_size_it_looks(tmp_path: Path, made: object, size: int | None, side: int) -> None:
    """The size is that of the first layer's input, of pictures of 32 px."""
    judge = made(tmp_path, size)  # type: ignore[operator]
    sides: list[int] = []
    first = next(each for each in judge.network.modules() if isinstance(each, nn.Conv2d))
    first.register_forward_pre_hook(lambda module, given: sides.append(given[0].shape[-1]))
    judge(np.zeros((1, 32, 32, 3), dtype=np.uint8))
    assert sides == [side]
    expected = "uint8 as sampled" if size is None else f"resized to {size} px, bilinear, and normalised"
    assert judge.preprocessing == expected
