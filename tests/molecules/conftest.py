"""A small library of molecules with geometries, made once."""

import pytest

from molscore.molecules import Molecule
from molscore.molecules.conformers import embed

#: SMILES with rings, multiple bonds, zwitterions, stereocentres and every element of QM9.
LIBRARY = (
    "O", "CCO", "C#N", "c1ccccc1", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "C/C=C/C", "C/C=C\\C", "[NH3+]CC(=O)[O-]",
    "FC(F)(F)C1CC1", "C1C2CC3CC1CC(C2)C3", "CC(=O)Nc1ccc(O)cc1", "C[N+](=O)[O-]", "c1cn[nH]c1",
)  # fmt: skip


@pytest.fixture(scope="session")
def library() -> dict[str, Molecule]:
    """Geometry of each SMILES string of `LIBRARY`."""
    return {smiles: embed(smiles, seed=1)[0] for smiles in LIBRARY}


@pytest.fixture
def water() -> Molecule:
    """Water, in Å."""
    return Molecule([8, 1, 1], [[0.0, 0.0, 0.1], [0.76, 0.0, -0.48], [-0.76, 0.0, -0.48]], name="water")


@pytest.fixture
def scattered() -> Molecule:
    """Atoms too far apart for any bond."""
    return Molecule([6, 6, 8], [[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 9.0]], name="scattered")
