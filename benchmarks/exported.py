"""Seconds of a face in the page that `facecond export web` writes, in a browser on this machine, beside those of torch.

    python -m benchmarks.exported [--strokes 30] [--steps 10] [--runtime onnxruntime-web-1.30.0.tgz]

Writes the folder of the model that comes with the program, serves it once as `python -m http.server` does (the browser may use one
core) and once with the headers that allow it several, and draws strokes on a whole map, as `python -m benchmarks.studio` does.
Then asks `facecond.open` for a face with as many steps, on one core and on all. Needs what `benchmarks.studio` needs, and
`pip install 'facecond[web]'`.
"""

import argparse
import functools
import http.server
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.studio import WIDE, browser, open_page, quantiles, timed
from facecond.export import command

RUN = "drawn64-multicond"


class Plain(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` is, without its log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Isolating(Plain):
    """Sends the headers without which a browser gives a page one core."""

    def end_headers(self) -> None:
        """Add them to every answer."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@contextmanager
def served(folder: Path, handler: type[Plain]) -> Iterator[str]:
    """Serve a folder; yield its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def of_torch(count: int, steps: int) -> None:
    """Print the seconds of a face that `facecond.open` makes of a whole map, on one core and on all."""
    import torch

    import facecond

    session = facecond.open(RUN, device="cpu")
    pack = session.own_pack
    assert pack is not None
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        seconds = []
        for seed in range(-2, count):
            begun = time.perf_counter()
            session.sample(
                mask=np.array(pack.labels[seed % len(pack)]), seed=max(seed, 0), steps=steps, precision="float32"
            )
            seconds.append(time.perf_counter() - begun)
        print(f"torch, {threads} of {os.cpu_count()} cores, {steps} steps: {quantiles(seconds[2:])}")


def main() -> None:
    """Export, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=int, default=30)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--runtime", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        words = [f"workspace={workspace}", f"run={RUN}", *([f"runtime={given.runtime}"] if given.runtime else [])]
        folder = command.run(command.prepare(words)).made["folder"]
        files = [file for file in folder.rglob("*") if file.is_file()]
        sizes = {kind: sum(file.stat().st_size for file in files if file.suffix == kind) for kind in (".onnx", ".wasm")}
        whole = sum(file.stat().st_size for file in files)
        print(
            f"{len(files)} files, {whole / 1e6:.1f} MB",
            *(f"{kind} {size / 1e6:.1f} MB" for kind, size in sizes.items()),
        )
        for name, handler in (("as http.server serves it", Plain), ("with headers for several cores", Isolating)):
            with served(folder, handler) as address, browser() as started:
                begun = time.perf_counter()
                page = open_page(started, address, WIDE)
                print(f"{name}: first face {time.perf_counter() - begun:.1f} s after the page was asked for")
                timed(page, given.strokes, given.steps)
    of_torch(given.strokes, given.steps)


if __name__ == "__main__":
    main()
