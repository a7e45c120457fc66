"""Many geometries of one molecule: displaced at random, along the modes of its force field, and its conformers."""

import numpy as np
from numpy.typing import NDArray

from molscore.errors import MolscoreError
from molscore.evaluation.energies import ForceField
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.conformers import embed
from molscore.molecules.molecule import Molecule

__all__ = ["along_modes", "at_random", "conformers"]

WIDTHS = (0.02, 0.2)  # Å, root mean square over coordinates


def at_random(molecule: Molecule, n: int, rng: np.random.Generator, width: float | None = None) -> NDArray[np.float64]:
    """Geometries (n, N, 3) in Å moved in random directions by `width` Å a coordinate, or by 0.02 to 0.2 Å."""
    noise = rng.standard_normal((n, *molecule.positions.shape))
    noise -= noise.mean(1, keepdims=True)
    noise /= np.sqrt(np.square(noise).mean((1, 2), keepdims=True))
    widths = np.full(n, width) if width is not None else np.exp(rng.uniform(*np.log(WIDTHS), n))
    return molecule.positions + widths[:, None, None] * noise


def along_modes(
    molecule: Molecule, field: ForceField, n: int, rng: np.random.Generator, width: float = 0.05
) -> NDArray[np.float64]:
    """Geometries (n, N, 3) in Å moved along single modes, soft to stiff, all by `width` Å a coordinate, either way."""
    _, directions = field.modes
    chosen = np.unique(np.linspace(0, len(directions) - 1, n).round().astype(int))
    signs = rng.choice([-1.0, 1.0], len(chosen))
    length = width * np.sqrt(molecule.positions.size)
    return molecule.positions + length * signs[:, None, None] * directions[chosen]


def conformers(molecule: Molecule, n: int, seed: int) -> list[Molecule]:
    """Up to n relaxed conformers that differ in energy, ``energy`` in their properties; none where that fails."""
    try:
        found = embed(mol_from_molecule(molecule), n, seed)
    except MolscoreError:
        return []
    kept: list[Molecule] = []
    for conformer in found:
        if not kept or conformer.properties["energy"] - kept[-1].properties["energy"] > 0.05:
            kept.append(conformer)
    return kept
