"""Does log-density agree with the probability flow, when the flow speaks from many places?

    D = y + sigma^2 score(y, sigma),   y_k = D + sigma z_k        K places about as noisy as y, in pairs z, -z
    r_k = log p_flow(y_k) - L_k,       L_k = integral of score . dy at sigma, along an arc from y to y_k
    referee of y: mean over k of r_k, with its standard error, from the pairs

Each r_k is log p(y), for every p that the score is the gradient of at each noise level. A network's score is not quite
that: where one path passes at higher noise, its divergence is too large or too small, and of another path less so. To
first order such errors have no mean over noisy data (Stein's identity: E[div e + score . e] = 0 for an error e of the
score), so that the mean of many paths is a sharper referee than one, exactly as it should be of one and the same y.

Traces are by `PROBES` orthogonal random directions a place, and all places of a molecule go round one basis: unbiased
for log p, which is all that is asked here; the standard error has their noise in it.

Source: Hutchinson 1990, Communications in Statistics 19, 433, with orthogonal directions; Stein 1981, Annals of
Statistics 9, 1135.
"""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from molscore.audit.agreement import Wording, agreement_part
from molscore.audit.density import Density, noise_of
from molscore.audit.judged import Notebook, read_all
from molscore.audit.line_integral import line
from molscore.audit.options import Options
from molscore.audit.record import Part
from molscore.audit.referee import digest, judge
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.likelihood import flow_log_density
from molscore.screening.model import Model

__all__ = ["from_many_places", "paths"]

PLACES, PROBES, BATCH = 48, 4, 16  # paths of a molecule, in pairs; directions of a trace; molecules at a time
NODES = 12  # traces along a path: what so few leave out, 0.3 nats, is less than paths differ by


def paths(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """Judge this process's share of `options.referee` molecules, then report on what all shares have judged."""
    seed = options.seed
    key = f"paths{PLACES}x{PROBES}-{digest(model.network)}-{options.resolution:g}-{NODES}-{seed}"
    notebook = Notebook(options.output, key, options.share)
    judge(model, held_out, options, notebook, partial(from_many_places, nodes=NODES, seed=seed), BATCH)
    title = "Paths: does log-density agree with the probability flow, averaged over paths?"
    how = f"{PLACES} paths a molecule, {NODES} traces of {PROBES} random directions each"
    return agreement_part(read_all(options.output, key), options.resolution, Wording("paths", title, how))


def from_many_places(
    density: Density, y: Tensor, rows: Sequence[int], sigma: float, nodes: int, seed: int, places: int = PLACES
) -> tuple[Tensor, Tensor]:
    """Mean over paths and its standard error, (B,) nats each; what is random hangs on `rows` (B,) and `seed` alone."""
    mask, levels = density.mask, torch.full_like(y[:, 0, 0], sigma)
    bases, found = orthogonal(mask, rows, nodes, seed), []
    with torch.no_grad():
        start = -sigma * density.score(y, levels)  # (y - D) / sigma
        D = y - sigma * start
        for k in range(places):
            z = (-1) ** k * noise_of(mask, rows, seed, k // 2, 13).to(y)
            L = line(density, D, start, z, levels)
            r = flow_log_density(
                density.score, D + sigma * z, sigma, mask, density.prior, nodes=nodes, steps=nodes,
                directions=lambda i, k=k: _turn(bases[i], k).to(y),
            )  # fmt: skip
            found.append(r - L)
    pairs = torch.stack(found).view(places // 2, 2, -1).mean(1)
    return pairs.mean(0), pairs.std(0) / math.sqrt(len(pairs))


def orthogonal(mask: Tensor, rows: Sequence[int], nodes: int, seed: int) -> list[list[Tensor]]:
    """For each trace and molecule a random basis of its centred subspace, (d, N, 3), of length (d / PROBES)^1/2."""
    N, found = mask.shape[1], [[] for _ in range(nodes)]
    for row, n in zip(rows, mask.sum(1).tolist(), strict=True):
        d = 3 * (n - 1)
        normal = np.random.default_rng([seed, row, 17]).standard_normal((nodes, n, 3, d))
        normal -= normal.mean(1, keepdims=True)
        Q = np.linalg.qr(normal.reshape(nodes, 3 * n, d))[0].reshape(nodes, n, 3, d).transpose(0, 3, 1, 2)
        padded = np.zeros((nodes, d, N, 3))
        padded[:, :, :n] = Q * math.sqrt(d / PROBES)
        for basis, of_trace in zip(torch.from_numpy(padded), found, strict=True):
            of_trace.append(basis)
    return found


def _turn(bases: list[Tensor], k: int) -> Tensor:
    """The k-th `PROBES` directions of each basis, (PROBES, B, N, 3), and again from the first after the last."""
    return torch.stack([basis[(k * PROBES + np.arange(PROBES)) % len(basis)] for basis in bases], 1)
