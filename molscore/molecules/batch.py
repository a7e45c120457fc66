"""Dense padded batches of molecules, centred, and the grouping by size that keeps padding small."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from molscore.errors import ElementError, InputError
from molscore.molecules.elements import SYMBOLS, atomic_number
from molscore.molecules.molecule import Molecule

__all__ = ["Batch", "collate", "element_index", "size_groups"]


class Batch(NamedTuple):
    """B molecules of at most N atoms as tensors."""

    positions: Tensor
    """``(B, N, 3)`` Å: mean zero over the real atoms, zero at padding."""
    elements: Tensor
    """``(B, N)`` int64: index into the element table, 0 at padding."""
    mask: Tensor
    """``(B, N)`` bool: True for real atoms."""

    @property
    def sizes(self) -> Tensor:
        """``(B,)`` number of atoms of each molecule."""
        return self.mask.sum(dim=1)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch elsewhere."""
        return Batch(*(part.to(device) for part in self))


def element_index(elements: Sequence[str]) -> NDArray[np.int64]:
    """``(119,)`` table from atomic number to index into `elements`, -1 for elements outside it."""
    table = np.full(len(SYMBOLS), -1, dtype=np.int64)
    for index, symbol in enumerate(elements):
        table[atomic_number(symbol)] = index
    return table


def collate(molecules: Sequence[Molecule], elements: Sequence[str], dtype: torch.dtype = torch.float32) -> Batch:
    """Centred batch of molecules, in order, padded to the largest.

    Raises `ElementError` naming the first molecule with an element outside the table, `InputError` for none at all.
    """
    if not molecules:
        raise InputError("there are no molecules to put in a batch")
    sizes = np.array([molecule.n_atoms for molecule in molecules])
    indices = element_index(elements)[np.concatenate([molecule.numbers for molecule in molecules])]
    if (indices < 0).any():
        row = int(np.repeat(np.arange(len(sizes)), sizes)[(indices < 0).argmax()])
        symbol = next(symbol for symbol in molecules[row].symbols if symbol not in elements)
        label = f"{molecules[row].label} (number {row})"
        raise ElementError(f"{label}: element {symbol} is not one of {', '.join(elements)}")
    mask = np.arange(sizes.max()) < sizes[:, None]
    positions, table = np.zeros((*mask.shape, 3)), np.zeros(mask.shape, dtype=np.int64)
    positions[mask] = np.concatenate([molecule.positions for molecule in molecules])
    positions -= positions.sum(axis=1, keepdims=True) / sizes[:, None, None]
    positions[~mask] = 0.0
    table[mask] = indices
    return Batch(torch.from_numpy(positions).to(dtype), torch.from_numpy(table), torch.from_numpy(mask))


def size_groups(sizes: ArrayLike, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Indices of molecules of (nearly) equal size, at most `batch_size` at a time, small molecules first.

    Every index comes exactly once; equal sizes keep their order, so the groups are the same each time.
    """
    if batch_size < 1:
        raise InputError(f"a batch holds at least one molecule, not {batch_size}")
    order = np.argsort(np.asarray(sizes, dtype=np.int64), kind="stable")
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))
