"""The published networks, with random weights in their form, beside clean-fid and lpips; EfficientNet-Lite0 with its own."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanfid import fid as clean
from cleanfid.inception_torchscript import InceptionV3W
from PIL import Image
from torch import Tensor, nn

from facecond.metrics.frechet import frechet_distance
from facecond.metrics.kernel import kernel_distance
from facecond.pretrained.efficientnet import EfficientNet, EfficientNetFeatures, batch, weights_file
from facecond.pretrained.inception import Inception
from facecond.pretrained.lpips import LPIPS, embedding

CPU = torch.device("cpu")

FIRST = 128
"""Features whose distances are compared: of all 2048, clean-fid's matrix root would take half a minute."""


class Shaped(nn.Module):
    """What the published file looks like from outside: `layers`, and a forward pass that resizes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 2048, 24, stride=24), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )  # fmt: skip
        self.output = nn.Linear(2048, 1008)

    def forward(self, x: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        x = nn.functional.interpolate(x, size=[299, 299], mode="bilinear", align_corners=False)
        features = self.layers((x - 128) / 128)
        if return_features:
            return features
        logits = nn.functional.linear(features, self.output.weight) if no_output_bias else self.output(features)
        return nn.functional.softmax(logits, dim=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of PNGs of different sizes, and a network of the published form."""
    place, random = tmp_path_factory.mktemp("clean"), np.random.default_rng(0)
    for name, size, count, tint in (("a", 64, 12, 0), ("b", 80, 14, 40)):
        (place / name).mkdir()
        for index in range(count):
            smooth = random.integers(0, 200, (6, 6, 3)).astype(np.uint8)
            picture = np.asarray(Image.fromarray(smooth).resize((size, size), Image.Resampling.BICUBIC))
            Image.fromarray((picture + tint).clip(0, 255).astype(np.uint8)).save(place / name / f"{index:03}.png")
    torch.manual_seed(0)
    torch.jit.script(Shaped()).save(str(place / "inception-2015-12-05.pt"))
    return place


def read(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))])


@pytest.mark.parametrize(("mode", "inside"), [("clean", False), pytest.param("legacy", True, marks=pytest.mark.slow)])
def test_fid_and_kid_of_two_folders_are_clean_fid_s(folder: Path, mode: str, inside: bool) -> None:
    theirs = InceptionV3W(str(folder), download=False, resize_inside=inside)
    named = {"clean": "clean", "legacy": "legacy_tensorflow"}[mode]
    features = [
        clean.get_folder_features(str(folder / name), theirs, num_workers=0, batch_size=7, device=CPU, mode=named, verbose=False)
        for name in "ab"
    ]  # fmt: skip
    ours = Inception(folder / "inception-2015-12-05.pt", CPU, mode=mode, batch_size=5)
    found = [ours(read(folder / name)) for name in "ab"]
    np.testing.assert_allclose(found[0], features[0], rtol=1e-4, atol=1e-6)
    features, found = ([each[:, :FIRST] for each in both] for both in (features, found))
    expected = clean.fid_from_feats(*features)
    assert frechet_distance(*found).value == pytest.approx(expected, rel=1e-4)
    kernel = clean.kernel_distance(*(each[:12].astype(np.float64) for each in features), num_subsets=1)
    assert kernel_distance(*(each[:12] for each in found)).value == pytest.approx(kernel, rel=1e-4)


def test_classes_of_features_are_those_of_the_whole_network(folder: Path) -> None:
    """Inception's without its bias, as StyleGAN2-ADA takes them for the Inception score; EfficientNet's with it."""
    pictures, file = read(folder / "a"), folder / "inception-2015-12-05.pt"
    ours = Inception(file, CPU, mode="legacy")
    with torch.inference_mode():
        whole = torch.jit.load(str(file))(batch(pictures, CPU).float(), no_output_bias=True).numpy()
    np.testing.assert_allclose(np.exp(ours.classes(ours(pictures))), whole, rtol=1e-4)
    weights = weights_file()
    assert weights is not None
    light = EfficientNetFeatures(weights, CPU)
    with torch.inference_mode():
        whole = light._network.logits(batch(pictures[:3], CPU)).double().log_softmax(1).numpy()
    np.testing.assert_allclose(light.classes(light(pictures[:3])), whole, atol=1e-3)


@pytest.fixture(scope="module", params=["alex", "vgg"])
def trunk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, nn.Module]:
    """LPIPS of the package on a random trunk, and that trunk in a file of torchvision's form."""
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net=request.param, pnet_rand=True, verbose=False)
    features = {"features." + name.split(".", 1)[1]: value for name, value in theirs.net.state_dict().items()}
    path = tmp_path_factory.mktemp("trunk") / "trunk.pth"
    torch.save(features, path)
    return request.param, path, theirs


def test_squared_distance_of_embedded_pictures_is_lpips(trunk: tuple[str, Path, nn.Module]) -> None:
    net, path, theirs = trunk
    ours = LPIPS(path, net)
    pictures = torch.rand(3, 3, 64, 64) * 2 - 1
    rows = ours.embed(pictures).double()
    for a, b in ((0, 1), (0, 2), (1, 2)):
        expected = float(theirs(pictures[a : a + 1], pictures[b : b + 1]).detach())
        assert float((rows[a] - rows[b]).square().sum()) == pytest.approx(expected, abs=1e-5, rel=1e-5)


def test_embedding_by_hand() -> None:
    """Two layers; the first differs by a right angle at one of four places, the second not at all."""
    first = torch.zeros(2, 2, 2, 2)
    first[:, 0] = 3
    first[1, :, 0, 0] = torch.tensor([0.0, 5.0])
    rows = embedding([first, torch.ones(2, 3, 1, 1)])
    assert float((rows[0] - rows[1]).square().sum()) == pytest.approx(0.5 * 2 / 4)


def test_efficientnet_knows_what_it_sees() -> None:
    """Of photographs that come with scikit-image: a cat (classes 281 to 285) and a cup of espresso (967)."""
    data = pytest.importorskip("skimage.data")
    file = weights_file()
    assert file is not None
    network = EfficientNet(file)
    said = []
    for photo in (data.chelsea(), data.coffee()):
        height, width = photo.shape[:2]
        square = photo[:, (width - height) // 2 :][:, :height]
        said.append(int(network.logits(batch(square[None], CPU)).argmax()))
    assert said[0] in range(281, 286)
    assert said[1] == 967


def test_efficientnet_s_features_do_not_depend_on_the_batch() -> None:
    file = weights_file()
    assert file is not None
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3)).astype(np.uint8)
    one, two = (EfficientNetFeatures(file, CPU, batch_size=size)(images) for size in (2, 5))
    assert one.shape == (5, 1280)
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
    levels = list(EfficientNet(file).levels(torch.zeros(1, 3, 64, 64)))
    assert [level.shape[-1] for level in levels] == [32, 16, 8, 4, 2]
