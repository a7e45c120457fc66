"""Dense padded batches of molecules, centred, and the grouping by size that keeps padding small."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from molscore.errors import ElementError, InputError
from molscore.molecules.elements import SYMBOLS, atomic_number
from molscore.molecules.molecule import Molecule, label_among

__all__ = ["Batch", "collate", "element_index", "element_indices", "padded", "size_groups"]


class Batch(NamedTuple):
    """B molecules of at most N atoms as tensors."""

    positions: Tensor  # (B, N, 3) Å: mean zero over the real atoms, zero at padding
    elements: Tensor  # (B, N) int64: index into the element table, 0 at padding
    mask: Tensor  # (B, N) bool: True for real atoms

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


def element_indices(numbers: NDArray[np.integer], elements: Sequence[str], label: Callable[[int], str]) -> NDArray:
    """Index into `elements` of each atom, (A,) int64; raises `ElementError` for one outside, by its label."""
    indices = element_index(elements)[numbers]
    if (indices < 0).any():
        atom = int((indices < 0).argmax())
        raise ElementError(f"{label(atom)}: element {SYMBOLS[numbers[atom]]} is not one of {', '.join(elements)}")
    return indices


def padded(
    numbers: NDArray[np.integer],
    positions: NDArray[np.floating],
    sizes: NDArray[np.integer],
    elements: Sequence[str],
    label: Callable[[int], str],
    pad_to: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Centred batch of flat atoms: numbers (A,) and positions (A, 3) Å of B molecules of `sizes` (B,), one by one.

    Centred in float64. Raises `ElementError` for an element outside the table, by the label of the molecule's row.
    """
    row = np.repeat(np.arange(len(sizes)), sizes)
    indices = element_indices(numbers, elements, lambda atom: label(row[atom]))
    positions = positions.astype(np.float64)
    means = np.add.reduceat(positions, np.cumsum(sizes) - sizes, axis=0) / sizes[:, None]
    mask = torch.from_numpy(np.arange(max(pad_to, int(sizes.max()))) < sizes[:, None])
    x, table = torch.zeros(*mask.shape, 3, dtype=dtype), torch.zeros(mask.shape, dtype=torch.int64)
    x[mask], table[mask] = torch.from_numpy(positions - means[row]).to(dtype), torch.from_numpy(indices)
    return Batch(x, table, mask)


def collate(molecules: Sequence[Molecule], elements: Sequence[str], dtype: torch.dtype = torch.float32) -> Batch:
    """Centred batch of molecules, in order, padded to the largest.

    Raises `ElementError` naming the first molecule with an element outside the table, `InputError` for none at all.
    """
    if not molecules:
        raise InputError("there are no molecules to put in a batch")
    numbers, positions = (np.concatenate([getattr(m, name) for m in molecules]) for name in ("numbers", "positions"))
    sizes = np.array([molecule.n_atoms for molecule in molecules])

    def label(index: int) -> str:
        return label_among(molecules[index].name, index)

    return padded(numbers, positions, sizes, elements, label, dtype=dtype)


def size_groups(sizes: ArrayLike, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Indices of molecules of (nearly) equal size, at most `batch_size` at a time, small molecules first.

    Every index comes exactly once; equal sizes keep their order, so the groups are the same each time.
    """
    if batch_size < 1:
        raise InputError(f"a batch holds at least one molecule, not {batch_size}")
    order = np.argsort(np.asarray(sizes, dtype=np.int64), kind="stable")
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))
