"""What a molecule is. RDKit, ASE and PyG wait behind `chem`, `conformers`, `drawing`, `files`, `ase` and `pyg`."""

from molscore import lazily

_HOMES = {
    "Batch": "molscore.molecules.batch",
    "Distribution": "molscore.molecules.distribution",
    "Molecule": "molscore.molecules.molecule",
    "SYMBOLS": "molscore.molecules.elements",
    "collate": "molscore.molecules.batch",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazily(__name__, _HOMES)
