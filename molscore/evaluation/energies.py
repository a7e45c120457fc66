"""Energies of one molecule in many geometries: MMFF94s by RDKit, GFN2-xTB by tblite where that is installed.

References:
    Halgren 1999, https://doi.org/10.1002/(SICI)1096-987X(199905)20:7<720::AID-JCC7>3.0.CO;2-X (MMFF94s)
    Bannwarth, Ehlert, Grimme 2019, https://doi.org/10.1021/acs.jctc.8b01176 (GFN2-xTB)
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase
from rdkit.Chem import rdForceFieldHelpers

from molscore.errors import InputError
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.molecule import Molecule

__all__ = ["KCAL_PER_HARTREE", "XTB_MISSING", "ForceField", "has_xtb", "xtb_energies"]

KCAL_PER_HARTREE = 627.5094740631
XTB_MISSING = 'GFN2-xTB comes from the package tblite: pip install "molscore-discoformer[xtb]"'
_BOHR_PER_ANGSTROM = 1 / 0.529177210903
_STEP = 1e-3  # Å, of the finite differences of the gradient


class ForceField:
    """MMFF94s with the bonds that `molecule`'s own geometry shows.

    Raises `ParseError` where no bonds can be read, `InputError` for atoms that MMFF94s has no parameters for.
    """

    def __init__(self, molecule: Molecule) -> None:
        mol = mol_from_molecule(molecule)
        with rdBase.BlockLogs():
            properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94s")
            if properties is None:
                raise InputError(f"{molecule.label}: MMFF94s has no parameters for some of its atoms")
            self._field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
        self.molecule, self._mol = molecule, mol  # the field refers to the RDKit molecule
        self._field.Initialize()

    def energies(self, geometries: NDArray[np.float64]) -> NDArray[np.float64]:
        """kcal/mol of each of ``(G, N, 3)`` geometries in Å, ``(G,)``."""
        return np.array([self._field.CalcEnergy(positions.ravel().tolist()) for positions in geometries])

    def gradient(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """kcal/mol/Å, ``(N, 3)``."""
        flat = positions.ravel().tolist()
        self._field.CalcEnergy(flat)  # RDKit keeps distances, and only the energy renews them
        return np.array(self._field.CalcGrad(flat)).reshape(-1, 3)

    def minimised(self, max_iterations: int = 5000) -> tuple[NDArray[np.float64], bool]:
        """The nearest minimum ``(N, 3)`` in Å from the molecule's geometry, and whether it was reached."""
        start = self._mol.GetConformer().GetPositions()
        unfinished = self._field.Minimize(maxIts=max_iterations)
        found = np.array(self._field.Positions()).reshape(-1, 3)
        self._mol.GetConformer().SetPositions(start)  # where the field begins the next time
        return found, not unfinished

    @cached_property
    def modes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Curvatures ``(K,)`` in kcal/mol/Å², soft ones first, and directions ``(K, N, 3)`` of length one.

        Eigenvectors of the Hessian at the molecule's geometry, which is no minimum of the force field, in Cartesian
        coordinates without masses, after translations and rotations are projected out.
        """
        x = self.molecule.positions
        steps = _STEP * np.eye(x.size).reshape(-1, *x.shape)
        rows = [(self.gradient(x + step) - self.gradient(x - step)).ravel() / (2 * _STEP) for step in steps]
        hessian = (np.array(rows) + np.array(rows).T) / 2
        internal = _internal(x)
        curvatures, vectors = np.linalg.eigh(internal.T @ hessian @ internal)
        return curvatures, (internal @ vectors).T.reshape(-1, *x.shape)


def _internal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis ``(3N, K)`` of the displacements of ``x (N, 3)`` that neither shift nor turn it."""
    centred = x - x.mean(0)
    axes = np.eye(3)
    rigid = [np.tile(axis, len(x)) for axis in axes] + [np.cross(axis, centred).ravel() for axis in axes]
    left, sizes, _ = np.linalg.svd(np.array(rigid).T)
    return left[:, int((sizes > 1e-6 * sizes[0]).sum()) :]


def has_xtb() -> bool:
    """Whether tblite is installed."""
    return find_spec("tblite") is not None


def xtb_energies(molecule: Molecule, geometries: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """GFN2-xTB energies in kcal/mol of geometries ``(N, 3)`` in Å, ``(G,)``; NaN where it does not converge.

    Raises `InputError` without tblite.
    """
    if not has_xtb():
        raise InputError(XTB_MISSING)
    from tblite.interface import Calculator

    found = []
    for positions in geometries:
        calculator = Calculator("GFN2-xTB", molecule.numbers, positions * _BOHR_PER_ANGSTROM)
        calculator.set("verbosity", 0)
        try:
            found.append(KCAL_PER_HARTREE * float(calculator.singlepoint().get("energy")))
        except RuntimeError:
            found.append(np.nan)
    return np.array(found)
