"""`make bench`: our ways against the plain ways, interleaved in one process, medians with spread, numerics checked.

Ratios, not absolute times: machines differ and are shared. Peers (the original research code) are not part of this
repository; a comparison with one takes its path from the person who has it.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from facecond.assembly.generator import diffusion_networks
from facecond.autoencoder.quantise import nearest_codes
from facecond.conditions.mask import Mask
from facecond.config.compose import compose
from facecond.diffusion.prediction import predictor
from facecond.diffusion.samplers import ddim
from facecond.diffusion.schedule import schedule_of
from facecond.types import Denoise


def compare(name: str, plain: Callable[[], Tensor], ours: Callable[[], Tensor], rounds: int, tolerance: float) -> None:
    """Print how much faster `ours` is than `plain`, pair by pair, and how far apart their results are."""
    reference, found = plain().double(), ours().double()
    apart = float((reference - found).abs().max() / reference.abs().max().clamp(min=1e-12))
    ratios = []
    for _ in range(rounds):
        times = []
        for work in (plain, ours):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        ratios.append(times[0] / times[1])
    verdict = "" if apart <= tolerance else "   NUMERICS DIFFER"
    print(
        f"{name:42s} {statistics.median(ratios):6.2f}x  ({min(ratios):.2f} to {max(ratios):.2f}, {rounds} rounds)"
        f"  apart {apart:.1e}{verdict}"
    )


def quantise(rounds: int) -> None:
    """Nearest of 8192 codes for one 64x64 latent: ours against the whole distance table."""
    generator = torch.Generator().manual_seed(0)
    latents, codes = torch.randn(4096, 3, generator=generator), torch.randn(8192, 3, generator=generator)

    def table() -> Tensor:
        distances = latents.square().sum(1, keepdim=True) + codes.square().sum(1) - 2 * latents @ codes.T
        return distances.argmin(1)

    compare(
        "quantise 64x64 against 8192 codes",
        lambda: codes[table()],
        lambda: codes[nearest_codes(latents, codes)],
        rounds,
        1e-6,
    )


def masks(rounds: int) -> None:
    """Label maps to channels on the device: broadcast compare of uint8 against one-hot in float."""
    labels = torch.randint(0, 19, (16, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def one_hot() -> Tensor:
        return torch.nn.functional.one_hot(labels.long(), 19)[..., 1:].permute(0, 3, 1, 2).float().contiguous()

    compare(
        "masks to channels, 16 x 256 px", one_hot, lambda: Mask().channels(labels, optional=False).float(), rounds, 0
    )


def sampling(rounds: int) -> None:
    """DDIM with keys and values read once, against reading them at every step; and bfloat16 against float32."""
    model = compose("train", ["model=multicond", "size=tiny"]).config.model
    torch.manual_seed(0)
    denoiser, conditioner = diffusion_networks(model, 3, 64)
    noise = torch.randn(16, 3, 16, 16)
    told = {
        "attributes": torch.ones(16, 40, dtype=torch.int8),
        "mask": torch.randint(0, 19, (16, 64, 64), dtype=torch.uint8),
    }
    with torch.inference_mode():
        context = conditioner.eval()(told)
        bound = denoiser.eval().bind(context)
        schedule = schedule_of(model.schedule)

        def unbound(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
            return denoiser(z_BCHW, time_B, context)

        def sample(network: Denoise, *, bfloat16: bool = False) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                return ddim(predictor(network, model.target), noise, schedule, steps=10).float()

        compare("DDIM-10, contexts read once", lambda: sample(unbound), lambda: sample(bound), rounds, 1e-4)
        compare("DDIM-10, bfloat16", lambda: sample(bound), lambda: sample(bound, bfloat16=True), rounds, 0.05)


BENCHMARKS = {"quantise": quantise, "masks": masks, "sampling": sampling}


def main() -> None:
    """Run the benchmarks named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(BENCHMARKS), choices=[*BENCHMARKS, []])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in arguments.names or BENCHMARKS:
        BENCHMARKS[name](arguments.rounds)


if __name__ == "__main__":
    main()
