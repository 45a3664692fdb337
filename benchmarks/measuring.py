"""What measuring costs, beside the usual way: `python -m benchmarks.measuring [--pictures 5000] [--conditions 500]`.

Ours: `fid kid lpips miou` through the measuring room, with every ceiling, floor and interval; then once more with other samples and
the reference's features kept. The usual way: PNGs written, clean-fid called for FID and again for KID, the `lpips` package pair by
pair within each condition, the parser in batches. Both have the same drawn pictures of 64 pixels, threads and networks; these
have the published form and random weights, since only time counts. The numbers of both are compared. Each way runs in a process
of its own, one after another, so that peak memory is its own; ours runs with a tenth of the pictures, too. (The usual way takes
hours for 5,000 pictures; `--ours-only` leaves it out.)
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from facecond.assembly.judges import Judge

SIZE = 64
"""Pixels of a picture."""

TENTH = 10

MEASURES = ["fid", "kid", "lpips", "miou"]


def inception() -> nn.Module:
    """Inception as the published TorchScript file has it: from conv to pooled features, each layer conv, batch norm, ReLU."""
    import torch
    from cleanfid.inception_pytorch import FIDInceptionA, FIDInceptionC, FIDInceptionE_1, FIDInceptionE_2
    from torch import Tensor, nn
    from torch.nn import functional as F
    from torchvision.models.inception import BasicConv2d, Inception3

    class Layer(nn.Module):
        def __init__(self, conv: nn.Conv2d) -> None:
            super().__init__()
            self.stride, self.padding = conv.stride, conv.padding
            self.weight = nn.init.kaiming_normal_(conv.weight)
            self.beta = nn.Parameter(torch.zeros(len(conv.weight)))
            self.mean, self.var = nn.Parameter(self.beta.detach().clone()), nn.Parameter(torch.ones(len(conv.weight)))

        def forward(self, x: Tensor) -> Tensor:
            x = F.conv2d(x, self.weight.to(x.dtype), stride=self.stride, padding=self.padding)
            return F.relu(F.batch_norm(x, self.mean, self.var, bias=self.beta, eps=1e-3))

    class Published(nn.Module):
        def __init__(self, layers: nn.Sequential) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    network = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    blocks = {
        "5b": FIDInceptionA(192, 32), "5c": FIDInceptionA(256, 64), "5d": FIDInceptionA(288, 64), "6b": FIDInceptionC(768, 128),
        "6c": FIDInceptionC(768, 160), "6d": FIDInceptionC(768, 160), "6e": FIDInceptionC(768, 192),
        "7b": FIDInceptionE_1(1280), "7c": FIDInceptionE_2(2048),
    }  # fmt: skip
    for name, block in blocks.items():
        setattr(network, f"Mixed_{name}", block)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BasicConv2d):
                setattr(module, name, Layer(child.conv))
    layers = [child for name, child in network.named_children() if name not in ("AuxLogits", "dropout", "fc")]
    return Published(nn.Sequential(*layers)).eval()


def prepare(folder: Path, pictures: int, conditions: int) -> None:
    """Put a pack of real pictures, samples of its first `conditions` items and the networks into `folder`."""
    import numpy as np
    import torch

    from facecond.conditions.table import CONDITIONS
    from facecond.data.pack import PackWriter
    from facecond.drawn.painter import draw
    from facecond.sampling.folder import digest_of

    writer = PackWriter(folder / "pack", count=pictures + 1, resolution=SIZE, source={"kind": "drawn"})
    samples = np.lib.format.open_memmap(
        folder / "samples.npy", mode="w+", dtype=np.uint8, shape=(pictures, SIZE, SIZE, 3)
    )
    for start in range(0, pictures + 1, 500):
        some = slice(start, min(start + 500, pictures + 1))
        faces = draw(0, range(some.start, some.stop), SIZE)
        writer.write(some, faces.images, faces.labels, faces.attributes)
        others = draw(1, range(some.start, min(some.stop, pictures)), SIZE).images
        samples[some.start : some.start + len(others)] = others
    samples.flush()
    pack = writer.finish([str(item) for item in range(pictures + 1)], ["validation"] * pictures + ["train"])
    records, mask = [], CONDITIONS["mask"]
    maps = [np.asarray(pack.labels[item]) for item in range(conditions)]
    told = [
        {"value": mask.record(each, folder, f"{item:08}" * 8), "sha256": digest_of(each)}
        for item, each in enumerate(maps)
    ]
    for index in range(pictures):
        item = index * conditions // pictures
        records.append({"index": index, "source": str(item), "told": {"mask": told[item]}})
    (folder / "records.json").write_text(json.dumps(records))
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(inception()).save(str(folder / "inception-2015-12-05.pt"))
        import lpips

        trunk = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).net.state_dict()
    torch.save({"features." + name.split(".", 1)[1]: value for name, value in trunk.items()}, folder / "alexnet.pth")
    torch.save(parser(None).network.state_dict(), folder / "parser.pth")


def parser(weights: Path | None) -> Judge:
    """A small parser with these weights, or random ones."""
    import torch

    from facecond.assembly.judges import Judge
    from facecond.config.networks import ParserConfig, ParserKind
    from facecond.judges.parser import build_parser, parse

    network = build_parser(ParserConfig(kind=ParserKind.small, input_size=None))
    if weights is not None:
        network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval().requires_grad_(False)
    return Judge(network, parse, "untrained parser", "0" * 64, torch.device("cpu"), [], "as sampled")


def ours(folder: Path, mirrored: bool) -> dict[str, float]:
    """Measure samples, or their mirror images, through the measuring room; return the figures."""
    import numpy as np
    import torch

    from facecond.data.pack import Pack
    from facecond.measuring.evidence import Evidence, measure
    from facecond.measuring.features import Network
    from facecond.measuring.items import SampledItems
    from facecond.measuring.measure import REAL, REFERENCE, SAMPLES, VARIATIONS
    from facecond.measuring.pictures import Rows
    from facecond.measuring.table import measures_named
    from facecond.pretrained.efficientnet import batch
    from facecond.pretrained.inception import Inception
    from facecond.pretrained.lpips import LPIPS
    from facecond.sampling.generation import Generation

    cpu = torch.device("cpu")
    looking, trunk = Inception(folder / "inception-2015-12-05.pt", cpu), LPIPS(folder / "alexnet.pth", "alex")

    def embed(images_NHWC: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return trunk.embed(batch(images_NHWC, cpu).float() / 127.5 - 1).numpy()

    images = np.load(folder / "samples.npy", mmap_mode="r")[:, :, :: -1 if mirrored else 1]
    made = Generation(
        folder=folder, images=images, records=json.loads((folder / "records.json").read_text()), made_with={}, about={}
    )
    pack = Pack.open(folder / "pack")
    items, name = SampledItems(pack=pack, samples=made), pack.manifest["sha256"]["images.npy"]
    evidence = Evidence(
        sets={
            SAMPLES: Rows(images, np.arange(len(images))), REAL: Rows(pack.images, items.unique, name),
            VARIATIONS: Rows(images, items.grouped), REFERENCE: Rows(pack.images, pack.indices("validation"), name),
        },
        detectors={
            "features": Network(name="Inception", sha256="1" * 64, preprocessing="", look=looking, published=True, keeps=True),
            "perceptual": Network(name="LPIPS", sha256="2" * 64, preprocessing="", look=embed, published=True),
            "parser": parser(folder / "parser.pth"),
        },
        reference="drawn faces", items=items, varied=items.places[items.grouped], kept=folder / "features",
    )  # fmt: skip
    return {figure.name: figure.value for figure in measure(measures_named(MEASURES), evidence)}


def usual(folder: Path) -> dict[str, float]:
    """The same numbers of samples the usual way."""
    import lpips
    import numpy as np
    import torch
    from cleanfid import fid
    from cleanfid.inception_torchscript import InceptionV3W
    from PIL import Image

    cpu = torch.device("cpu")
    samples, real = np.load(folder / "samples.npy"), np.load(folder / "pack" / "images.npy")
    records = json.loads((folder / "records.json").read_text())
    items = np.array([int(record["source"]) for record in records])
    for name, images in {"a": samples, "b": real[: len(samples)]}.items():
        (folder / name).mkdir(exist_ok=True)
        for index, image in enumerate(images):
            Image.fromarray(image).save(folder / name / f"{index:06}.png")
    fid.build_feature_extractor = lambda *of, **settings: InceptionV3W(str(folder), download=False)
    named: dict[str, Any] = {"num_workers": 0, "device": cpu, "verbose": False}
    found = {
        name: float(distance(str(folder / "a"), str(folder / "b"), **named))
        for name, distance in {"fid": fid.compute_fid, "kid": fid.compute_kid}.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    trunk = torch.load(folder / "alexnet.pth", weights_only=True)
    own = {name: trunk[f"features.{name.split('.', 1)[1]}"] for name in network.net.state_dict()}
    network.net.load_state_dict(own)
    parse, counts = parser(folder / "parser.pth"), np.zeros((19, 19), dtype=np.int64)
    with torch.inference_mode():
        pictures = torch.from_numpy(samples).permute(0, 3, 1, 2)
        apart = []
        for item in np.unique(items):
            same = pictures[torch.from_numpy(np.flatnonzero(items == item))].float() / 127.5 - 1
            pairs = combinations(range(len(same)), 2)
            apart.append(np.mean([float(network(same[a : a + 1], same[b : b + 1])) for a, b in pairs]))
        labels = np.load(folder / "pack" / "labels.npy", mmap_mode="r")
        for start in range(0, len(samples), 32):
            asked, seen = labels[items[start : start + 32]], parse(samples[start : start + 32])
            counts += np.bincount(asked.ravel().astype(int) * 19 + seen.ravel(), minlength=361).reshape(19, 19)
    hit, there, said = np.diagonal(counts), counts.sum(1), counts.sum(0)
    found["miou"] = float((hit / (there + said - hit))[there > 0].mean())
    return found | {"lpips": float(np.mean(apart))}


WAYS: dict[str, Callable[[Path], dict[str, float]]] = {
    "ours": lambda folder: ours(folder, mirrored=False),
    "ours again": lambda folder: ours(folder, mirrored=True),
    "usual": usual,
}


@contextmanager
def own_memory() -> Iterator[list[float]]:
    """The most memory in MiB that belongs to this process alone, without pages of files that are mapped, once the block ends."""
    most, ending = [0.0], threading.Event()

    def watch() -> None:
        while not ending.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            found = next((line for line in lines if line.startswith("RssAnon")), "RssAnon: 0 kB")
            most[0] = max(most[0], int(found.split()[1]) / 1024)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        ending.set()
        watching.join()


def work(way: str, folder: Path) -> dict[str, Any]:
    """Go one way in this process; what it found and what it took."""
    for module in ("cleanfid.fid", "lpips", "torchvision"):
        importlib.import_module(module)  # not what is measured
    began, worked = time.perf_counter(), time.process_time()
    with own_memory() as most:
        figures = WAYS[way](folder)
    return {
        "figures": figures, "seconds": time.perf_counter() - began, "processor": time.process_time() - worked,
        "own": most[0], "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def separately(way: str, folder: Path) -> dict[str, Any]:
    """Go one way in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.measuring", "--way", way, "--folder", str(folder)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(all_of_them: dict[str, dict[str, Any]], tenth: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    named = {"ours": "ours", "ours again": "ours, other samples, reference kept", "usual": "the usual way"}
    theirs = all_of_them.get("usual")
    rows = ["| way | seconds | of the processor | times faster | by the processor |", "|---|---:|---:|---:|---:|"]
    for way, took in all_of_them.items():
        times = [f"{theirs[kind] / took[kind]:.2f}" if theirs else "-" for kind in ("seconds", "processor")]
        rows.append(f"| {named[way]} | {took['seconds']:.0f} | {took['processor']:.0f} | {times[0]} | {times[1]} |")
    rows += ["", "| figure | ours | the usual way |", "|---|---:|---:|"]
    for name in MEASURES:
        there = f"{theirs['figures'][name]:.6g}" if theirs else "-"
        rows.append(f"| {name} | {all_of_them['ours']['figures'][name]:.6g} | {there} |")
    rows += ["", "| peak memory of ours, MiB | a tenth of the pictures | all | ratio |", "|---|---:|---:|---:|"]
    for kind, words in {"own": "of the process alone", "resident": "with pages of mapped files"}.items():
        few, most = tenth[kind], all_of_them["ours"][kind]
        rows.append(f"| {words} | {few:.0f} | {most:.0f} | {most / few:.2f} |")
    return "\n".join(rows)


def main() -> None:
    """Go all ways and print the tables; or one way, as a process of its own does."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--pictures", type=int, default=5000)
    words.add_argument("--conditions", type=int, default=500, help="conditions that samples were made for")
    words.add_argument("--ours-only", action="store_true", help="leave out the usual way")
    words.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = words.parse_args()
    if options.way:
        print(json.dumps(work(options.way, options.folder)))
        return
    if options.conditions < 2 * TENTH or options.pictures < 2 * options.conditions:
        words.error(f"at least {2 * TENTH} conditions and two pictures of each are needed")
    with tempfile.TemporaryDirectory() as place:
        few, everything = Path(place) / "few", Path(place) / "all"
        for folder, share in ((few, TENTH), (everything, 1)):
            folder.mkdir()
            prepare(folder, options.pictures // share, options.conditions // share)
        tenth = separately("ours", few)
        ways = [way for way in WAYS if way != "usual" or not options.ours_only]
        print(table({way: separately(way, everything) for way in ways}, tenth))


if __name__ == "__main__":
    main()
