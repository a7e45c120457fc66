"""Keys by which the same molecule is known again in a library: 128 bits, 32 hexadecimal digits."""

import hashlib

import numpy as np
from rdkit import Chem

from molscore.molecules.molecule import Molecule

__all__ = ["geometry_key", "graph_key"]

_BYTES = 16
_DECIMALS = 3  # of positions in Å


def graph_key(mol: Chem.Mol) -> str:
    """Key of a sanitised graph: of its canonical SMILES, with stereochemistry and isotopes, without atom maps."""
    mol = Chem.Mol(mol)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return _digest(b"graph", Chem.MolToSmiles(mol).encode())


def geometry_key(molecule: Molecule) -> str:
    """Key of the atoms and where they are to 0.001 Å, as given: other orders and orientations have other keys."""
    places = np.round(molecule.positions, _DECIMALS) + 0.0  # -0.0 is 0.0
    return _digest(b"geometry", molecule.numbers.astype("<i8").tobytes(), places.astype("<f8").tobytes())


def _digest(*parts: bytes) -> str:
    found = hashlib.blake2b(digest_size=_BYTES)
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()
