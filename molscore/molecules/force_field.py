"""Whether a geometry was made by a force field: whether it is one of its minima.

The root mean square of the force on a coordinate tells: 0 for conformers of RDKit with MMFF94 or MMFF94s, at most 1.8
with positions rounded to 0.001 Å, and above 3.3 for 99 % of the B3LYP geometries of QM9 (kcal/mol/Å). Bond lengths tell
less: by their means and deviations for each pair of elements and numbers of neighbours 10 % of either kind are taken
for the other. References: Halgren, J. Comput. Chem. 1996, 17, 490 (MMFF94) and 1999, 20, 720 (MMFF94s).
"""

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdForceFieldHelpers

from molscore.errors import ParseError
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.molecule import Molecule

__all__ = ["at_minimum", "least_force"]

LARGEST_FORCE = 2.0  # kcal/mol/Å
_VARIANTS = (("MMFF94s", True), ("MMFF94", True), ("MMFF94s", False))  # without charges: as OMEGA does


def at_minimum(molecule: Molecule) -> bool:
    """Whether a geometry is a minimum of MMFF94 or a variant of it; False where no bonds fit it."""
    try:
        return least_force(mol_from_molecule(molecule, max_iterations=1000, time_limit=1.0)) < LARGEST_FORCE
    except ParseError:
        return False


def least_force(mol: Chem.Mol) -> float:
    """Root mean square force on a coordinate in kcal/mol/Å, of the variant where it is least; inf for unknown atoms."""
    least = float("inf")
    with rdBase.BlockLogs():
        for variant, charges in _VARIANTS:
            properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant=variant)
            if properties is None:
                return least
            properties.SetMMFFEleTerm(charges)
            field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
            least = min(least, float(np.sqrt(np.mean(np.square(field.CalcGrad())))))
    return least
