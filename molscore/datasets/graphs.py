"""Bonds of a SMILES string laid over a geometry."""

from __future__ import annotations

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from molscore.molecules.bonds import bare_mol
from molscore.molecules.chem import bond_array, from_smiles
from molscore.molecules.molecule import Molecule

__all__ = ["bonds_over"]

# Two atoms are joined below so many times the sum of their covalent radii; where one value gives another graph than the
# SMILES string, the next may not.
_COVALENT_FACTORS = (1.3, 1.2, 1.15, 1.4)


def bonds_over(smiles: str, molecule: Molecule) -> np.ndarray | None:
    """Bonds ``(E, 3)`` of `smiles` between the atoms of `molecule`, as `bond_array` has them; None if they do not fit.

    They fit where the graph of atoms that are near each other is that of the SMILES string, orders and charges aside.
    Raises `ParseError` for a bad SMILES string.
    """
    graph = Chem.AddHs(from_smiles(smiles))
    if graph.GetNumAtoms() != molecule.n_atoms or (bonds := bond_array(graph)) is None:
        return None
    skeleton = Chem.RWMol()
    for atom in graph.GetAtoms():
        skeleton.AddAtom(Chem.Atom(atom.GetAtomicNum()))
    for first, second, _ in bonds.tolist():
        skeleton.AddBond(first, second, Chem.BondType.SINGLE)
    atoms = bare_mol(molecule)
    for factor in _COVALENT_FACTORS:
        near = Chem.RWMol(atoms)
        with rdBase.BlockLogs():
            rdDetermineBonds.DetermineConnectivity(near, useVdw=True, covFactor=factor)
        if near.GetNumBonds() == len(bonds) and (match := near.GetSubstructMatch(skeleton)):
            place = np.array(match, dtype=np.uint16)
            return np.column_stack([place[bonds[:, 0]], place[bonds[:, 1]], bonds[:, 2]])
    return None
