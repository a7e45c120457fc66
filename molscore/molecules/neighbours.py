"""How many atoms each atom is bonded to, told by distances alone: quick, and it never fails."""

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray

from molscore.molecules.molecule import Molecule

__all__ = ["neighbour_counts"]

REACH = 1.25  # bonds are shorter than this many sums of covalent radii; contacts of atoms not bonded are longer


def neighbour_counts(molecule: Molecule) -> NDArray[np.int64]:
    """Atoms within `REACH` sums of covalent radii (Cordero 2008, doi:10.1039/B801115J) of each atom, (N,)."""
    x, radii = molecule.positions, covalent_radii[molecule.numbers]
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1)
    near = distance < REACH * (radii[:, None] + radii[None])
    return near.sum(1) - 1
