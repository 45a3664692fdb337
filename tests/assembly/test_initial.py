"""Weights to start from: ours, those of CompVis latent diffusion, torchvision's ResNet-18; anything else is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from facecond.assembly.generator import diffusion_networks
from facecond.assembly.initial import start_classifier, start_diffusion, start_first_stage, start_parser
from facecond.autoencoder.vq import VQModel
from facecond.config.diffusion import DiffusionConfig
from facecond.config.models import ClassifierModelConfig, FirstStageModelConfig, ParserModelConfig
from facecond.config.networks import (
    ClassifierConfig,
    ClassifierKind,
    ParserConfig,
    ParserKind,
    TransformerConfig,
    UNetConfig,
    VQConfig,
)
from facecond.config.settings import plain
from facecond.errors import CheckpointError, ConfigError
from facecond.interop.compvis import AVERAGE, UNET, average_name
from facecond.io.checkpoint import join_modules, save_weights
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser

VQ = VQConfig(ch=8, ch_mult=[1, 2, 2], num_res_blocks=1, n_embed=32, mid_attention=False, norm_groups=4)
SMALL = UNetConfig(
    model_channels=32, channel_mult=[1, 2], num_res_blocks=1, attention_downsamplings=[2], head_channels=32
)


def other(module: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of the same shapes that are all different."""
    return {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in module.state_dict().items()}


def first_stage_file(path: Path, network: VQModel) -> dict[str, torch.Tensor]:
    tensors = other(network)
    config = {"kind": "vq", "model": plain(FirstStageModelConfig(network=network.config)), "resolution": 64}
    save_weights(path, join_modules({"first_stage": tensors}), config)
    return tensors


@pytest.mark.parametrize("keep_decoder", [True, False])
def test_a_given_encoder_with_its_decoder_or_a_new_one(tmp_path: Path, keep_decoder: bool) -> None:
    network = VQModel(VQ)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    given = first_stage_file(tmp_path / "given.safetensors", network)
    start_first_stage(network, str(tmp_path / "given.safetensors"), keep_decoder=keep_decoder)
    for name, tensor in network.state_dict().items():
        new = name.startswith(("decoder.", "post_quant_conv.")) and not keep_decoder
        assert torch.equal(tensor, (before if new else given)[name]), name


def test_a_first_stage_of_another_size_is_refused(tmp_path: Path) -> None:
    first_stage_file(tmp_path / "given.safetensors", VQModel(VQ))
    with pytest.raises(ConfigError, match="another size"):
        start_first_stage(
            VQModel(VQConfig(ch=8, norm_groups=4, n_embed=32)), str(tmp_path / "given.safetensors"), keep_decoder=True
        )


def test_a_decoder_of_its_own_width(tmp_path: Path) -> None:
    """It decodes what a narrower encoder gives, and may be new on an encoder that is given."""
    wide = VQModel(replace(VQ, decoder_ch=2 * VQ.ch))
    plain_one = VQModel(VQ)
    narrow, wider = (model.decoder.conv_in.weight.shape[0] for model in (plain_one, wide))
    assert wider == 2 * narrow
    assert [tensor.shape for tensor in wide.encoder.parameters()] == [
        each.shape for each in plain_one.encoder.parameters()
    ]
    pictures = torch.zeros(1, 3, 32, 32)
    assert wide.decode(wide.encode(pictures)).shape == pictures.shape
    given = first_stage_file(tmp_path / "given.safetensors", plain_one)
    start_first_stage(wide, str(tmp_path / "given.safetensors"), keep_decoder=False)
    assert torch.equal(wide.state_dict()["encoder.conv_in.weight"], given["encoder.conv_in.weight"])
    with pytest.raises(ConfigError, match="another size") as refused:
        start_first_stage(wide, str(tmp_path / "given.safetensors"), keep_decoder=True)
    assert f"model.network.decoder_ch={VQ.ch}" in str(refused.value.hint)
    start_first_stage(VQModel(replace(VQ, decoder_ch=VQ.ch)), str(tmp_path / "given.safetensors"), keep_decoder=True)
    with pytest.raises(ConfigError, match="decoder_ch=6 x 1 channels"):
        VQModel(replace(VQ, decoder_ch=6))


