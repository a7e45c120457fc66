"""The probability-flow log-likelihood of noisy positions: along their own path, or as the mean over many.

Along one path the ODE starts from y itself and its traces are exact (`molscore.diffusion.likelihood`). Along more,

    D = y + sigma^2 score(y, sigma),   y_k = D + sigma z_k        K places about as noisy as y, in pairs z, -z
    r_k = log p_flow(y_k) - L_k,       L_k = integral of score . dy at sigma, along an arc from y to y_k
    log p_flow(y) = mean over k of r_k, with its standard error, from the pairs

Each r_k is log p(y), for every p that the score is the gradient of at each noise level. A network's score is not quite
that: where one path passes at higher noise, its divergence is too large or too small, and of another path less so. To
first order such errors have no mean over noisy data (Stein's identity: E[div e + score . e] = 0 for an error e of the
score), so that the mean of many paths is much sharper than one, exactly as it should be of one and the same y. Traces
are then by `PROBES` orthogonal random directions a path, and all paths of a molecule go round one basis: unbiased for
log p; the standard error has their noise in it.
Source: Song et al. 2021, arXiv 2011.13456; Hutchinson 1990, Communications in Statistics 19, 433, with orthogonal
directions; Stein 1981, Annals of Statistics 9, 1135.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from molscore.audit.density import Density, noise_of
from molscore.diffusion.likelihood import flow_log_density

__all__ = ["PROBES", "TRACES", "TRACES_OF_MANY", "line_integral", "many_paths", "one_path", "random_bases"]

TRACES, TRACES_OF_MANY, PROBES = 32, 12, 4  # along one path; along each of many; random directions of these
ARC = 10  # points of an arc


def one_path(density: Density, y: Tensor, rows: Sequence[int], sigma: float) -> tuple[Tensor, Tensor]:
    """log p(y) along the path of y (B, N, 3) by exact traces, (B,) nats, and its standard error: none."""
    with torch.no_grad():
        found = flow_log_density(density.score, y, sigma, density.mask, density.prior, nodes=TRACES)
    return found, torch.zeros_like(found)


def many_paths(
    density: Density, y: Tensor, rows: Sequence[int], sigma: float, paths: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Mean over paths and its standard error, (B,) nats each; what is random hangs on `rows` (B,) and `seed` alone."""
    mask, levels = density.mask, torch.full_like(y[:, 0, 0], sigma)
    bases, found = random_bases(mask, rows, TRACES_OF_MANY, seed), []
    with torch.no_grad():
        start = -sigma * density.score(y, levels)  # (y - D) / sigma
        D = y - sigma * start
        for k in range(paths):
            z = (-1) ** k * noise_of(mask, rows, seed, k // 2, 13).to(y)
            L = line_integral(density, D, start, z, levels)
            r = flow_log_density(
                density.score, D + sigma * z, sigma, mask, density.prior, nodes=TRACES_OF_MANY, steps=TRACES_OF_MANY,
                directions=lambda i, k=k: _probes(bases[i], k).to(y),
            )  # fmt: skip
            found.append(r - L)
    pairs = torch.stack(found).view(paths // 2, 2, -1).mean(1)
    return pairs.mean(0), pairs.std(0) / math.sqrt(len(pairs))


def line_integral(density: Density, x: Tensor, start: Tensor, end: Tensor, levels: Tensor) -> Tensor:
    """The integral of score . dy along x + sigma (start cos t + end sin t), t from 0 to pi/2, (B,) nats."""
    nodes, weights = np.polynomial.legendre.leggauss(ARC)
    total, sigma = torch.zeros_like(levels), levels[:, None, None]
    for t, w in zip((nodes + 1) * math.pi / 4, weights * math.pi / 4, strict=True):
        y = x + sigma * (start * math.cos(t) + end * math.sin(t))
        dy = sigma * (end * math.cos(t) - start * math.sin(t))
        total += w * (density.score(y, levels) * dy).sum((1, 2))
    return total


def random_bases(mask: Tensor, rows: Sequence[int], traces: int, seed: int) -> list[list[Tensor]]:
    """For each trace and molecule a random basis of its centred subspace, (d, N, 3), of length (d / PROBES)^1/2."""
    N, found = mask.shape[1], [[] for _ in range(traces)]
    for row, n in zip(rows, mask.sum(1).tolist(), strict=True):
        d = 3 * (n - 1)
        normal = np.random.default_rng([seed, row, 17]).standard_normal((traces, n, 3, d))
        normal -= normal.mean(1, keepdims=True)
        Q = np.linalg.qr(normal.reshape(traces, 3 * n, d))[0].reshape(traces, n, 3, d).transpose(0, 3, 1, 2)
        padded = np.zeros((traces, d, N, 3))
        padded[:, :, :n] = Q * math.sqrt(d / PROBES)
        for basis, of_trace in zip(torch.from_numpy(padded), found, strict=True):
            of_trace.append(basis)
    return found


def _probes(bases: list[Tensor], k: int) -> Tensor:
    """The k-th `PROBES` directions of each basis, (PROBES, B, N, 3), and again from the first after the last."""
    return torch.stack([basis[(k * PROBES + np.arange(PROBES)) % len(basis)] for basis in bases], 1)
