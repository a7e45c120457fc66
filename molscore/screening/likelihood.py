"""The log-likelihood of a whole molecule, as a sum of named terms.

    log p(molecule) = log p(N) + log p(formula | N) + log p_sigma(positions | elements, N) + sum_k ln n_k!

The last term makes it the density of an unordered molecule: the n_k! orders of the atoms of element k are one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from molscore.molecules.batch import element_index
from molscore.molecules.molecule import Molecule

__all__ = ["Terms", "degrees_of_freedom", "element_counts", "log_permutations"]


class Terms(NamedTuple):
    """What a log-likelihood is made of, each (M,) nats."""

    log_composition: NDArray[np.float64]
    """log p(N) + log p(formula | N)."""
    log_density: NDArray[np.float64]
    """log p_sigma(positions | elements, N)."""
    log_permutations: NDArray[np.float64]
    """sum_k ln n_k!."""
    log_series: NDArray[np.float64] | float = 0.0
    """log p(ring systems | formula, references) - log q(ring systems | formula), where references are given."""

    @property
    def log_likelihood(self) -> NDArray[np.float64]:
        """Their sum."""
        return self.log_composition + self.log_density + self.log_permutations + self.log_series


def log_permutations(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """sum_k ln n_k! of element counts (M, E): (M,)."""
    return torch.lgamma(torch.from_numpy(np.asarray(counts) + 1.0)).numpy().sum(-1)


def degrees_of_freedom(molecules: Sequence[Molecule]) -> NDArray[np.int64]:
    """d = 3(N - 1) of each molecule, (M,)."""
    return 3 * (np.array([molecule.n_atoms for molecule in molecules]) - 1)


def element_counts(molecules: Sequence[Molecule], elements: Sequence[str]) -> NDArray[np.int64]:
    """Atoms of each of `elements` in each molecule, (M, len(elements))."""
    index = element_index(elements)
    return np.stack([np.bincount(index[m.numbers], minlength=len(elements)) for m in molecules])
