"""Molecules in periodic boxes, put together again across the walls."""

from collections import deque

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import ArrayLike, NDArray

from molscore.errors import PositionError
from molscore.molecules.neighbours import REACH

__all__ = ["unwrapped"]


def unwrapped(numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike = True) -> NDArray[np.float64]:
    """Positions (N, 3) Å in which bonded atoms are next to each other, for a box `cell` (3, 3) Å periodic along `pbc`.

    Bonds are pairs within `molscore.molecules.neighbours.REACH`; each piece stays where its first atom is. What no wall
    cuts is left as it is. Raises `PositionError` for bonds that run through the whole box, as those of a crystal do.
    """
    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=pbc)
    atoms.pbc &= atoms.cell.any(axis=1)
    if not atoms.pbc.any():
        return atoms.positions
    first, second, walls = neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=REACH))
    if not walls.any():
        return atoms.positions
    neighbours = [np.flatnonzero(first == atom) for atom in range(len(atoms))]
    images = np.zeros((len(atoms), 3), dtype=np.int64)
    seen = np.zeros(len(atoms), dtype=bool)
    for start in range(len(atoms)):
        waiting = deque([] if seen[start] else [start])
        seen[start] = True
        while waiting:
            for bond in neighbours[waiting.popleft()]:
                if not seen[second[bond]]:
                    seen[second[bond]] = True
                    images[second[bond]] = images[first[bond]] + walls[bond]
                    waiting.append(second[bond])
    if (images[second] != images[first] + walls).any():
        raise PositionError("the bonds run through the whole periodic box: a crystal, and not a molecule")
    return atoms.positions + images @ atoms.cell.array
