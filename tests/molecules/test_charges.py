"""Charges of real molecules are let be; those that a missing hydrogen leaves behind are seen."""

import pytest

from molscore.molecules.charges import unlikely_charges
from molscore.molecules.chem import from_smiles


@pytest.mark.parametrize(
    "smiles", ["C[N+](=O)[O-]", "[C-]#[N+]C", "C[NH2+]CC(=O)[O-]", "C=[N+]=[N-]", "C[N+]#[C-]", "CO"]
)
def test_the_charges_of_real_molecules_pass(smiles) -> None:
    assert unlikely_charges(from_smiles(smiles)) == []


@pytest.mark.parametrize("smiles", ["[CH2+]CC[CH2-]", "[CH2-]CCC1=C(O)CC[OH+]1", "[O-]C[O+]1CC1"])
def test_charges_that_stand_alone_are_seen(smiles) -> None:
    assert unlikely_charges(from_smiles(smiles))
