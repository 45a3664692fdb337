"""Weights to start from (`init=`): a run or a weights file of this project, or a checkpoint the field already has.

first stage    CompVis latent diffusion's autoencoder
diffusion      CompVis latent diffusion's U-Net (its averages, where it has them); condition encoders start from scratch
parser         face-parsing.PyTorch's BiSeNet
classifier     torchvision's ResNet-18, without its classification layer
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from facecond.assembly.first_stage import load_first_stage
from facecond.assembly.judges import load_classifier, load_parser
from facecond.autoencoder.vq import VQModel
from facecond.conditions.conditioner import Conditioner
from facecond.config.settings import plain
from facecond.denoisers.denoiser import Denoiser
from facecond.denoisers.unet import UNet
from facecond.errors import CheckpointError, ConfigError
from facecond.interop.compvis import split_checkpoint
from facecond.interop.foreign import read_tensors
from facecond.io.checkpoint import is_ours, load_strictly, load_weights, naming, split_modules
from facecond.io.runs import weights_in
from facecond.judges.classifier import ClassifierNetwork, ResNet18Classifier
from facecond.judges.efficientnet import EfficientNetClassifier, EfficientNetParser
from facecond.judges.parser import ParserNetwork

_CPU = torch.device("cpu")

Learnt = list[dict[str, Any]] | None
"""What weights learnt from (see `data.learnt`); None when that is not known."""


def start_first_stage(network: VQModel, init: str, *, keep_decoder: bool) -> None:
    """Give `network` the weights in `init`; without `keep_decoder` only what comes before the decoder.

    Raises CheckpointError when they are missing or of something else, ConfigError when they are of another size.
    """
    groups = None if is_ours(weights_in(Path(init))) else network.config.norm_groups
    given = load_first_stage(Path(init), _CPU, norm_groups=groups).network
    if not isinstance(given, VQModel):
        raise ConfigError(f"init={init} has no weights", hint="name a first stage: init=RUN_OR_FILE")
    _check_size(init, given, network, decoder=keep_decoder)
    tensors = given.state_dict()
    if not keep_decoder:
        own = network.state_dict()
        tensors |= {name: own[name] for name in own if name.startswith(("decoder.", "post_quant_conv."))}
    network.load_state_dict(tensors)


def start_diffusion(denoiser: Denoiser, conditioner: Conditioner, init: str, *, kind: str = "diffusion") -> None:
    """Give the denoiser, and from a run of ours also the condition encoders, the weights in `init`.

    Raises CheckpointError when they are missing, of something else or of another size, ConfigError when latent
    diffusion's are to start another denoiser than the U-Net.
    """
    file = weights_in(Path(init))
    if is_ours(file):
        weights = load_weights(file)
        if weights.config.get("kind") != kind:
            raise CheckpointError(f"{file} does not hold a {kind} model", hint="init= takes weights of the same kind")
        tensors = split_modules(weights.tensors)
        load_strictly(denoiser, tensors.get("denoiser", {}), str(file))
        load_strictly(conditioner, tensors.get("conditioner", {}), str(file))
        return
    if not isinstance(denoiser, UNet):
        raise ConfigError(f"init={init} can only start a U-Net", hint="choose denoiser=unet")
    with naming(file):
        checkpoint = split_checkpoint(read_tensors(file))
    load_strictly(denoiser, checkpoint.average or checkpoint.unet, str(file))


def start_parser(network: ParserNetwork, init: str | None) -> Learnt:
    """Give a face parser the weights in `init`, else ImageNet's features where it has a place for them; return which faces they
    learnt from (ImageNet's: none). Raises as `start_first_stage` does.
    """
    if init is None:
        _start_imagenet(network)
        return []
    given = load_parser(Path(init), _CPU)
    load_strictly(network, given.network.state_dict(), init)
    return given.learnt_from


def start_classifier(network: ClassifierNetwork, init: str | None) -> Learnt:
    """Give an attribute classifier the weights in `init`, else ImageNet's features where it has a place for them; return which
    faces they learnt from (torchvision's: none). Raises as `start_first_stage` does.
    """
    if init is None:
        _start_imagenet(network)
        return []
    file = weights_in(Path(init))
    if is_ours(file):
        given = load_classifier(Path(init), _CPU)
        load_strictly(network, given.network.state_dict(), init)
        return given.learnt_from
    if not isinstance(network, ResNet18Classifier):
        raise ConfigError(f"init={init} can only start a resnet18", hint="set model.network.kind=resnet18")
    network.load_trunk(read_tensors(file), str(file))
    return []


def _start_imagenet(network: nn.Module) -> None:
    if isinstance(network, EfficientNetParser | EfficientNetClassifier):
        network.load_imagenet()


def _check_size(init: str, given: VQModel, network: VQModel, *, decoder: bool) -> None:
    theirs, ours = plain(given.config), plain(network.config)
    theirs["beta"] = ours["beta"]  # weighs the loss, no tensor
    for sizes in (theirs, ours):
        sizes["decoder_ch"] = (sizes["decoder_ch"] or sizes["ch"]) if decoder else None
    if wrong := [key for key in ours if theirs[key] != ours[key]]:
        words = " ".join(f"model.network.{key}={theirs[key]}".replace(" ", "") for key in wrong)
        raise ConfigError(f"init={init} is a first stage of another size", hint=f"train with {words}")
