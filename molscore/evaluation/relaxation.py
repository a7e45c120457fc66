"""How far a geometry is from the nearest minimum of a force field or of GFN2-xTB: energy released and atoms moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from molscore.errors import InputError
from molscore.evaluation.energies import XTB_MISSING, ForceField, has_xtb
from molscore.molecules.ase import to_ase
from molscore.molecules.molecule import Molecule

__all__ = ["Relaxation", "relax_mmff", "relax_xtb", "rmsd"]

_KCAL_PER_EV = 23.060547830619
_FORCE = 0.02  # eV/Å, below which xTB's geometry counts as relaxed


class Relaxation(NamedTuple):
    """What relaxing a molecule did."""

    energy: float
    """kcal/mol released for each heavy atom; 0 for a geometry that was at a minimum."""
    rmsd: float
    """Å that the heavy atoms moved, root mean square, after superposition."""
    converged: bool
    """Whether a minimum was reached."""


def relax_mmff(molecule: Molecule, max_iterations: int = 5000) -> Relaxation:
    """To the nearest minimum of MMFF94s; raises as `ForceField` does."""
    field = ForceField(molecule)
    relaxed, converged = field.minimised(max_iterations)
    before, after = field.energies(np.stack([molecule.positions, relaxed]))
    return _relaxation(molecule, relaxed, float(before - after), converged)


def relax_xtb(molecule: Molecule, max_steps: int = 250) -> Relaxation:
    """To the nearest minimum of GFN2-xTB, without any bonds being asked for; seconds a molecule.

    NaN and not converged where the electrons do not. Raises `InputError` without tblite.
    """
    if not has_xtb():
        raise InputError(XTB_MISSING)
    from ase.calculators.calculator import CalculatorError
    from ase.optimize import LBFGS
    from tblite.ase import TBLite

    atoms = to_ase(molecule)
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    try:
        before = atoms.get_potential_energy()
        converged = LBFGS(atoms, logfile=None).run(fmax=_FORCE, steps=max_steps)
        released = (before - atoms.get_potential_energy()) * _KCAL_PER_EV
    except (CalculatorError, RuntimeError):
        return Relaxation(float("nan"), float("nan"), False)
    return _relaxation(molecule, atoms.positions, float(released), bool(converged))


def rmsd(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Å between the same atoms ``(N, 3)`` at two places, once shifted and turned onto each other; no reflection.

    Source: Kabsch 1976, https://doi.org/10.1107/S0567739476001873.
    """
    x, y = x - x.mean(0), y - y.mean(0)
    left, sizes, right = np.linalg.svd(x.T @ y)
    sizes[-1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
    square = ((x**2).sum() + (y**2).sum() - 2 * sizes.sum()) / len(x)
    return float(np.sqrt(max(square, 0.0)))


def _relaxation(molecule: Molecule, relaxed: NDArray[np.float64], released: float, converged: bool) -> Relaxation:
    heavy = molecule.numbers > 1
    if not heavy.any():  # hydrogen alone: its atoms then
        heavy = molecule.numbers > 0
    return Relaxation(released / int(heavy.sum()), rmsd(molecule.positions[heavy], relaxed[heavy]), converged)
