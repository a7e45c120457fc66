"""What a molecule is. RDKit, ASE and PyG stay behind the submodules `chem`, `conformers`, `ase`, `pyg` and so on."""

from molscore.molecules.batch import Batch, collate, size_groups, to_molecules
from molscore.molecules.distribution import Distribution
from molscore.molecules.elements import SYMBOLS, atomic_number, hill_formula, hill_string, parse_formula
from molscore.molecules.molecule import Molecule

__all__ = [
    "SYMBOLS",
    "Batch",
    "Distribution",
    "Molecule",
    "atomic_number",
    "collate",
    "hill_formula",
    "hill_string",
    "parse_formula",
    "size_groups",
    "to_molecules",
]
