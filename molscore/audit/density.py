"""What every part of an audit shares: options, and the density U(y, sigma) = -log p_sigma with its score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centre
from molscore.errors import InputError
from molscore.molecules.batch import Batch, size_groups
from molscore.screening.model import Model
from molscore.screening.predictor import check_resolution
from molscore.screening.rank.parts import Shard

__all__ = ["Density", "ModelDensity", "Options", "choose", "groups", "noise_of", "slopes"]

BATCH = 64  # molecules a pass


@dataclass(frozen=True)
class Options:
    """Settings that every part may read. Raises `InputError` naming the field that cannot be."""

    molecules: int | None = None  # held-out molecules of each part; None: as many as the part takes of itself
    paths: int = 16  # of the probability flow, a molecule; 1: its own path alone, with exact traces
    resolution: float = 0.05  # Å
    sigma_min: float = 0.003  # Å: the noise levels that the model was trained on, from its own record where it has one
    sigma_max: float = 50.0
    seed: int = 0
    data: Path | None = None  # the data set; None: data/DISTRIBUTION.parquet
    output: Path = Path("audit")  # folder of audit.json, pictures and what must survive a kill
    share: str = "1/1"  # i/n: this process does the i-th of n shares of the part `flow`
    only: tuple[str, ...] = ()  # names of parts; none: all

    def __post_init__(self) -> None:
        if self.molecules is not None and self.molecules < 2:
            raise InputError(f"an audit needs two molecules or more, not {self.molecules}")
        if self.paths != 1 and (self.paths < 4 or self.paths % 2):
            raise InputError(f"paths are 1, or an even number from 4 on as they come in pairs, not {self.paths}")
        Shard.parse(self.share)
        if not self.sigma_min <= check_resolution(self.resolution) <= self.sigma_max:
            raise InputError(f"resolution {self.resolution:g} Å is outside {self.sigma_min:g} to {self.sigma_max:g} Å")


class Density(Protocol):
    """What an audit asks of a density, a network's or one that is known; sigma is (B,) Å throughout."""

    mask: Tensor  # (B, N) bool
    prior: Tensor  # (B,) Å: the data's deviation sigma_N per degree of freedom

    def estimate(self, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """score (B, N, 3) in 1/Å and U (B,) in nats at centred y (B, N, 3); differentiable in y and sigma."""

    def score(self, y: Tensor, sigma: Tensor) -> Tensor:
        """The score alone."""


class ModelDensity:
    """A model's density for the elements of one batch."""

    def __init__(self, model: Model, batch: Batch) -> None:
        # exp(-u^2) of distant atoms underflows, and a CPU takes 100 times longer over denormal numbers
        torch.set_flush_denormal(True)
        self.network, self.elements, self.mask = model.network, batch.elements, batch.mask
        self.context = model.context.at(batch.sizes)
        self.prior = self.context.sigma_N

    def estimate(self, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """One pass, both heads."""
        score, log_density = self.network(y, self.elements, self.mask, sigma, self.context)
        return score, -log_density

    def score(self, y: Tensor, sigma: Tensor) -> Tensor:
        """The score head alone, (B, N, 3) in 1/Å."""
        found = self.network.denoise(y, self.elements, self.mask, sigma, self.context)
        return (found.fine - y) / sigma.square()[:, None, None]


def groups(model: Model, molecules: MoleculeSet) -> Iterator[tuple[NDArray[np.int64], Tensor, ModelDensity]]:
    """All molecules, small ones first: rows (B,) of nearly one size, centred positions (B, N, 3) Å, the density."""
    device = model.network.sigma_N.device
    for rows in size_groups(molecules.sizes, BATCH):
        batch = molecules.batch(rows, model.network.elements).to(device)
        yield rows, batch.positions, ModelDensity(model, batch)


def choose(molecules: MoleculeSet, n: int, seed: int) -> MoleculeSet:
    """n molecules at random without repetition, in the order of the set; all where there are no more."""
    if n >= len(molecules):
        return molecules
    return molecules.select(np.sort(np.random.default_rng(seed).choice(len(molecules), n, replace=False)))


def noise_of(mask: Tensor, rows: Sequence[int] | NDArray[np.integer], *seed: int) -> Tensor:
    """Standard normal noise (B, N, 3) on the centred subspace; each molecule's is the same in every batch."""
    z = torch.zeros(*mask.shape, 3)
    sizes = mask.sum(1).tolist()
    for i, row in enumerate(rows):
        z[i, : sizes[i]] = torch.from_numpy(np.random.default_rng([*seed, int(row)]).standard_normal((sizes[i], 3)))
    return centre(z.to(mask.device), mask)


def slopes(density: Density, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The score head, grad U, (B, N, 3) 1/Å each, and the time score dU/dln sigma at fixed y, (B,) nats."""
    y, ln_sigma = y.detach().requires_grad_(), sigma.log().detach().requires_grad_()
    with torch.enable_grad():
        score, U = density.estimate(y, ln_sigma.exp())
        grad_U, time_score = torch.autograd.grad(U.sum(), (y, ln_sigma))
    return score.detach(), centre(grad_U, density.mask), time_score
