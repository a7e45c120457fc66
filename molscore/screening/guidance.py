"""Guidance: functions that make one score function of others, or that choose among moves that a sampler proposes.

Samplers and networks know nothing of it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from molscore.diffusion.sampling import ScoreFn

__all__ = ["PairFn", "autoguidance", "denoised", "metropolis", "score_of", "temporal_rescaling"]

#: y (B, ...) and sigma (B,) -> a good score and a worse one, of one pass.
PairFn = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


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


def temporal_rescaling(score_fn: ScoreFn, k: float, s: float) -> ScoreFn:
    """The score times (s^2/sigma^2 + 1)/(s^2/(k sigma^2) + 1): k times itself well below s, itself well above.

    Sharpens each mode of width s and leaves the modes their weights, where less noise (a temperature) gathers samples
    in the densest ones. Source: Xu et al. 2025, arXiv 2510.01184.
    """

    def rescaled(y: Tensor, sigma: Tensor) -> Tensor:
        ratio = (s / like(sigma, y)).square()
        return score_fn(y, sigma) * (ratio + 1) / (ratio / k + 1)

    return rescaled


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
