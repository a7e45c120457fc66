"""Samplers: plain functions of `score_fn(y, sigma) -> score`, with y and score (B, N, 3) and sigma (B,).

All start from noise of the first level and end with the denoised mean of the last, so n levels cost n evaluations
(Heun: 2n - 1).
`callback(step, y)` is told of every level, for progress.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from molscore.diffusion.gaussian import centred_noise

__all__ = ["Callback", "ScoreFn", "annealed_langevin", "probability_flow", "stochastic_heun"]

ScoreFn = Callable[[Tensor, Tensor], Tensor]
Callback = Callable[[int, Tensor], None]


def _silent(step: int, y: Tensor) -> None:
    pass


def _start(mask: Tensor, levels: Tensor, prior: Tensor, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Noise of the first level, widened by the data's own variance: y ~ N(0, sigma_0^2 + sigma_N^2)."""
    deviation = (float(levels[0]) ** 2 + prior.to(dtype).square()).sqrt()
    return deviation[:, None, None] * centred_noise(mask, generator, dtype)


def _score(score_fn: ScoreFn, y: Tensor, sigma: float) -> Tensor:
    return score_fn(y, y.new_full((len(y),), sigma))


def annealed_langevin(
    score_fn: ScoreFn,
    mask: Tensor,
    levels: Tensor,
    prior: Tensor,
    generator: torch.Generator,
    corrections: int = 0,
    step_size: float = 0.15,
    temperature: float = 1.0,
    callback: Callback = _silent,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Predictor-corrector annealed Langevin dynamics (Song et al. 2021, arXiv 2011.13456, algorithms 2 and 4).

        predict:  y <- y + (s^2 - t^2) score(y, s) + T t sqrt(1 - t^2/s^2) z      from level s to t < s
        correct:  y <- y + e score(y, t) + T sqrt(2 e) z,  e = step_size t^2      `corrections` times a level

    The predictor is the exact posterior step when the clean positions are known. A `temperature` T below 1 holds back
    noise: samples gather where the density is high, and are no longer drawn from p itself.
    Returns positions (B, N, 3) in Å.
    """
    y = _start(mask, levels, prior, generator, dtype)
    steps = levels.tolist()
    for i, s in enumerate(steps):
        if i:
            for _ in range(corrections):
                e = step_size * s * s
                noise = temperature * (2 * e) ** 0.5 * centred_noise(mask, generator, dtype)
                y = y + e * _score(score_fn, y, s) + noise
        score = _score(score_fn, y, s)
        t = steps[i + 1] if i + 1 < len(steps) else 0.0
        y = y + (s * s - t * t) * score
        if t:
            deviation = temperature * t * (1 - t * t / (s * s)) ** 0.5
            y = y + deviation * centred_noise(mask, generator, dtype)
        callback(i, y)
    return y


def stochastic_heun(
    score_fn: ScoreFn,
    mask: Tensor,
    levels: Tensor,
    prior: Tensor,
    generator: torch.Generator,
    churn: float = 20.0,
    churn_range: tuple[float, float] = (0.01, 2.0),
    callback: Callback = _silent,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Karras et al. 2022, arXiv 2206.00364, algorithm 2, with S_noise = 1. Returns positions (B, N, 3) in Å."""
    y = _start(mask, levels, prior, generator, dtype)
    steps = levels.tolist()
    for i, s in enumerate(steps):
        inside = churn_range[0] <= s <= churn_range[1]
        gamma = min(churn / len(steps), 2**0.5 - 1) if inside else 0.0
        s_hat = s * (1 + gamma)
        if gamma:
            y = y + (s_hat**2 - s**2) ** 0.5 * centred_noise(mask, generator, dtype)
        slope = -s_hat * _score(score_fn, y, s_hat)  # dy/dsigma of the probability flow
        t = steps[i + 1] if i + 1 < len(steps) else 0.0
        ahead = y + (t - s_hat) * slope
        if t:
            slope = (slope - t * _score(score_fn, ahead, t)) / 2
            ahead = y + (t - s_hat) * slope
        y = ahead
        callback(i, y)
    return y


def probability_flow(
    score_fn: ScoreFn,
    mask: Tensor,
    levels: Tensor,
    prior: Tensor,
    generator: torch.Generator,
    callback: Callback = _silent,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The deterministic probability-flow ODE, by Heun's method: noise decides everything. Returns (B, N, 3) in Å."""
    return stochastic_heun(score_fn, mask, levels, prior, generator, churn=0.0, callback=callback, dtype=dtype)
