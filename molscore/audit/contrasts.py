"""Molecules made wrong on purpose: shaken, with another element, with two elements exchanged, without a hydrogen."""

import numpy as np

from molscore.molecules.molecule import Molecule

__all__ = ["exchanged", "shaken", "swapped", "without_hydrogen"]

# Elements beside each other in the periodic table, of like size: the geometry still looks right at a glance.
_NEIGHBOURS = {6: (7,), 7: (6, 8), 8: (7, 9), 9: (8,)}


def shaken(molecule: Molecule, width: float, rng: np.random.Generator) -> Molecule:
    """White noise of `width` Å in each coordinate."""
    noise = width * rng.standard_normal(molecule.positions.shape)
    return Molecule(molecule.numbers, molecule.positions + noise, molecule.name)


def swapped(molecule: Molecule, rng: np.random.Generator) -> Molecule | None:
    """One heavy atom made its neighbour in the row C, N, O, F, where it stands; None where there is no such atom.

    The number of electrons becomes odd.
    """
    places = np.flatnonzero(np.isin(molecule.numbers, list(_NEIGHBOURS)))
    if not len(places):
        return None
    place, numbers = rng.choice(places), molecule.numbers.copy()
    numbers[place] = rng.choice(_NEIGHBOURS[int(numbers[place])])
    return Molecule(numbers, molecule.positions, molecule.name)


def exchanged(molecule: Molecule, rng: np.random.Generator) -> Molecule | None:
    """Two heavy atoms of different elements in each other's place: the formula stays. None where there are none."""
    heavy = np.flatnonzero(molecule.numbers > 1)
    first, second = np.meshgrid(heavy, heavy, indexing="ij")
    pairs = np.argwhere(molecule.numbers[first] < molecule.numbers[second])
    if not len(pairs):
        return None
    a, b = heavy[rng.choice(pairs)]
    numbers = molecule.numbers.copy()
    numbers[[a, b]] = numbers[[b, a]]
    return Molecule(numbers, molecule.positions, molecule.name)


def without_hydrogen(molecule: Molecule, rng: np.random.Generator) -> Molecule | None:
    """One hydrogen fewer, the rest where it was; None where there is no hydrogen or nothing would be left to judge."""
    hydrogens = np.flatnonzero(molecule.numbers == 1)
    if not len(hydrogens) or molecule.n_atoms < 3:
        return None
    kept = np.arange(molecule.n_atoms) != rng.choice(hydrogens)
    return Molecule(molecule.numbers[kept], molecule.positions[kept], molecule.name)