@pytest.mark.parametrize("averaged", [True, False])
def test_the_u_net_of_latent_diffusion(tmp_path: Path, averaged: bool) -> None:
    config = DiffusionConfig(conditions=[], denoiser=SMALL)
    unet, conditioner = diffusion_networks(config, 3, 64)
    last = other(unet)
    average = {name: tensor * 2 for name, tensor in last.items()}
    checkpoint = {UNET + name: tensor for name, tensor in last.items()}
    if averaged:
        checkpoint |= {average_name(name): tensor for name, tensor in average.items()}
        assert all(name.startswith((UNET, AVERAGE)) for name in checkpoint)
    torch.save({"state_dict": checkpoint}, tmp_path / "model.ckpt")
    start_diffusion(unet, conditioner, str(tmp_path / "model.ckpt"))
    for name, tensor in unet.state_dict().items():
        assert torch.equal(tensor, (average if averaged else last)[name]), name


def test_latent_diffusion_starts_no_transformer(tmp_path: Path) -> None:
    config = DiffusionConfig(conditions=[], denoiser=TransformerConfig(width=32, depth=1, head_channels=16))
    torch.save({"state_dict": {}}, tmp_path / "model.ckpt")
    with pytest.raises(ConfigError, match="can only start a U-Net"):
        start_diffusion(*diffusion_networks(config, 3, 64), str(tmp_path / "model.ckpt"))


def test_a_diffusion_model_of_ours_with_its_condition_encoders(tmp_path: Path) -> None:
    config = DiffusionConfig(conditions=["attributes"], denoiser=SMALL)
    unet, conditioner = diffusion_networks(config, 3, 64)
    given = {"denoiser": other(unet), "conditioner": other(conditioner)}
    save_weights(tmp_path / "given.safetensors", join_modules(given), {"kind": "diffusion", "model": plain(config)})
    start_diffusion(unet, conditioner, str(tmp_path / "given.safetensors"))
    for module, tensors in ((unet, given["denoiser"]), (conditioner, given["conditioner"])):
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("kind", ["parser", "classifier"])
def test_a_judge_of_ours(tmp_path: Path, kind: str) -> None:
    network: nn.Module
    if kind == "parser":
        config = ParserModelConfig(network=ParserConfig(kind=ParserKind.small, width=8))
        network, start = build_parser(config.network), start_parser
    else:
        config = ClassifierModelConfig(network=ClassifierConfig(kind=ClassifierKind.small, width=8))
        network, start = build_classifier(config.network), start_classifier
    given = other(network)
    save_weights(tmp_path / "given.safetensors", join_modules({kind: given}), {"kind": kind, "model": plain(config)})
    start(network, str(tmp_path / "given.safetensors"))
    assert all(torch.equal(tensor, given[name]) for name, tensor in network.state_dict().items())


def test_a_first_stage_is_no_diffusion_model(tmp_path: Path) -> None:
    first_stage_file(tmp_path / "given.safetensors", VQModel(VQ))
    with pytest.raises(CheckpointError, match="does not hold a diffusion model"):
        start_diffusion(
            *diffusion_networks(DiffusionConfig(conditions=[], denoiser=SMALL), 3, 64),
            str(tmp_path / "given.safetensors"),
        )


def test_torchvisions_resnet18_starts_a_classifier(tmp_path: Path) -> None:
    classifier = build_classifier(ClassifierConfig())
    weights = {name: tensor for name, tensor in other(classifier).items() if not name.startswith(("fc.", "pixels."))}
    torch.save(weights | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, tmp_path / "resnet18.pth")
    start_classifier(classifier, str(tmp_path / "resnet18.pth"))
    for name, tensor in weights.items():
        assert torch.equal(classifier.state_dict()[name], tensor), name
    with pytest.raises(ConfigError, match="can only start a resnet18"):
        start_classifier(build_classifier(ClassifierConfig(kind=ClassifierKind.small)), str(tmp_path / "resnet18.pth"))
