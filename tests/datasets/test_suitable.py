"""What a data set takes, and the status of what it does not."""

import numpy as np
import pytest
from rdkit import Chem

from molscore.datasets.suitable import check_geometry, check_graph
from molscore.errors import MolscoreError, PositionError
from molscore.molecules import Molecule
from molscore.molecules.chem import bond_array
from molscore.molecules.conformers import embed


@pytest.mark.parametrize("smiles", ["CCO", "C[N+](C)(C)CC([O-])=O", "OB(O)c1ccccc1", "C[Si](C)(C)C", "[H][H]", "CSCl"])
def test_suitable_molecules_pass(smiles) -> None:
    assert check_graph(smiles).GetNumAtoms()


@pytest.mark.parametrize(
    ("smiles", "status"),
    [
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
def test_others_say_why(smiles, status) -> None:
    with pytest.raises(MolscoreError) as error:
        check_graph(smiles)
    assert error.value.status == status


def test_geometries_in_other_units_are_refused() -> None:
    (ethanol,) = embed("CCO")
    bonds = bond_array(Chem.AddHs(Chem.MolFromSmiles("CCO")))
    check_geometry(ethanol, bonds)
    for scale in (0.1, 0.529, 1.89):
        with pytest.raises(PositionError, match="not in Å"):
            check_geometry(Molecule(ethanol.numbers, scale * ethanol.positions), bonds)
    with pytest.raises(PositionError, match="apart"):
        check_geometry(ethanol, np.array([[0, 2, 1]]))
