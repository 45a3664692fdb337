"""The codebook: nearest code, loss, use and repair (arXiv 1711.00937; latent diffusion's `legacy` loss; paper, section
3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

ROWS = 1024
"""Latent cells whose distances to all codes are held at once, where distances come from a matrix product."""

TREE_WIDTH = 8
"""Widest codes that a k-d tree is used for on CPU (3 wide, 4096 cells, 8192 codes: 5 ms against 40 ms by products)."""


class Quantised(NamedTuple):
    """What the codebook makes of latents."""

    codes: Tensor
    """(B, D, H, W): the nearest codes; gradients pass straight through to the latents."""
    indices: Tensor
    """int64 (B, H, W)."""
    loss: Tensor
    """Scalar: mean((sg[q] - z)^2) + beta mean((q - sg[z])^2)."""


@torch.no_grad()
def nearest_codes(latents_ND: Tensor, codebook_KD: Tensor) -> Tensor:
    """Return for every row of `latents_ND` (float) the index of its nearest row of `codebook_KD`: int64 (N,).

    Exact: where the search cannot tell the best code from the next, distances are taken in float64; equal distances
    give the lowest index. So the answer depends neither on the device nor on chunks, threads or the other rows. On a
    GPU this waits for the device once per chunk.
    """
    latents_ND, codebook_KD = latents_ND.float(), codebook_KD.float()
    if not len(latents_ND):
        return latents_ND.new_zeros(0, dtype=torch.int64)
    tree = latents_ND.device.type == "cpu" and latents_ND.shape[1] <= TREE_WIDTH and bool(latents_ND.isfinite().all())
    # Whatever networks run in: autocast would take the products below in bfloat16.
    with torch.autocast(latents_ND.device.type, enabled=False):
        indices_N, close_N = (_by_tree if tree else _by_products)(latents_ND, codebook_KD)
    rows = close_N.nonzero().flatten()
    for chunk in rows.split(ROWS):
        indices_N[chunk] = _nearest_in_float64(latents_ND[chunk], codebook_KD)
    return indices_N


def _by_tree(latents_ND: Tensor, codebook_KD: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest codes, and where the two nearest are equally far."""
    from scipy.spatial import cKDTree

    distances, indices = cKDTree(codebook_KD.numpy()).query(latents_ND.numpy(), k=2)
    nearest_N2 = torch.from_numpy(distances)
    close_N = nearest_N2[:, 1] <= nearest_N2[:, 0] * (1 + 1e-12)
    return torch.from_numpy(indices[:, 0].astype("int64")), close_N


