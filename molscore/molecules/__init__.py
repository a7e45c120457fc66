"""What a molecule is. RDKit, ASE and PyG wait behind `chem`, `conformers`, `drawing`, `files`, `ase` and `pyg`."""

from molscore.molecules.batch import Batch, collate, size_groups, to_molecules
from molscore.molecules.convert import as_molecule, as_molecules
from molscore.molecules.distribution import Distribution
from molscore.molecules.elements import SYMBOLS, atomic_number, hill_formula, hill_string, parse_formula
from molscore.molecules.formula import check_formula
from molscore.molecules.molecule import Molecule

__all__ = [
    "SYMBOLS",
    "Batch",
    "Distribution",
    "Molecule",
    "as_molecule",
    "as_molecules",
    "atomic_number",
    "check_formula",
    "collate",
    "hill_formula",
    "hill_string",
    "parse_formula",
    "size_groups",
    "to_molecules",
]
