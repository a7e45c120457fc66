"""Samplers and their noise levels: functions `f(score_fn, y, sigmas, noise, ...)` that follow a score down the levels.

`score_fn(y, sigma)` is the gradient of log p_sigma, with y and score (B, ...) and sigma (B,); `noise(y)` is standard
normal noise in the shape of y. So one sampler serves vectors and the centred positions of molecules. y starts at the
first level and ends at the last; a last level of zero gives the denoised mean and costs no evaluation.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["NoiseFn", "ScoreFn", "dpm_solver", "langevin", "noise_levels"]

ScoreFn = Callable[[Tensor, Tensor], Tensor]
NoiseFn = Callable[[Tensor], Tensor]


def noise_levels(n: int, sigma_min: float, sigma_max: float, middle: float = 0.4, width: float = 0.7) -> Tensor:
    """(n,) falling noise levels in Å, float64, crowded where molecules take shape.

        ln sigma_i = ln middle + width sinh(t_i),      t_1 ... t_n equally spaced from sigma_max down to sigma_min

    An evaluation is worth most where the noise is about half a bond's length: there the flow decides which atoms are
    bonded, while above and below it hardly bends (docs/trials.md has both grids measured). Karras et al. 2022
    (arXiv 2206.00364, equation 5) crowd levels at sigma_min instead, as images need.
    Raises ValueError where there can be none.
    """
    if n < 1 or not 0 < sigma_min < sigma_max or not (middle > 0 and width > 0):
        raise ValueError(
            f"need n >= 1, 0 < sigma_min < sigma_max, middle and width above 0, "
            f"got {n}, {sigma_min}, {sigma_max}, {middle}, {width}"
        )
    first, last = (math.asinh(math.log(sigma / middle) / width) for sigma in (sigma_max, sigma_min))
    t = torch.linspace(first, last, n, dtype=torch.float64)
    return middle * torch.exp(width * torch.sinh(t))


def dpm_solver(
    score_fn: ScoreFn,
    y: Tensor,
    sigmas: Tensor,
    noise: NoiseFn,
    *,
    eta: float = 1.0,
    temperature: float = 1.0,
    correct: tuple[float, float] | None = None,
    step_size: float = 0.4,
) -> Tensor:
    """DPM-Solver++ (2M): the second-order multistep solver, with one evaluation a level.

        D = y + s^2 score(y, s),     h = ln(s/t),     g = 1 - exp(-(1 + eta) h)
        y <- (t/s) exp(-eta h) y + g (D + (h / 2 h') (D - D')) + T t (1 - exp(-2 eta h))^1/2 z      from level s to t

    with D' and h' those of the step before. Source: Lu et al. 2022, arXiv 2211.01095; its stochastic form as in
    k-diffusion's `sample_dpmpp_2m_sde`.

    Args:
        y: (B, ...) at noise level sigmas[0].
        sigmas: (n,) falling; the last may be zero.
        eta: 1 solves the reverse SDE, 0 the probability-flow ODE, which draws no noise.
        temperature: T below 1 holds noise back: samples gather where the density is high, and are not drawn from p.
        correct: levels (low, high) between which each level gets one `langevin` step, at one more evaluation.
        step_size: of that step, a share of sigma^2.
    """
    D_last = h_last = None
    for i, (s, t) in enumerate(pairwise(sigmas.tolist())):
        if i and correct is not None and correct[0] <= s <= correct[1]:
            y = langevin(score_fn, y, s, noise, step_size=step_size, temperature=temperature)
        D = y + s * s * score_fn(y, y.new_full((len(y),), s))
        if t == 0:
            y = D
        else:
            h = math.log(s / t)
            g = -math.expm1(-(1 + eta) * h)
            ahead = D if D_last is None else D + h / (2 * h_last) * (D - D_last)
            y = t / s * math.exp(-eta * h) * y + g * ahead
            if eta:
                y = y + temperature * t * math.sqrt(-math.expm1(-2 * eta * h)) * noise(y)
            D_last, h_last = D, h
    return y


def langevin(
    score_fn: ScoreFn, y: Tensor, sigma: float, noise: NoiseFn, *, step_size: float, temperature: float = 1.0
) -> Tensor:
    """One step of Langevin dynamics at a noise level: y + e score + T (2e)^1/2 z, with e = step_size sigma^2.

    Source: Song et al. 2021, arXiv 2011.13456, algorithm 4 (the corrector).
    """
    e = step_size * sigma * sigma
    return y + e * score_fn(y, y.new_full((len(y),), sigma)) + temperature * math.sqrt(2 * e) * noise(y)
