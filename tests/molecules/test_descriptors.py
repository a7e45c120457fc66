"""Descriptors have the published values."""

import pytest
from rdkit import Chem

from molscore.errors import InputError
from molscore.molecules.chem import descriptors, from_smiles, mol_from_molecule, pattern_of, smiles_of
from molscore.molecules.conformers import embed


def test_aspirin_has_the_numbers_of_its_data_sheet() -> None:
    found = descriptors(from_smiles("CC(=O)Oc1ccccc1C(=O)O"))
    assert found["inchikey"] == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"
    assert found["mol_weight"] == pytest.approx(180.16, abs=0.01)
    assert (found["tpsa"], found["rings"], found["rotatable_bonds"]) == (63.6, 1, 2)
    assert found["qed"] == pytest.approx(0.550, abs=0.001)
    assert found["logp"] == pytest.approx(1.31, abs=0.01)


def test_drawn_hydrogens_change_nothing() -> None:
    for smiles in ("CCO", "C[C@H](O)C(=O)O", "CCCCC", "c1cc[nH]c1"):
        assert descriptors(mol_from_molecule(embed(smiles)[0])) == descriptors(from_smiles(smiles))


def test_the_key_is_that_of_the_smiles_beside_it() -> None:
    """An imine's hydrogen lies on one side in a geometry; neither the string nor the key says on which."""
    mol = mol_from_molecule(embed("CC(=N)[C@@H](C)O")[0])
    assert descriptors(mol)["inchikey"] == Chem.MolToInchiKey(Chem.MolFromSmiles(smiles_of(mol)))


def test_patterns_match_what_they_say_or_are_refused() -> None:
    assert from_smiles("CCO").HasSubstructMatch(pattern_of("[OX2H]"))
    assert not Chem.MolFromSmiles("COC").HasSubstructMatch(pattern_of("[OX2H]"))
    for bad in ("[", "", "lemon"):
        with pytest.raises(InputError, match="SMARTS"):
            pattern_of(bad)
