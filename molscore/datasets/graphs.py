"""Bonds as arrays: of an RDKit molecule, and of a SMILES string laid over a geometry."""

from __future__ import annotations

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from molscore.datasets.store import AROMATIC
from molscore.errors import ParseError
from molscore.molecules.chem import bare_mol, from_smiles
from molscore.molecules.molecule import Molecule

__all__ = ["bond_array", "bonds_over"]

_ORDERS = {Chem.BondType.SINGLE: 1, Chem.BondType.DOUBLE: 2, Chem.BondType.TRIPLE: 3}
# Two atoms are joined below so many times the sum of their covalent radii; where one value gives another graph than the
# SMILES string, the next may not.
_COVALENT_FACTORS = (1.3, 1.2, 1.15, 1.4)


def bond_array(mol: Chem.Mol) -> np.ndarray:
    """``(E, 3)`` uint16: first atom, second atom and order (1, 2, 3, 4 for aromatic) of each bond of a sanitised graph.

    Raises `ParseError` for a bond of another kind.
    """
    bonds = np.zeros((mol.GetNumBonds(), 3), dtype=np.uint16)
    for bond in mol.GetBonds():
        order = AROMATIC if bond.GetIsAromatic() else _ORDERS.get(bond.GetBondType())
        if order is None:
            raise ParseError(f"a bond of type {bond.GetBondType().name.lower()} is none of 1, 2, 3 and aromatic")
        bonds[bond.GetIdx()] = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), order
    return bonds


def bonds_over(smiles: str, molecule: Molecule) -> np.ndarray | None:
    """Bonds of `smiles`, as `bond_array` gives them, between the atoms of `molecule`; None where they do not fit.

    They fit where the graph of atoms that are near each other is that of the SMILES string, orders and charges aside.
    Raises `ParseError` for a bad SMILES string.
    """
    graph = Chem.AddHs(from_smiles(smiles))
    if graph.GetNumAtoms() != molecule.n_atoms:
        return None
    bonds = bond_array(graph)
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
