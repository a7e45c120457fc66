"""What a data set takes, the status of what it does not, and bonds of a SMILES string that find their atoms."""

import numpy as np
import pytest
from rdkit import Chem

from molscore.datasets.suitable import check_distances, check_graph
from molscore.errors import MolscoreError, PositionError
from molscore.molecules import Molecule
from molscore.molecules.chem import bond_array
from molscore.molecules.conformers import embed


@pytest.mark.parametrize(
    ("smiles", "status"),
    [
        *((smiles, None) for smiles in ("CCO", "C[N+](C)(C)CC([O-])=O", "C[Si](C)(C)C", "[H][H]", "CSCl")),
        ("CCO.O", "fragments"),
        ("CC(=O)[O-]", "charged"),
        ("C[CH2]", "radical"),
        ("C[Se]C", "unknown_element"),
        ("[He]", "unknown_element"),
        ("C" * 22, "too_large"),
        ("C(", "unparsable"),
        ("C*", "pattern"),
    ],
)
def test_suitable_molecules_pass_and_others_say_why(smiles, status) -> None:
    if status is None:
        assert check_graph(smiles).GetNumAtoms()
        return
    with pytest.raises(MolscoreError) as error:
        check_graph(smiles)
    assert error.value.status == status


def test_geometries_in_other_units_are_refused() -> None:
    (ethanol,) = embed("CCO")
    bonds = bond_array(Chem.AddHs(Chem.MolFromSmiles("CCO")))
    check_distances(ethanol, bonds)
    for scale in (0.1, 0.529, 1.89):
        with pytest.raises(PositionError, match="not in Å"):
            check_distances(Molecule(ethanol.numbers, scale * ethanol.positions), bonds)
    with pytest.raises(PositionError, match="apart"):
        check_distances(ethanol, np.array([[0, 2, 1]]))
