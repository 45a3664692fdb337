"""LPIPS v0.1 (arXiv 1801.03924): the linear layers come with the `lpips` package, the ImageNet trunk from a file."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from facecond.errors import CheckpointError
from facecond.pretrained.weights import read_weights


class LPIPS(nn.Module):
    """Perceptual distance of pictures, frozen."""

    def __init__(self, trunk: Path, net: str) -> None:
        """Read the trunk's weights, torchvision's of "vgg" (VGG-16) or "alex" (AlexNet).

        Raises CheckpointError when they are damaged or other weights.
        """
        super().__init__()
        features = read_weights(trunk)
        import lpips

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips 0.1.4 still uses torchvision's old `pretrained` argument
            network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        own = network.net.state_dict()
        slices = {name: f"features.{name.split('.', 1)[1]}" for name in own}
        wrong = [
            source
            for name, source in slices.items()
            if source not in features or features[source].shape != own[name].shape
        ]
        if wrong:
            title = {"vgg": "VGG-16", "alex": "AlexNet"}[net]
            raise CheckpointError(f"{trunk}: not {title} weights: {', '.join(wrong[:3])} missing or misshapen")
        network.net.load_state_dict({name: features[source] for name, source in slices.items()}, strict=True)
        self.network = network.eval().requires_grad_(False)

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Two sets of pictures (B, 3, H, W) in [-1, 1] -> the mean distance, a scalar."""
        return self.network(images_BCHW, others_BCHW).mean()

    def embed(self, images_BCHW: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] -> (B, E); the squared distance of two rows is LPIPS of the two pictures."""
        network = self.network
        maps = network.net(network.scaling_layer(images_BCHW))
        weights = [lin.model[-1].weight.flatten() for lin in network.lins]
        return embedding(maps, weights)


def embedding(maps: list[Tensor], weights: list[Tensor] | None = None) -> Tensor:
    """Feature maps, each (B, C, H, W), of several layers -> (B, E).

    The squared distance of two rows is the sum over layers of the mean over places of the weighted squared difference of
    features that were scaled to length 1 (the paper's equation 1). Without weights, the mean over layers of unweighted ones.
    """
    rows = []
    for layer, features in enumerate(maps):
        length = features.square().sum(1, keepdim=True).sqrt() + 1e-10
        places = features.shape[-2] * features.shape[-1]
        share = 1 / len(maps) if weights is None else weights[layer][None, :, None, None]
        rows.append((features / length * torch.as_tensor(share / places).clamp(min=0).sqrt()).flatten(1))
    return torch.cat(rows, dim=1)
