"""Densities that are known, as an audit sees them, with an error put in where a test wants one."""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.mixtures import GaussianMixture, SymmetrisedMixture

Error = Callable[[Tensor, Tensor], Tensor]


class Known:
    """The density of n samples of a mixture; `error(y, sigma)` (B,) nats is added to U, the score is the truth's."""

    def __init__(self, mixture: GaussianMixture, n: int, error: Error | None = None) -> None:
        torch.set_flush_denormal(True)  # what underflows is a hundred times slower else
        self.mixture, self.error = mixture, error
        self.mask = mixture.mask.expand(n, -1)
        self.prior = torch.full((n,), mixture.deviation, dtype=torch.float64)

    def estimate(self, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        U = -self.mixture.log_density(y, sigma)
        return self.score(y, sigma), U if self.error is None else U + self.error(y, sigma)

    def score(self, y: Tensor, sigma: Tensor) -> Tensor:
        return self.mixture.score(y, sigma)


def water(bend: float = 1.82) -> SymmetrisedMixture:
    """A bent molecule of three atoms, free to turn; its like atoms change places."""
    angle = torch.tensor(bend, dtype=torch.float64)
    arm = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)])
    means = torch.stack([torch.zeros(3), torch.tensor([1.0, 0, 0]), arm]).double()[None]
    return SymmetrisedMixture(torch.ones(1), means, torch.tensor([0.05**2]), (1, 0, 0))