def _by_products(latents_ND: Tensor, codebook_KD: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest codes by float32 products, and where rounding may have decided between two."""
    half_squares_K = 0.5 * codebook_KD.double().square().sum(1).float()
    largest = codebook_KD.norm(dim=1).max()
    found, close = [], []
    for chunk_RD in latents_ND.split(ROWS):
        # |z|^2 is the same for all codes: compare |e|^2 / 2 - z.e. Its rounding error is a few ulps of its largest
        # term.
        scores_RK = torch.addmm(half_squares_K, chunk_RD, codebook_KD.T, alpha=-1)
        indices_R1 = scores_RK.argmin(1, keepdim=True)
        best_R = scores_RK.gather(1, indices_R1)[:, 0]
        next_R = scores_RK.scatter_(1, indices_R1, float("inf")).amin(1)
        found.append(indices_R1[:, 0])
        close.append(next_R <= best_R + 1e-6 * largest * (largest + chunk_RD.norm(dim=1)))
    return torch.cat(found), torch.cat(close)


def _nearest_in_float64(latents_ND: Tensor, codebook_KD: Tensor) -> Tensor:
    distances_NK = latents_ND.new_zeros(len(latents_ND), len(codebook_KD), dtype=torch.float64)
    for z_N, e_K in zip(latents_ND.double().unbind(1), codebook_KD.double().unbind(1), strict=True):
        distances_NK += (z_N[:, None] - e_K).square()
    return distances_NK.argmin(1)


class VectorQuantiser(nn.Module):
    """A codebook of `n_embed` codes of width `embed_dim`."""

    def __init__(self, n_embed: int, embed_dim: int, *, beta: float = 0.25) -> None:
        super().__init__()
        self.beta = beta
        self.embedding = nn.Embedding(n_embed, embed_dim)
        nn.init.uniform_(self.embedding.weight, -1.0 / n_embed, 1.0 / n_embed)

    def forward(self, h_BDHW: Tensor) -> Quantised:
        """Quantise latents (float); see `Quantised`."""
        h_BHWD = h_BDHW.movedim(1, -1).float()
        indices = nearest_codes(h_BHWD.detach().reshape(-1, h_BHWD.shape[-1]), self.embedding.weight)
        indices_BHW = indices.view(h_BHWD.shape[:-1])
        codes_BHWD = self.embedding(indices_BHW)
        to_codes = (codes_BHWD.detach() - h_BHWD).square().mean()
        to_latents = (codes_BHWD - h_BHWD.detach()).square().mean()
        straight_BHWD = h_BHWD + (codes_BHWD - h_BHWD).detach()
        return Quantised(straight_BHWD.movedim(-1, 1).contiguous(), indices_BHW, to_codes + self.beta * to_latents)


class CodebookUsage:
    """Counts how often each code is chosen."""

    def __init__(self, n_embed: int) -> None:
        self.counts_K = torch.zeros(n_embed, dtype=torch.int64)

    def update(self, indices: Tensor) -> None:
        """Count the codes in `indices` (int64, any shape)."""
        self.counts_K += torch.bincount(indices.flatten(), minlength=len(self.counts_K)).cpu()

    @property
    def dead(self) -> Tensor:
        """bool (K,): codes never chosen."""
        return self.counts_K == 0

    @property
    def used(self) -> float:
        """Fraction of codes chosen at least once."""
        return float((self.counts_K > 0).double().mean())

    @property
    def perplexity(self) -> float:
        """exp of the entropy of the choice: K when all codes are chosen equally often, 1 when only one ever is."""
        p_K = self.counts_K.double() / self.counts_K.sum().clamp(min=1)
        return float(torch.exp(-torch.special.xlogy(p_K, p_K).sum()))

    def reset(self) -> None:
        """Forget all counts."""
        self.counts_K.zero_()


def _rows(latents_BDHW: Tensor) -> Tensor:
    return latents_BDHW.detach().movedim(1, -1).flatten(0, -2).float()


@torch.no_grad()
def fill_codebook(
    quantiser: VectorQuantiser, latents_BDHW: Tensor, generator: torch.Generator, *, rounds: int = 5, samples: int = 32
) -> None:
    """Fill the codebook from encoder outputs: k-means++ seeds, then `rounds` of Lloyd's algorithm.

    On a CPU it depends on the arguments alone; on a GPU sums of many cells are taken in any order.
    At most `samples` cells per code are looked at, drawn by `generator` (CPU). With fewer distinct cells than codes the
    rest of the codebook repeats cells with a little noise.
    """
    weight_KD = quantiser.embedding.weight
    K = len(weight_KD)
    rows_ND = _rows(latents_BDHW)
    if len(rows_ND) > samples * K:
        rows_ND = rows_ND[torch.randperm(len(rows_ND), generator=generator)[: samples * K].to(rows_ND.device)]
    codes_KD = _seeds(rows_ND, K, generator)
    for _ in range(rounds):
        nearest_N = nearest_codes(rows_ND, codes_KD)
        counts_K = torch.zeros(K, device=nearest_N.device).index_add_(0, nearest_N, torch.ones_like(rows_ND[:, 0]))
        sums_KD = torch.zeros_like(codes_KD).index_add_(0, nearest_N, rows_ND)
        codes_KD = torch.where(counts_K[:, None] > 0, sums_KD / counts_K.clamp(min=1)[:, None], codes_KD)
    weight_KD.copy_(codes_KD)


def _seeds(rows_ND: Tensor, K: int, generator: torch.Generator) -> Tensor:
    """Choose K rows, each with a probability that grows with its squared distance to those chosen before."""
    chosen = [int(torch.randint(len(rows_ND), (1,), generator=generator))]
    squares_N = (rows_ND - rows_ND[chosen[0]]).square().sum(1)
    draws = torch.rand(K, generator=generator, dtype=torch.float64).tolist()
    for draw in draws[1:]:
        total_N = squares_N.double().cumsum(0)
        if float(total_N[-1]) <= 0:
            break
        chosen.append(min(int(torch.searchsorted(total_N, draw * total_N[-1], right=True)), len(rows_ND) - 1))
        squares_N = torch.minimum(squares_N, (rows_ND - rows_ND[chosen[-1]]).square().sum(1))
    seeds_ND = rows_ND[torch.tensor(chosen, device=rows_ND.device)]
    missing = K - len(seeds_ND)
    if missing:
        again = seeds_ND[torch.randint(len(seeds_ND), (missing,), generator=generator).to(rows_ND.device)]
        noise = torch.randn(again.shape, generator=generator).to(rows_ND.device) * 1e-3 * rows_ND.std().clamp(min=1e-3)
        seeds_ND = torch.cat([seeds_ND, again + noise])
    return seeds_ND


@torch.no_grad()
def restart_dead_codes(
    quantiser: VectorQuantiser, dead_K: Tensor, latents_BDHW: Tensor, generator: torch.Generator
) -> int:
    """Move codes marked in `dead_K` (bool) onto encoder outputs drawn by `generator` (CPU); return how many moved."""
    rows_ND = _rows(latents_BDHW)
    dead = dead_K.nonzero().flatten().to(rows_ND.device)
    if len(dead):
        drawn = torch.randint(len(rows_ND), (len(dead),), generator=generator).to(rows_ND.device)
        quantiser.embedding.weight[dead] = rows_ND[drawn]
    return len(dead)
