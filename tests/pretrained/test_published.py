"""Published weights: found, fetched, checked, or refused in one line."""

import hashlib
import http.server
import socketserver
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from facecond.errors import CheckpointError
from facecond.pretrained import published
from facecond.pretrained.published import Published, UnavailableError

CONTENT = b"weights" * 1000


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine that serves one file."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "net.pt").write_bytes(CONTENT)
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/net.pt"
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def weights(url: str = "http://127.0.0.1:9/net.pt", sha256: str = "", **more: tuple[str, ...]) -> Published:
    digest = sha256 or hashlib.sha256(CONTENT).hexdigest()
    return Published(title="the network", file="net.pt", url=url, sha256=digest, hint="name it", **more)


def test_it_is_fetched_once_and_kept_where_torch_keeps_weights(server: str, cache: Path) -> None:
    network = weights(server)
    path = network.obtain(network.path(), download=True)
    assert path == cache / "net.pt"
    assert path.read_bytes() == CONTENT
    assert weights().obtain(weights().path(), download=True) == path  # there already: nobody is asked
    assert [each.name for each in cache.iterdir()] == ["net.pt"]


def test_torch_keeps_weights_there() -> None:
    import torch

    assert published.torch_cache() == Path(torch.hub.get_dir()) / "checkpoints"


def test_another_program_s_copy_is_used(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(CONTENT)
    network = weights(elsewhere=(str(tmp_path / "nowhere"), str(tmp_path)))
    assert network.obtain(network.path()) == tmp_path / "net.pt"


def test_what_cannot_be_fetched_is_said_and_leaves_nothing(cache: Path) -> None:
    network = weights()
    with pytest.raises(UnavailableError, match=r"http://127.0.0.1:9/net.pt cannot be fetched: .*name it"):
        network.obtain(network.path(), download=True)
    with pytest.raises(UnavailableError, match="is not at"):
        network.obtain(network.path())
    assert not cache.exists() or not any(cache.iterdir())


def test_another_file_than_was_published_is_not_kept(server: str, cache: Path) -> None:
    network = weights(server, sha256="ab" * 32)
    with pytest.raises(UnavailableError, match=r"another file came, 7000 bytes"):
        network.obtain(network.path(), download=True)
    assert not any(cache.iterdir())


def test_a_missing_page_is_said(server: str) -> None:
    network = weights(server + "x")
    with pytest.raises(UnavailableError, match="404"):
        network.obtain(network.path(), download=True)


@pytest.mark.parametrize("answer", [b"nonsense\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nhalf", b""])
def test_an_answer_that_is_none_is_said(answer: bytes, cache: Path) -> None:
    """A proxy that speaks something else, a connection that ends in the middle, or at once."""

    class Odd(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Odd) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        network = weights(f"http://127.0.0.1:{running.server_address[1]}/net.pt")
        with pytest.raises(UnavailableError, match=r"net.pt cannot be fetched: \S.*name it"):
            network.obtain(network.path(), download=True)
        running.shutdown()
    assert not list(cache.glob("*"))


def test_a_file_that_is_named_is_never_fetched(server: str, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"other/net.pt"):
        weights(server).obtain(tmp_path / "other" / "net.pt", download=True)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"net.pt is not the network: its SHA-256 is [0-9a-f]{12}, expected"):
        weights().obtain(tmp_path / "net.pt")
    (tmp_path / "own.pt").write_bytes(b"trained by myself")
    with pytest.raises(CheckpointError, match="is not the network"):
        weights().obtain(tmp_path / "own.pt")
    assert weights().obtain(tmp_path / "own.pt", other=True) == tmp_path / "own.pt"
