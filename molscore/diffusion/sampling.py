"""Samplers and their noise levels: functions `f(score_fn, y, sigmas, noise, ...)` that follow a score down the levels.

`score_fn(y, sigma)` is the gradient of log p_sigma, with y and score (B, ...) and sigma (B,); `noise(y)` is standard
normal noise in the shape of y. So one sampler serves vectors and the centred positions of molecules. y starts at the
first level and ends at the last; a last level of zero gives the denoised mean and costs no evaluation.

Beside them what makes one score function of others, and what chooses among a sampler's moves: samplers know neither.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

__all__ = [
    "NoiseFn", "PairFn", "ScoreFn", "autoguidance", "denoised", "dpm_solver", "langevin", "like", "metropolis",
    "noise_levels", "score_of",
]  # fmt: skip

ScoreFn = Callable[[Tensor, Tensor], Tensor]
NoiseFn = Callable[[Tensor], Tensor]
#: y (B, ...) and sigma (B,) -> a good score and a worse one, of one pass.
PairFn = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


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


def like(sigma: Tensor, y: Tensor) -> Tensor:
    """sigma (B,) with the trailing dimensions of y."""
    return sigma.view(-1, *[1] * (y.ndim - 1))


def denoised(y: Tensor, sigma: Tensor, score: Tensor) -> Tensor:
    """D = y + sigma^2 score (Tweedie)."""
    return y + like(sigma, y).square() * score


def score_of(y: Tensor, sigma: Tensor, D: Tensor) -> Tensor:
    """The score whose denoised mean is D."""
    return (D - y) / like(sigma, y).square()


def autoguidance(pair_fn: PairFn, weight: float, within: tuple[float, float]) -> ScoreFn:
    """Away from a worse version of oneself, good + weight (good - worse), where sigma is `within` two levels in Å.

    The worse one is the network's coarse half, so it costs no further pass. Above the interval guidance narrows what is
    drawn; below it bonds are made, and guidance would only push them off their lengths. Source: Karras et al. 2024,
    arXiv 2406.02507; of the interval, Kynkäänniemi et al. 2024, arXiv 2404.07724.
    """
    low, high = within

    def guided(y: Tensor, sigma: Tensor) -> Tensor:
        good, worse = pair_fn(y, sigma)
        w = weight * ((sigma >= low) & (sigma <= high)).to(y)
        return good + like(w, y) * (good - worse)

    return guided


def metropolis(
    y: Tensor,
    log_weight: Callable[[Tensor], Tensor],
    move: Callable[[Tensor], Tensor],
    moves: int,
    generator: torch.Generator,
) -> Tensor:
    """Draws (B, ...) from p(y) exp(f(y)), given draws y from p, f = `log_weight` (B,) and a `move` that keeps p.

    Adding noise and taking it away again is such a move, and a reversible one: so it is accepted with probability
    min(1, exp(f(y') - f(y))). f needs no gradient; minus infinity is left as soon as a move is made, and never entered.
    Source: Metropolis et al. 1953, doi 10.1063/1.1699114; the same move, without f, in Meng et al. 2021 (SDEdit),
    arXiv 2108.01073.
    """
    f = log_weight(y)
    for _ in range(moves):
        there = move(y)
        f_there = log_weight(there)
        u = torch.rand(len(y), generator=generator, dtype=f.dtype, device=f.device)
        accepted = (u.log() < f_there - f) | torch.isneginf(f)
        y = torch.where(accepted.view(-1, *[1] * (y.ndim - 1)), there, y)
        f = torch.where(accepted, f_there, f)
    return y
