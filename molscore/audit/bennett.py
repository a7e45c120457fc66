"""The offset of a log-density against the truth, from data alone: Bennett's estimate along a ladder of noise levels.

Write the model as exp(-U_k) = Z_k p_k e^{h_k} at level k with p_k the truth, and hold two neighbours side by side as
densities of the pair (y, y'): going up, q_k(y) F(y' | y); going down, q_{k+1}(y') B(y | y'). Bennett's C_k solves

    mean over pairs going up of 1/(1 + e^{w - C})  =  mean over pairs going down of 1/(1 + e^{C - w})

for w = ln of the ratio of the two (`Step.log_work`), and is ln Z_k/Z_{k+1} whatever F and B are, if the pairs going up
start from q_k and those going down from q_{k+1}. Data with noise added are samples of p_k at every k, and along one
path y_0 -> y_1 -> ... they are the pairs going up. So with a right shape, h = 0, the sum of C_k from the Gaussian end,
whose normaliser is known, is ln Z_k. With a wrong shape it is to first order in h

    sum of C = E_{p_k}[-U_k - ln p_k] = ln Z_k - KL(p_k || q_k)

since the terms in h of neighbouring pairs cancel: the mean error of the log-density over data, which no constant hides.
Compositions need not be held fixed: the sum is then that mean over compositions. Estimates that compare U_k and U_{k+1}
at the same y lack this: an error of the shape that is the same at all levels never shows in them.
The overlap of a step, 1 where up and down are one distribution and 0 where they are apart, says how far to trust C.
Source: Bennett 1976, doi:10.1016/0021-9991(76)90078-4; Shirts et al. 2003, arXiv cond-mat/0309385.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density
from molscore.audit.ladder import Rung, Step, read
from molscore.diffusion.gaussian import centred_noise, gaussian_log_density

__all__ = ["Ladder", "Works", "bennett", "climb", "offsets"]


class Works(NamedTuple):
    """ln of the ratio up : down; the last of the K rungs is the Gaussian end. Each (K, M) nats."""

    up: NDArray[np.float64]  # over pairs going up
    down: NDArray[np.float64]  # over pairs going down


class Ladder(NamedTuple):
    """Estimates at each of K levels, (K,)."""

    offset: NDArray[np.float64]  # nats: ln Z, or the mean error of the log-density where its shape is wrong
    error: NDArray[np.float64]  # standard error
    overlap: NDArray[np.float64]  # of the step above the level


@torch.no_grad()
def climb(
    density: Density, x: Tensor, levels: NDArray[np.float64], spreads: NDArray[np.float64], generator: torch.Generator
) -> Works:
    """One path up for each molecule of x (B, N, 3) Å, and at each rung a step down beside it; `levels` rise."""
    mask, sigmas = density.mask, levels.tolist()
    below = read(density, x + sigmas[0] * centred_noise(mask, generator, x.dtype), sigmas[0])
    ups, downs = [], []
    for low, high, spread in zip(sigmas[:-1], sigmas[1:], spreads[1:].tolist(), strict=True):
        step = Step(low, high, spread)
        above = read(density, step.up(below.y, mask, generator), high)
        beside = read(density, step.down(above, mask, generator), low)
        ups.append(step.log_work(below, above, mask))
        downs.append(step.log_work(beside, above, mask))
        below = above
    variance = sigmas[-1] ** 2 + density.prior.double().square()
    normal = variance.sqrt()[:, None, None].to(x) * centred_noise(mask, generator, x.dtype)
    ups.append(_above_gaussian(below, mask, variance))
    downs.append(_above_gaussian(read(density, normal, sigmas[-1]), mask, variance))
    return Works(*(torch.stack(works).cpu().numpy() for works in (ups, downs)))


def offsets(works: Works) -> Ladder:
    """The sums from the Gaussian end down to each level, with standard errors over molecules."""
    found = [bennett(up, down) for up, down in zip(works.up, works.down, strict=True)]
    influence = np.stack([step[1] for step in found])[::-1].cumsum(0)[::-1]
    offset = np.array([step[0] for step in found])[::-1].cumsum()[::-1]
    n = influence.shape[1]
    return Ladder(offset, influence.std(1, ddof=1) / np.sqrt(n), np.array([step[2] for step in found]))


def bennett(up: NDArray[np.float64], down: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], float]:
    """C, what each molecule adds to its error (M,) to first order, and the overlap."""
    low, high = min(up.min(), down.min()) - 1.0, max(up.max(), down.max()) + 1.0
    for _ in range(80):
        C = (low + high) / 2
        high, low = (C, low) if _logistic(C - up).mean() > _logistic(down - C).mean() else (high, C)
    a, b = _logistic(C - up), _logistic(down - C)
    slope = (a * (1 - a)).mean() + (b * (1 - b)).mean()
    return C, (b - a) / max(slope, 1e-300), float(a.mean() + b.mean())


def _above_gaussian(rung: Rung, mask: Tensor, variance: Tensor) -> Tensor:
    return -rung.U - gaussian_log_density(rung.y.double(), mask, variance)


def _logistic(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(0.5 * u))
