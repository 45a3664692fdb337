"""Weights that others published: where they may lie, how they are fetched, and how they are known to be the right ones."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facecond.errors import CheckpointError
from facecond.io.files import atomic_write, sha256_file
from facecond.progress import bar

TIMEOUT = 20
"""Seconds to wait for a server that does not answer."""


class UnavailableError(CheckpointError):
    """Published weights that are neither here nor to be fetched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A file that is the same everywhere."""

    title: str
    """What it is, for people."""
    file: str
    url: str
    sha256: str
    """Of the file, or how it begins."""
    hint: str
    """What to do when it is not there."""
    elsewhere: tuple[str, ...] = ()
    """Folders in which other programs keep it, beside torch's cache."""

    def path(self, named: str | None = None) -> Path:
        """Return where the file is: as `named`, in a usual cache, or, when it is nowhere yet, where it will be kept."""
        if named is not None:
            return Path(named).expanduser()
        kept = torch_cache() / self.file
        places = [kept, *(Path(folder) / self.file for folder in self.elsewhere)]
        return next((place for place in places if place.is_file()), kept)

    def obtain(self, path: Path, *, download: bool = False, other: bool = False) -> Path:
        """Return `path` once it holds the file, fetching it when it does not exist and `download` allows it.

        `other` lets weights of another name pass unread, for those who trained their own.

        Raises UnavailableError when it does not exist and cannot be fetched, CheckpointError when it is another file.
        """
        if not path.is_file():
            if not download or path != self.path():
                raise UnavailableError(f"{self.title} is not at {path}", hint=self.hint)
            self._fetch(path)
        if other and path.name != self.file:
            return path
        found = sha256_file(path)
        if not found.startswith(self.sha256):
            raise CheckpointError(
                f"{path} is not {self.title}: its SHA-256 is {found[:12]}, expected {self.sha256[:12]}",
                hint=f"get it from {self.url}",
            )
        return path

    def _fetch(self, path: Path) -> None:
        import http.client
        import urllib.request

        try:
            with urllib.request.urlopen(self.url, timeout=TIMEOUT) as answer, atomic_write(path) as temporary:
                total = int(answer.headers.get("Content-Length") or 0)
                with temporary.open("wb") as file:
                    _copy(answer, file, total, f"fetching {self.file}")
                if not sha256_file(temporary).startswith(self.sha256):
                    raise OSError(f"another file came, {temporary.stat().st_size} bytes")
        except (OSError, ValueError, http.client.HTTPException) as reason:
            raise UnavailableError(
                f"{self.title}: {self.url} cannot be fetched: {str(reason) or type(reason).__name__}",
                hint=f"fetch it on another machine; {self.hint}",
            ) from reason


def _copy(answer: IO[bytes], file: IO[bytes], total: int, description: str) -> None:
    with bar(description, total, unit="byte") as progress:
        while piece := answer.read(1 << 20):
            file.write(piece)
            progress.update(len(piece))


def torch_cache() -> Path:
    """The folder in which torch keeps weights that it fetched (torch.hub, without importing torch)."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))  # noqa: PTH118
    return Path(home).expanduser() / "hub" / "checkpoints"


INCEPTION = Published(
    title="the Inception network of FID",
    file="inception-2015-12-05.pt",
    url="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
    sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
    hint="name the file: inception=FILE",
    elsewhere=("/tmp", "."),
)
"""As StyleGAN2-ADA and clean-fid use it; the latter keeps it in /tmp."""

ALEXNET = Published(
    title="the AlexNet trunk of LPIPS",
    file="alexnet-owt-7be5be79.pth",
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    sha256="7be5be79",
    hint="name the file: lpips_trunk=FILE",
)
"""torchvision's weights; the digits begin the file's SHA-256."""

VGG16 = Published(
    title="the VGG-16 trunk of LPIPS",
    file="vgg16-397923af.pth",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    sha256="397923af",
    hint="name the file: model.loss.lpips_trunk=FILE, or choose model.loss.perceptual=gradient, which needs no weights",
)
"""torchvision's weights."""
