"""Does log-density change from one noisy copy of a molecule to another as the score at that noise says?

    y(t) = x + sigma (z_0 cos t + z_k sin t),  0 <= t <= pi/2        as noisy all the way, as both z are standard normal
    L_k = int score(y(t), sigma) . dy  =  log p(y_k) - log p(y_0)    for every p whose gradient the score is (Stokes)

    deviation within molecules of  a_k - L_k,  a_k the log-density of copy k by one pass, or by the referee

The score at low noise is what denoising teaches best, and its line integral asks nothing of its divergence, which the
referee sums over all noise above. Where one pass and the referee part, the part that changes with the copy is so laid
at the door of one of them; the part that all copies share is what their mean shows.
"""

import math
import sys
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from molscore.audit.density import Density, groups, noise_of
from molscore.audit.options import Options, chosen
from molscore.audit.record import Part, Plot, Series, Table
from molscore.audit.referee import Referee, flow
from molscore.datasets.store import MoleculeSet
from molscore.screening.model import Model

__all__ = ["copies", "line", "line_integral", "line_integral_part"]

COPIES, NODES, BATCH = 4, 10, 4  # noisy copies of a molecule; points of an arc; molecules at a time
Values = NDArray[np.float64]


def line_integral(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The comparison for as many molecules as the referee can judge `COPIES` of in place of `options.referee`."""
    molecules = chosen(held_out, max(2, options.referee // COPIES), options.seed)
    found, judge = np.zeros((len(molecules), 3, COPIES)), partial(flow, nodes=options.nodes)
    with tqdm(total=len(molecules), desc="line integral", unit="molecule", file=sys.stderr) as bar:
        for group in groups(model, molecules, BATCH):
            found[group.rows] = copies(group.density, group.x, group.rows, options.resolution, options.seed, judge)
            bar.update(len(group.rows))
    return line_integral_part(found, options.resolution)


def copies(density: Density, x: Tensor, rows: NDArray[np.integer], sigma: float, seed: int, referee: Referee) -> Values:
    """One pass, the referee and L of noisy copies of clean x (B, N, 3) Å: (B, 3, COPIES) nats."""
    z = [noise_of(density.mask, rows, seed, k, 11).to(x) for k in range(COPIES)]
    levels, found = torch.full((len(x),), sigma, dtype=x.dtype, device=x.device), []
    with torch.no_grad():
        for k in range(COPIES):
            y = x + sigma * z[k]
            L = line(density, x, z[0], z[k], levels) if k else torch.zeros_like(levels)
            r = referee(density, y, rows.tolist(), sigma)[0]
            found.append(torch.stack([-density.estimate(y, levels)[1], r, L], 1))
    return torch.stack(found, 2).double().cpu().numpy()


def line(density: Density, x: Tensor, start: Tensor, end: Tensor, levels: Tensor) -> Tensor:
    """The integral of the score along the arc from x + sigma start to x + sigma end, (B,) nats, Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    total, sigma = torch.zeros_like(levels), levels[:, None, None]
    for t, w in zip((nodes + 1) * math.pi / 4, weights * math.pi / 4, strict=True):
        y = x + sigma * (start * math.cos(t) + end * math.sin(t))
        dy = sigma * (end * math.cos(t) - start * math.sin(t))
        total += w * (density.score(y, levels) * dy).sum((1, 2))
    return total


def _within(a: Values) -> Values:
    """Variance within each molecule, (molecules,): unbiased, of values (molecules, COPIES)."""
    return a.var(1, ddof=1)


def _root_mean(squares: Values) -> tuple[float, float]:
    """Root of the mean of squares, one for each molecule, and its standard error."""
    root = math.sqrt(float(squares.mean()))
    return root, float(squares.std()) / math.sqrt(len(squares)) / (2 * root) if root else 0.0


def line_integral_part(found: Values, resolution: float) -> Part:
    """Tables and plot of values (molecules, 3, COPIES)."""
    u, r, L = np.moveaxis(found, 1, 0)
    judges = (("one pass", u), ("referee", r))
    own = Table(
        "between the copies of a molecule, less the line integral, nats",
        ["log-density by", "deviation", "±", "deviation of the line integral itself"],
        [[name, *_root_mean(_within(a - L)), _root_mean(_within(L))[0]] for name, a in judges],
    )
    error = u - r
    mean = error.mean(1)
    shared = float(mean.var(ddof=1) - _within(error).mean() / COPIES)
    rows: list[list[str | float | None]] = [
        ["one copy", *_root_mean(np.square(error).mean(1)), float(error.mean()), float(error.std())],
        [f"mean of {COPIES} copies", *_root_mean(np.square(mean)), float(mean.mean()), float(mean.std())],
        ["mean of all copies, by subtraction", math.sqrt(max(0.0, float(mean.mean()) ** 2 + shared)), None,
         float(mean.mean()), math.sqrt(max(0.0, shared))],
    ]  # fmt: skip
    between = Table("one pass − referee, nats", ["of", "RMSE", "±", "mean", "deviation"], rows)
    note = (
        f"{len(u)} held-out molecules, {COPIES} copies each with noise of {resolution:g} Å. The line integral of the "
        "score between two copies is what their log-densities must differ by, if the score is the gradient of one."
    )
    line = L[:, 1:].ravel()
    points = [Series(name, line.tolist(), (a[:, 1:] - a[:, :1]).ravel().tolist(), line=False)
              for name, a in judges]  # fmt: skip
    plot = Plot(
        "line_integral", "From one noisy copy to another", "line integral of the score (nats)",
        "change of log-density (nats)", points, diagonal=True,
    )  # fmt: skip
    title = "Line integral: does log-density change between noisy copies of a molecule as the score says?"
    return Part("line_integral", title, [own, between], [], note, [plot])
