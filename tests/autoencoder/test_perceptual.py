import re
import warnings
from pathlib import Path

import pytest
import torch

from facecond.autoencoder.perceptual import TERMS, GradientL1, perceptual_term
from facecond.config.networks import Perceptual, VQLossConfig
from facecond.errors import CheckpointError


def test_every_name_has_a_term() -> None:
    assert set(TERMS) == set(Perceptual)
    assert VQLossConfig().perceptual is Perceptual.lpips


def test_gradient_term_of_a_ramp() -> None:
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    # Steps of 1 to the right at full size, of 2 at half size, of 4 at a quarter; none downwards. Brightness does not
    # count.
    assert float(GradientL1(3)(ramp, torch.zeros_like(ramp) + 5)) == pytest.approx((1 + 2 + 4) / 3)
    assert float(GradientL1(1)(ramp, torch.zeros_like(ramp))) == pytest.approx(1)
    assert float(perceptual_term(VQLossConfig(perceptual=Perceptual.none))(ramp, ramp + 1)) == 0


def test_lpips_without_weights_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert str(torch.hub.get_dir()) == str(tmp_path / "hub")
    with pytest.raises(
        CheckpointError, match=re.escape(str(tmp_path / "hub/checkpoints/vgg16-397923af.pth"))
    ) as caught:
        perceptual_term(VQLossConfig())
    assert "perceptual=gradient" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vgg16-397923af.pth", b"half a download", "SHA-256 is .* expected 397923af"),
        ("trunk.pth", b"not a weights file", "damaged, or not a checkpoint"),
        ("trunk.pth", {"classifier.0.weight": torch.zeros(2)}, "not VGG-16 weights: features"),
        ("trunk.pth", [1, 2], "holds a list"),
    ],
)
def test_lpips_refuses_other_files(tmp_path: Path, name: str, content: object, message: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        perceptual_term(VQLossConfig(lpips_trunk=str(path)))


def test_lpips_with_a_trunk_from_a_file_equals_the_package(tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    # torchvision's names: the slices of the package keep the numbers of the layers.
    features = {"features." + name.split(".", 1)[1]: value for name, value in theirs.net.state_dict().items()}
    torch.save(features, tmp_path / "trunk.pth")
    ours = perceptual_term(VQLossConfig(lpips_trunk=str(tmp_path / "trunk.pth")))
    a, b = torch.rand(2, 2, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(ours(a, b), theirs(a, b).mean())
    assert float(ours(a, a)) == 0
    assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_efficientnet_s_distance_is_that_of_its_features() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from facecond.pretrained.efficientnet import EfficientNet, weights_file

    term = perceptual_term(VQLossConfig(perceptual=Perceptual.efficientnet)).train()
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1 for _ in range(2))
    one = one.requires_grad_()
    found = term(one, two)
    network = EfficientNet(weights_file())
    expected = []
    for a, b in zip(*(network.levels(((x + 1) * 127.5 - 127) / 128) for x in (one, two)), strict=True):
        scaled = [maps / maps.norm(dim=1, keepdim=True) for maps in (a, b)]
        expected.append((scaled[0] - scaled[1]).square().sum(1).mean((1, 2)))
    torch.testing.assert_close(found, torch.stack(expected).mean(0).mean(), rtol=1e-4, atol=1e-6)
    found.backward()
    assert one.grad is not None
    assert one.grad.abs().max() > 0
    assert not any(weight.requires_grad for weight in term.parameters())
    assert float(term(one, one)) == 0
