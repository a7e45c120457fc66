"""Densities of small molecules that are known at every noise level: what a network is trained on and judged against."""

from typing import NamedTuple

import torch

from molscore.diffusion import GaussianMixture, SymmetrisedMixture

__all__ = ["SYMBOLS", "TARGETS", "Target", "gaussian", "plain_mixture", "shapes"]

SYMBOLS = ("H", "C", "O", "N", "F", "S", "Cl")


class Target(NamedTuple):
    """A density, and the atoms that it is of."""

    name: str
    elements: tuple[int, ...]  # (N,) indices into `SYMBOLS`
    mixture: GaussianMixture

    @property
    def d(self) -> int:
        """Degrees of freedom, 3(N - 1)."""
        return self.mixture.d


def gaussian() -> Target:
    """Five atoms, 1 Å of deviation: the network's own starting point, from which training must not lead it."""
    mixture = GaussianMixture(torch.ones(1), torch.zeros(1, 5, 3), torch.ones(1))
    return Target("centred Gaussian, 5 atoms", (1, 0, 0, 0, 2), mixture)


def shapes(name: str, elements: tuple[int, ...], modes: int = 3, width: float = 0.08, seed: int = 0) -> Target:
    """Shapes of weights 1 : 2 : 3 ..., averaged over rotations, mirror images and exchanges of like atoms."""
    generator, found = torch.Generator().manual_seed(seed), []
    while len(found) < modes:
        x = 1.3 * torch.randn(len(elements), 3, generator=generator, dtype=torch.float64)
        if torch.pdist(x).min() > 0.9:
            found.append(x)
    weights = torch.arange(1, modes + 1, dtype=torch.float64)
    variances = torch.full((modes,), width**2)
    return Target(name, elements, SymmetrisedMixture(weights, torch.stack(found), variances, elements))


def plain_mixture(modes: int = 4, atoms: int = 5, seed: int = 0) -> GaussianMixture:
    """Not symmetric, of modes of unlike width, so no density of molecules: for what takes any score."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(modes, atoms, 3, generator=generator, dtype=torch.float64)
    return GaussianMixture(torch.arange(1.0, modes + 1), means, torch.linspace(0.05, 0.4, modes).square())


TARGETS = {
    "gaussian": gaussian,
    "3": lambda: shapes("3 shapes of H2O", (2, 0, 0)),
    "5": lambda: shapes("3 shapes of CH3O", (1, 0, 0, 0, 2)),
    "9": lambda: shapes("3 shapes of CH3ONFSCl", (1, 0, 0, 0, 2, 3, 4, 5, 6)),
}
