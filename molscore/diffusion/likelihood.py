"""The referee: exact log-density of the model that a score defines, along the probability-flow ODE.

    dy/dln s = f(y, s) = -s^2 score(y, s),      d log p/dln s = -div f along the path
    log p_sigma(y) = log N(y_T; 0, sigma_T^2 + sigma_N^2) + integral of div f over ln s from ln sigma to ln sigma_T

The trace is exact: one Jacobian-vector product for each coordinate. Hutchinson's estimate is unbiased for log p but
biases exp(log p), so it can referee no normalisation.
Source: Chen et al. 2018, arXiv 1806.07366; Song et al. 2021, arXiv 2011.13456, equation 39.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp, vmap

from molscore.diffusion.gaussian import centre, gaussian_log_density
from molscore.diffusion.sampling import ScoreFn

__all__ = ["divergence", "flow_log_density"]


def divergence(score_fn: ScoreFn, y: Tensor, sigma: Tensor, mask: Tensor, chunk: int = 16) -> tuple[Tensor, Tensor]:
    """score (B, N, 3) and the exact trace of d score/d y on the centred subspace, (B,).

    A score that is centred and blind to translation has the same trace over all 3N coordinates.
    """
    B, N, _ = y.shape
    basis = torch.eye(3 * N, dtype=y.dtype, device=y.device).view(3 * N, 1, N, 3)

    def directional(e: Tensor) -> tuple[Tensor, Tensor]:
        direction = centre(e.expand(B, N, 3), mask)
        score, derivative = jvp(lambda q: score_fn(q, sigma), (y,), (direction,))
        return score, (derivative * direction).sum((1, 2))

    score, traces = vmap(directional, chunk_size=chunk)(basis)
    return score[0], traces.sum(0)


def flow_log_density(
    score_fn: ScoreFn,
    y: Tensor,
    sigma: float,
    mask: Tensor,
    prior: Tensor,
    sigma_max: float = 50.0,
    steps: int = 64,
    chunk: int = 16,
    callback: Callable[[int], None] | None = None,
) -> Tensor:
    """log p_sigma(y) in nats, (B,), by `steps` steps of Heun's method over ln s; two evaluations a step.

    Args:
        y: (B, N, 3) Å, centred.
        sigma: resolution in Å; sigma_max: where p_s is taken to be Gaussian.
        prior: (B,) Å, the data's deviation sigma_N per degree of freedom.
    """
    ln_s = torch.linspace(math.log(sigma), math.log(sigma_max), steps + 1, dtype=torch.float64).tolist()

    def slope(y: Tensor, ln_s: float) -> tuple[Tensor, Tensor]:
        s = math.exp(ln_s)
        score, trace = divergence(score_fn, y, y.new_full((len(y),), s), mask, chunk)
        return -s * s * score, -s * s * trace

    log_p = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    for i in range(steps):
        h = ln_s[i + 1] - ln_s[i]
        f, div_f = slope(y, ln_s[i])
        g, div_g = slope(y + h * f, ln_s[i + 1])
        y = y + h / 2 * (f + g)
        log_p += h / 2 * (div_f + div_g).double()
        if callback:
            callback(i)
    return log_p + gaussian_log_density(y, mask, sigma_max**2 + prior.square()).double()
