"""Validity as EDM defines it: RDKit's opinion of the bonds read from distances.

A valid molecule here may be in pieces or lack hydrogens (RDKit adds implicit ones): the definition is a lenient one,
kept because the literature reports it. Connectivity is reported beside it.
"""

from collections.abc import Iterable

import numpy as np
from rdkit import Chem, rdBase
from tqdm import tqdm

from molscore.datasets.molecule_set import MoleculeSet
from molscore.evaluation.stability import DistanceBonds, as_set, bonds_of
from molscore.molecules.molecule import Molecule

__all__ = ["edm_smiles"]

_BOND_TYPES = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}


def edm_smiles(
    molecules: MoleculeSet | Iterable[Molecule], bonds: DistanceBonds | None = None, progress: bool = False
) -> list[str | None]:
    """SMILES (explicit H, no stereo) of each molecule's largest piece, None where RDKit does not accept the bonds.

    Atoms are neutral and bonds are those of `bonds_of`. SMILES compare only with others made here. About 3,000
    molecules a second; `progress` shows a bar on stderr.
    """
    molecules = as_set(molecules)
    atoms, orders = bonds_of(molecules) if bonds is None else bonds
    ends = np.searchsorted(atoms[:, 0], molecules.offsets).tolist()
    starts, found = molecules.offsets.tolist(), []
    with rdBase.BlockLogs():
        for row in tqdm(range(len(molecules)), desc="bonds to SMILES", disable=not progress):
            own = slice(ends[row], ends[row + 1])
            numbers = molecules.numbers[starts[row] : starts[row + 1]].tolist()
            found.append(_smiles(numbers, (atoms[own] - starts[row]).tolist(), orders[own].tolist()))
    return found


def _smiles(numbers: list[int], pairs: list[list[int]], orders: list[int]) -> str | None:
    """SMILES of the largest piece of one molecule, or None."""
    mol = Chem.RWMol()
    for number in numbers:
        mol.AddAtom(Chem.Atom(number))
    for (a, b), order in zip(pairs, orders, strict=True):
        mol.AddBond(a, b, _BOND_TYPES[order])
    try:
        Chem.SanitizeMol(mol)
    except ValueError:
        return None
    if len(Chem.GetMolFrags(mol)) > 1:
        mol = max(Chem.GetMolFrags(mol, asMols=True), key=Chem.Mol.GetNumAtoms)
    return Chem.MolToSmiles(mol)
