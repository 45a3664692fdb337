import pytest
import torch

from facecond.autoencoder.discriminator import PatchDiscriminator, hinge_loss
from facecond.autoencoder.losses import VQLoss, adaptive_weight
from facecond.autoencoder.vq import Reconstruction, VQModel
from facecond.config.networks import Perceptual, VQConfig, VQLossConfig


def test_discriminator_has_the_originals_layers() -> None:
    network = PatchDiscriminator(64, 3)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes == {
        "main.0.weight": (64, 3, 4, 4),
        "main.0.bias": (64,),
        "main.2.weight": (128, 64, 4, 4),
        "main.3.weight": (128,),
        "main.3.bias": (128,),
        "main.5.weight": (256, 128, 4, 4),
        "main.6.weight": (256,),
        "main.6.bias": (256,),
        "main.8.weight": (512, 256, 4, 4),
        "main.9.weight": (512,),
        "main.9.bias": (512,),
        "main.11.weight": (1, 512, 4, 4),
        "main.11.bias": (1,),
    }
    # A 256 pixel picture gives 30 x 30 patches of 70 pixels (arXiv 1611.07004).
    with torch.device("meta"):
        assert PatchDiscriminator(64, 3)(torch.empty(1, 3, 256, 256)).shape == (1, 1, 30, 30)


def test_hinge_loss() -> None:
    assert float(hinge_loss(torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0]))) == pytest.approx(0.5 * (0.25 + 1.0))


def test_adaptive_weight_balances_gradients() -> None:
    weight = torch.ones(4, requires_grad=True)
    assert float(adaptive_weight(3 * weight.sum(), 0.5 * weight.sum(), weight)) == pytest.approx(
        3 * 2 / (0.5 * 2 + 1e-4), rel=1e-6
    )
    assert float(adaptive_weight(weight.sum(), 0 * weight.sum(), weight)) == pytest.approx(1e4)


def setup(**options: object) -> tuple[VQModel, VQLoss, torch.Tensor]:
    torch.manual_seed(0)
    model = VQModel(VQConfig(ch=16, ch_mult=[1, 2], num_res_blocks=1, n_embed=16, norm_groups=8, mid_attention=False))
    loss = VQLoss(VQLossConfig(perceptual=Perceptual.gradient, discriminator_channels=8, **options))
    return model, loss, torch.rand(2, 3, 32, 32) * 2 - 1


def test_the_parts_add_up_and_the_discriminator_starts_in_images() -> None:
    model, loss, images = setup(discriminator_start=100, perceptual_weight=0.5, codebook_weight=2.0)
    result = model(images)
    before, parts = loss.autoencoder(images, result, model.last_layer, images_seen=99)
    assert "adversarial" not in parts
    assert not loss.discriminating(99)
    plain = parts["l1"] + 0.5 * parts["perceptual"]
    assert float(before.detach()) == pytest.approx(float(plain + 2 * parts["codebook"]), rel=1e-5)
    after, parts = loss.autoencoder(images, result, model.last_layer, images_seen=100)
    expected = plain + parts["adversarial_weight"] * parts["adversarial"] + 2 * parts["codebook"]
    assert float(after.detach()) == pytest.approx(float(expected), rel=1e-5)
    after.backward()
    assert float(model.encoder.conv_in.weight.grad.abs().sum()) > 0


def test_the_discriminators_phase_trains_the_discriminator_only() -> None:
    model, loss, images = setup()
    result = model(images)
    total, parts = loss.discriminate(images, result.images)
    total.backward()
    assert all(parameter.grad is not None for parameter in loss.discriminator.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert float(parts["discriminator"]) == pytest.approx(float(total.detach()))


def test_without_quantiser_and_without_discriminator() -> None:
    model, loss, images = setup(discriminator_weight=0.0)
    result = model(images, quantise=False)
    assert isinstance(result, Reconstruction)
    total, parts = loss.autoencoder(images, result, model.last_layer, images_seen=10**9)
    assert set(parts) == {"l1", "perceptual"}
    assert float(total.detach()) == pytest.approx(float(parts["l1"] + parts["perceptual"]), rel=1e-6)
    with pytest.raises(ValueError, match="no discriminator"):
        loss.discriminate(images, result.images)


def test_pixel_weights_enter_the_loss_and_not_the_reported_l1() -> None:
    """L = sum_p w_p |x - x'|_p / P + ...: doubling the weight of the left half adds half of the left half's mean error."""
    model, loss, images = setup(discriminator_weight=0.0)
    result = model(images)
    weights = torch.ones(2, 32, 32)
    weights[:, :, :16] = 2
    plain, parts = loss.autoencoder(images, result, model.last_layer, images_seen=0)
    weighted, again = loss.autoencoder(images, result, model.last_layer, 0, weights)
    left = (images - result.images)[..., :16].abs().mean().detach()
    assert float(weighted - plain) == pytest.approx(float(left / 2), rel=1e-4)
    assert parts["l1"] == again["l1"]
