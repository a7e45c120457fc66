"""Passes of a network over molecules of any sizes: padded batches of like size, results in the order of the input."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.errors import InputError
from molscore.molecules.batch import Batch, collate, size_groups
from molscore.molecules.molecule import Molecule
from molscore.nn.context import REFERENCE_SIGMA, Context, DistributionContext
from molscore.nn.discoformer import DiScoFormer
from molscore.nn.heads import Estimate
from molscore.nn.noise import LN_SIGMA_RANGE
from molscore.screening.cores import side_by_side

__all__ = ["BATCH", "Inputs", "atom_log_densities", "check_sigma", "estimate", "given", "inputs_of", "log_densities"]

BATCH = 32  # molecules a pass: of what a core keeps at hand, more are no faster


class Inputs(NamedTuple):
    """Arguments of one pass of the network, and which molecules they are."""

    rows: NDArray[np.int64]
    """(B,) indices of the molecules."""
    batch: Batch
    sigma: Tensor
    """(B,) Å."""
    context: Context

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Context]:
        """What the network is called with."""
        return (*self.batch, self.sigma, self.context)


def check_sigma(sigma: float) -> float:
    """The noise level in Å as a number; raises `InputError` outside what the network has a notion of."""
    low, high = np.exp(LN_SIGMA_RANGE)
    if not isinstance(sigma, (int, float, np.floating, np.integer)) or not low * 0.999 <= sigma <= high * 1.001:
        raise InputError(f"a resolution lies between {low:.3g} and {high:.3g} Å, not at {sigma}")
    return float(sigma)


def inputs_of(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> Iterator[Inputs]:
    """Batches of molecules of nearly equal size, small ones first."""
    device = network.sigma_N.device
    for rows in size_groups([molecule.n_atoms for molecule in molecules], BATCH):
        batch = collate([molecules[row] for row in rows], network.elements).to(device)
        yield Inputs(rows, batch, torch.full((len(rows),), sigma, device=device), context.at(batch.sizes))


def estimate(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> Estimate:
    """Score (M, N, 3) in 1/Å, zero at padding, and log_density (M,) in nats."""
    largest = max((molecule.n_atoms for molecule in molecules), default=0)
    score, log_density = torch.zeros(len(molecules), largest, 3), torch.zeros(len(molecules))
    batches = inputs_of(network, molecules, sigma, context)
    for inputs, found in side_by_side(lambda inputs: network(*inputs.arguments), batches, network.sigma_N.device):
        rows = torch.from_numpy(inputs.rows)
        score[rows, : found.score.shape[1]] = found.score.cpu()
        log_density[rows] = found.log_density.cpu()
    return Estimate(score, log_density)


def log_densities(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> NDArray[np.float64]:
    """log p_sigma(positions | elements, N) in nats, (M,)."""
    found = np.zeros(len(molecules))
    batches = inputs_of(network, molecules, sigma, context)
    for inputs, known in side_by_side(lambda inputs: network(*inputs.arguments), batches, network.sigma_N.device):
        found[inputs.rows] = known.log_density.cpu().double().numpy()
    return found


def atom_log_densities(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> list[NDArray[np.float64]]:
    """The share of each atom in the log_density, (N_i,) nats; their sum is the log_density."""
    shares: list[NDArray[np.float64]] = [np.zeros(0)] * len(molecules)

    def energies(inputs: Inputs) -> Tensor:
        y, _, mask = inputs.batch
        return network.atom_energies(y, network.denoise(*inputs.arguments), mask)

    batches = inputs_of(network, molecules, sigma, context)
    for inputs, energy in side_by_side(energies, batches, network.sigma_N.device):
        real_atoms = inputs.batch.mask.cpu().numpy()
        for row, values, real in zip(inputs.rows, -energy.cpu().double().numpy(), real_atoms, strict=True):
            shares[row] = values[real]
    return shares


def bonds(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> list[NDArray[np.uint16]]:
    """The likeliest bond order of every pair of atoms that has one, (E_i, 3): first atom, second atom, order."""
    found: list[NDArray[np.uint16]] = [np.zeros((0, 3), dtype=np.uint16)] * len(molecules)

    def orders(inputs: Inputs) -> Tensor:
        return network.denoise(*inputs.arguments).bonds.argmax(-1)

    batches = inputs_of(network, molecules, sigma, context)
    for inputs, order in side_by_side(orders, batches, network.sigma_N.device):
        for row, matrix in zip(inputs.rows, order.cpu().numpy(), strict=True):
            n = molecules[row].n_atoms
            first, second = np.nonzero(np.triu(matrix[:n, :n], 1))
            found[row] = np.stack([first, second, matrix[first, second]], axis=1).astype(np.uint16)
    return found


def given(
    network: DiScoFormer, references: Sequence[Molecule], context: DistributionContext
) -> DistributionContext:
    """The context moved by references, as they are seen from it."""
    states = torch.zeros(len(references), 2 * network.config.dim, device=network.sigma_N.device)
    batches = inputs_of(network, references, REFERENCE_SIGMA, context)
    for inputs, state in side_by_side(lambda i: network.state(*i.batch, i.context), batches, states.device):
        states[torch.from_numpy(inputs.rows)] = state
    # in an order of their own, so that sums of floats do not depend on that of the references
    states = states[np.lexsort(states.cpu().numpy().T)]
    present = torch.ones(1, len(states), dtype=torch.bool, device=states.device)
    with torch.no_grad():
        moved = network.reference_encoder(states[None], present)
    return context._replace(token=context.token + moved[0])
