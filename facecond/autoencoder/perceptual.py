"""Perceptual terms of the first stage's loss, chosen by name and never silently.

`lpips` (arXiv 1801.03924) needs the ImageNet weights of its VGG-16 trunk, as a file or in torch's cache; nothing is
downloaded here. `gradient` needs none: the L1 distance of picture gradients at several scales. `none` leaves the term
out.
"""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import Perceptual, VQLossConfig
from facecond.errors import CheckpointError
from facecond.io.files import sha256_file

TRUNK_FILE = "vgg16-397923af.pth"
"""torchvision's VGG-16 weights; the digits begin the file's SHA-256."""

_HINT = f"give torchvision's {TRUNK_FILE} as lpips_trunk, or choose perceptual=gradient, which needs no weights"


class GradientL1(nn.Module):
    """The L1 distance of horizontal and vertical picture gradients, averaged over scales 1, 1/2, 1/4, ..."""

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Two sets of pictures (B, 3, H, W) -> scalar."""
        error = images_BCHW - others_BCHW
        total = error.new_zeros(())
        for scale in range(self.scales):
            if scale:
                error = F.avg_pool2d(error, 2)
            total = total + error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        return total / self.scales


class NoTerm(nn.Module):
    """Always zero."""

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Return a scalar zero."""
        return images_BCHW.new_zeros(())


class LPIPS(nn.Module):
    """LPIPS v0.1 on VGG-16, frozen; the linear layers come with the `lpips` package, the trunk from a file."""

    def __init__(self, trunk: Path) -> None:
        """Read the trunk's weights from `trunk`; raises CheckpointError when they are missing, damaged or other
        weights."""
        super().__init__()
        features = _read_trunk(trunk)
        import lpips

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips 0.1.4 still uses torchvision's old `pretrained` argument
            network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
        slices = {name: f"features.{name.split('.', 1)[1]}" for name in network.net.state_dict()}
        wrong = [
            source
            for name, source in slices.items()
            if source not in features or features[source].shape != network.net.state_dict()[name].shape
        ]
        if wrong:
            raise CheckpointError(
                f"{trunk}: not VGG-16 weights: {', '.join(wrong[:3])} missing or misshapen", hint=_HINT
            )
        network.net.load_state_dict({name: features[source] for name, source in slices.items()}, strict=True)
        self.network = network.eval().requires_grad_(False)

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Two sets of pictures (B, 3, H, W) in [-1, 1] -> the mean distance, a scalar."""
        return self.network(images_BCHW, others_BCHW).mean()


def _read_trunk(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"the weights of LPIPS's trunk are not at {path}", hint=_HINT)
    promised = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    if promised and not sha256_file(path).startswith(promised.group(1)):
        raise CheckpointError(f"{path}: damaged, its SHA-256 does not begin with {promised.group(1)}", hint=_HINT)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as reason:
        raise CheckpointError(f"{path}: not a readable weights file", hint=_HINT) from reason
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{path}: holds a {type(tensors).__name__}, not weights", hint=_HINT)
    return {name: value for name, value in tensors.items() if isinstance(value, Tensor)}


def trunk_path(config: VQLossConfig) -> Path:
    """Return where LPIPS's trunk is expected: the configured file, or torch's cache of downloaded weights."""
    if config.lpips_trunk is not None:
        return Path(config.lpips_trunk).expanduser()
    return Path(torch.hub.get_dir()) / "checkpoints" / TRUNK_FILE


def _lpips(config: VQLossConfig) -> nn.Module:
    return LPIPS(trunk_path(config))


TERMS = {
    Perceptual.lpips: _lpips,
    Perceptual.gradient: lambda config: GradientL1(),
    Perceptual.none: lambda config: NoTerm(),
}


def perceptual_term(config: VQLossConfig) -> nn.Module:
    """Return the term that `config.perceptual` names: (pictures, pictures) -> scalar; raises CheckpointError (see
    `LPIPS`)."""
    return TERMS[config.perceptual](config)
