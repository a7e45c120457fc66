"""Metropolis-adjusted Langevin at one noise level: what a density allows and a score alone does not.

    propose:  y' = y + e g(y) + sqrt(2 e) z,     e = step_size sigma^2,     g = gradient of log p_sigma
    accept:   y' with probability min(1, p(y') q(y | y') / p(y) q(y' | y)),     q(y' | y) = N(y'; y + e g(y), 2 e)

Each molecule decides for itself. The accepted chain has p_sigma for its law whatever the step: a long one costs
acceptance, where unadjusted Langevin pays in bias. It holds for any g, as long as log p is what is meant.
Source: Roberts and Tweedie 1996, doi 10.2307/3318418; of the step, Roberts and Rosenthal 1998,
doi 10.1111/1467-9868.00123 (most is moved where 0.57 of the proposals are accepted).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from molscore.diffusion.gaussian import centred_noise
from molscore.diffusion.sampling import Callback, ScoreFn, annealed_langevin

__all__ = ["Chain", "DensityFn", "annealed_metropolis", "metropolis_langevin"]

STEP_SIZE = 0.3  # of sigma^2

#: y (B, N, 3) Å and sigma (B,) Å -> log p_sigma(y) (B,) in nats and its gradient (B, N, 3) in 1/Å, zero at padding.
DensityFn = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Chain(NamedTuple):
    """Where a chain stands."""

    positions: Tensor  # (B, N, 3) Å
    log_density: Tensor  # (B,) nats, there
    gradient: Tensor  # (B, N, 3) 1/Å, there
    acceptance: Tensor  # (B,) share of the moves that were accepted


def metropolis_langevin(
    density_fn: DensityFn,
    y: Tensor,
    mask: Tensor,
    sigma: float,
    moves: int,
    generator: torch.Generator,
    step_size: float = STEP_SIZE,
) -> Chain:
    """Move centred y (B, N, 3) Å `moves` times at noise level sigma: `moves` + 1 calls of `density_fn`.

    `step_size` is e as a share of sigma^2. A proposal whose density is not a number is never accepted.
    """
    e = step_size * sigma * sigma
    level = y.new_full((len(y),), sigma)
    log_p, g = density_fn(y, level)
    accepted = y.new_zeros(len(y))
    for _ in range(moves):
        z = centred_noise(mask, generator, y.dtype)
        proposal = y + e * g + (2 * e) ** 0.5 * z
        log_p_there, g_there = density_fn(proposal, level)
        back = y - proposal - e * g_there  # the noise that would lead back, times sqrt(2 e)
        log_q_ratio = z.square().sum((1, 2)) / 2 - back.square().sum((1, 2)) / (4 * e)
        u = torch.rand(len(y), generator=generator, dtype=y.dtype, device=y.device)
        moved = u.log() < log_p_there - log_p + log_q_ratio
        y, g = (torch.where(moved[:, None, None], new, old) for new, old in ((proposal, y), (g_there, g)))
        log_p = torch.where(moved, log_p_there, log_p)
        accepted = accepted + moved
    return Chain(y, log_p, g, accepted / max(moves, 1))


def annealed_metropolis(
    score_fn: ScoreFn,
    density_fn: DensityFn,
    mask: Tensor,
    levels: Tensor,
    prior: Tensor,
    generator: torch.Generator,
    moves: int,
    step_size: float = STEP_SIZE,
    temperature: float = 1.0,
    callback: Callback | None = None,
    dtype: torch.dtype = torch.float32,
) -> Chain:
    """Annealed Langevin by the score, then `moves` by the density at the last level, then the density's denoised mean.

        x <- annealed_langevin,     y <- x + sigma z,     y <- metropolis_langevin,     x <- y + sigma^2 g(y)

    The last is Tweedie's formula and costs nothing, as the chain knows g where it stands. n levels cost n calls of
    `score_fn`, the rest `moves` + 1 of `density_fn`. The chain's positions are the denoised ones.
    """
    said = {} if callback is None else {"callback": callback}
    x = annealed_langevin(score_fn, mask, levels, prior, generator, temperature=temperature, dtype=dtype, **said)
    sigma = float(levels[-1])
    y = x + sigma * centred_noise(mask, generator, dtype)
    chain = metropolis_langevin(density_fn, y, mask, sigma, moves, generator, step_size)
    return chain._replace(positions=chain.positions + sigma * sigma * chain.gradient)
