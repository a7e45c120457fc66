"""`Field`: what the network says of positions, for a batch of molecules of given elements. Samplers call it here."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.diffusion.gaussian import centred_noise
from molscore.diffusion.sampling import NoiseFn
from molscore.molecules.batch import element_index
from molscore.molecules.molecule import Molecule
from molscore.nn.context import Context, DistributionContext
from molscore.nn.discoformer import DiScoFormer

__all__ = ["Field"]


class Field:
    """Scores and log-densities of B molecules of one distribution as functions of their positions (B, N, 3).

    Args:
        network: in evaluation mode.
        numbers: atomic numbers of each molecule.
        context: the distribution.
        tick: called before each evaluation of the network; what it raises ends the job.
    """

    def __init__(
        self,
        network: DiScoFormer,
        numbers: Sequence[NDArray[np.integer]],
        context: DistributionContext,
        tick: Callable[[], object] = bool,
    ) -> None:
        device = network.sigma_N.device
        sizes = torch.tensor([len(row) for row in numbers], device=device)
        self.network, self.numbers, self.tick = network, list(numbers), tick
        self.mask = torch.arange(int(sizes.max()), device=device) < sizes[:, None]
        self.elements = torch.zeros(self.mask.shape, dtype=torch.long, device=device)
        self.elements[self.mask] = torch.from_numpy(element_index(network.elements)[np.concatenate(numbers)]).to(device)
        self.context = context.at(sizes)

    def subset(self, rows: Tensor) -> "Field":
        """The same of some of the molecules, by index or mask."""
        part = object.__new__(Field)
        part.network, part.tick = self.network, self.tick
        part.numbers = [self.numbers[row] for row in torch.arange(len(self.numbers))[rows.cpu()].tolist()]
        part.mask, part.elements = self.mask[rows], self.elements[rows]
        part.context = Context(*(field[rows] for field in self.context))
        return part

    def scores(self, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the fine and of the coarse half, (B, N, 3) 1/Å each; sigma (B,) Å."""
        self.tick()
        found = self.network.denoise(y, self.elements, self.mask, sigma, self.context)
        variance = sigma.square()[:, None, None]
        return (found.fine - y) / variance, (found.coarse - y) / variance

    def log_density(self, y: Tensor, sigma: Tensor) -> Tensor:
        """log p_sigma(y | elements, N) in nats, (B,)."""
        self.tick()
        return self.network(y, self.elements, self.mask, sigma, self.context).log_density

    def molecules(self, x: Tensor) -> list[Molecule]:
        """Of positions (B, N, 3) in Å; what is not finite becomes all atoms at one point."""
        found = x.cpu().double().numpy()
        found = np.where(np.isfinite(found).all((1, 2), keepdims=True), found, 0.0)
        return [Molecule(z, row[: len(z)]) for z, row in zip(self.numbers, found, strict=True)]

    def noise(self, generator: torch.Generator) -> NoiseFn:
        """Standard normal noise on the centred subspace."""
        return lambda y: centred_noise(self.mask, generator, y.dtype)

    def start(self, sigma: float, generator: torch.Generator) -> Tensor:
        """Positions at a level that drowns the data: noise, widened by the data's own variance."""
        return (sigma**2 + self.context.sigma_N.square()).sqrt()[:, None, None] * centred_noise(self.mask, generator)
