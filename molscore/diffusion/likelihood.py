"""Probability-flow log-likelihood: the log-density of the model that a score defines, along its ODE.

    dy/dln s = f(y, s) = -s^2 score(y, s),      d log p/dln s = -div f along the path
    log p_sigma(y) = log N(y_T; 0, sigma_T^2 + sigma_N^2) + integral of div f over ln s from ln sigma to ln sigma_T

The trace is exact, one vector-Jacobian product for each coordinate, unless directions are given. Hutchinson's estimate,
by random directions, is unbiased for log p but biases exp(log p), so it can tell nothing of a normalisation.

A path costs little and a trace much: Gauss and Legendre's rule, which needs fewest traces, sums div f, and Runge and
Kutta's fourth-order steps lead from one trace to the next, of w = y / (s^2 + sigma_N^2)^1/2, which a Gaussian leaves
where it is. Both are laid in t,

    ln s = ln(sigma_N/3) + sinh(t)/5,

which crowds them where the noise is a third of a molecule's size: there molecules take shape, and div f, which is flat
elsewhere, falls by half of d within a few tenths of ln s.

Source: Chen et al. 2018, arXiv 1806.07366; Grathwohl et al. 2019, arXiv 1810.01367, section 3 (random directions); Song
et al. 2021, arXiv 2011.13456, equation 39.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import vjp, vmap

from molscore.diffusion.gaussian import centre, gaussian_log_density
from molscore.diffusion.sampling import ScoreFn

__all__ = ["STEPS", "divergence", "flow_log_density"]

WIDTH = 0.2  # of the crowded part of the grid, in ln s
STEPS = 24  # of the path, at least
CHUNK = 18  # directions of a trace at a time


def divergence(score_fn: ScoreFn, y: Tensor, sigma: Tensor, mask: Tensor, directions: Tensor | None = None) -> Tensor:
    """The trace of d score/d y on the centred subspace, (B,), `CHUNK` directions at a time.

    Exact without `directions`: a score that is centred and blind to translation has the same trace over all 3N
    coordinates. With directions e (P, B, N, 3), the sum of e . (d score/d y) e; unbiased where the mean of the sum of
    e e^T is the projection to the centred subspace.
    """
    B, N, _ = y.shape
    if directions is None:
        directions = torch.eye(3 * N, dtype=y.dtype, device=y.device).view(3 * N, 1, N, 3).expand(-1, B, -1, -1)
    _, pull_back = vjp(lambda q: score_fn(q, sigma), y)

    def along(e: Tensor) -> Tensor:
        e = centre(e, mask)
        return (pull_back(e)[0] * e).sum((1, 2))

    return vmap(along, chunk_size=CHUNK)(directions).sum(0)


def flow_log_density(
    score_fn: ScoreFn,
    y: Tensor,
    sigma: float,
    mask: Tensor,
    prior: Tensor,
    sigma_max: float = 50.0,
    nodes: int = 32,
    steps: int = STEPS,
    directions: Callable[[int], Tensor] | None = None,
) -> Tensor:
    """log p_sigma(y) in nats, (B,), with `nodes` traces and `steps` steps of the path, or a few more.

    Args:
        y: (B, N, 3) Å, centred.
        sigma: resolution in Å; sigma_max: where p_s is taken to be Gaussian.
        prior: (B,) Å, the data's deviation sigma_N per degree of freedom; its mean over the batch places the grid.
        directions: those of the i-th trace, (P, B, N, 3), see `divergence`; without, traces are exact.
    """
    sigma_N = prior[:, None, None].to(y)
    middle = math.log(float(prior.mean()) / 3)
    first, last = (math.asinh((math.log(s) - middle) / WIDTH) for s in (sigma, sigma_max))
    places, weights = np.polynomial.legendre.leggauss(nodes)
    ts = (first + (last - first) * (places + 1) / 2).tolist()
    substeps = math.ceil(steps / (nodes + 1))

    def s_of(t: float) -> float:
        return math.exp(middle + WIDTH * math.sinh(t))

    def width(s: float) -> Tensor:
        return (s * s + sigma_N.square()).sqrt()

    def f(w: Tensor, t: float) -> Tensor:
        """dw/dt."""
        s = s_of(t)
        y = w * width(s)
        velocity = -s * s * score_fn(y, y.new_full((len(y),), s))
        return (velocity - (s / width(s)) ** 2 * y) / width(s) * WIDTH * math.cosh(t)

    log_p = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    w, t = y / width(sigma), first
    for i, (node, weight) in enumerate(zip(ts, weights.tolist(), strict=True)):
        w, t = _runge_kutta(f, w, t, node, substeps), node
        s, e = s_of(t), directions(i) if directions else None
        trace = divergence(score_fn, w * width(s), y.new_full((len(y),), s), mask, e)
        log_p += weight * (last - first) / 2 * WIDTH * math.cosh(t) * -s * s * trace.double()
    y = _runge_kutta(f, w, t, last, substeps) * width(sigma_max)
    return log_p + gaussian_log_density(y, mask, sigma_max**2 + prior.square()).double()


def _runge_kutta(f: Callable[[Tensor, float], Tensor], y: Tensor, start: float, end: float, steps: int) -> Tensor:
    """y at `end`, by equal steps of the classical method of fourth order."""
    h = (end - start) / steps
    for i in range(steps):
        t = start + i * h
        a = f(y, t)
        b = f(y + h / 2 * a, t + h / 2)
        c = f(y + h / 2 * b, t + h / 2)
        d = f(y + h * c, t + h)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
    return y
