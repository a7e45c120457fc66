"""What a molecule is. RDKit, ASE and PyG wait behind `chem`, `conformers`, `drawing`, `files`, `ase` and `pyg`."""

from molscore.lazy import lazily

_HOMES = {
    "Batch": "molscore.molecules.batch",
    "Distribution": "molscore.molecules.distribution",
    "Molecule": "molscore.molecules.molecule",
    "SYMBOLS": "molscore.molecules.elements",
    "as_molecule": "molscore.molecules.convert",
    "as_molecules": "molscore.molecules.convert",
    "atomic_number": "molscore.molecules.elements",
    "check_formula": "molscore.molecules.elements",
    "collate": "molscore.molecules.batch",
    "hill_formula": "molscore.molecules.elements",
    "hill_string": "molscore.molecules.elements",
    "parse_formula": "molscore.molecules.elements",
    "size_groups": "molscore.molecules.batch",
    "to_molecules": "molscore.molecules.batch",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazily(__name__, _HOMES)
