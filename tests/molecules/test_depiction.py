"""Layouts in which atoms do not lie on each other, with hydrogens as people draw them."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor

from molscore.molecules.depiction import collisions, depict

CAGES = ("C12C3C4C1C5C2C3C45", "C1CC2CCC1CC2", "C1C2CC3CC1CC(C2)C3", "CC1C2OC1C1CN12", "C1=CC2CCC1O2")


@pytest.mark.parametrize("smiles", [*CAGES, "CC(=O)Nc1ccc(O)cc1", "C", "[H][H]", "CC"])
def test_no_atom_lies_on_another(smiles) -> None:
    assert collisions(depict(Chem.MolFromSmiles(smiles)))[0] == 0


def test_collisions_are_seen() -> None:
    plain = Chem.MolFromSmiles(CAGES[0])
    rdDepictor.Compute2DCoords(plain)  # without templates RDKit draws cubane as three squares, atoms on atoms
    assert collisions(plain)[0] > 0
    cross = Chem.MolFromSmiles("CC.CC")
    rdDepictor.Compute2DCoords(cross)
    for atom, place in enumerate([(-1, 0.1), (1, 0), (0, -1), (0.1, 1)]):
        cross.GetConformer().SetAtomPosition(atom, (*place, 0))
    assert collisions(cross) == (0, 1)


def test_hydrogens_are_drawn_as_people_do() -> None:
    for smiles, drawn in (("CO", "CO"), ("[H][H]", "HH"), ("[H]/N=C/C", "NCC"), ("[2H]C", "HC"), ("[NH4+]", "N")):
        flat = depict(Chem.AddHs(Chem.MolFromSmiles(smiles)))
        assert sorted(a.GetSymbol() for a in flat.GetAtoms()) == sorted(drawn)


def test_wedges_are_drawn_where_configuration_is_free() -> None:
    def wedges(smiles: str) -> int:
        return sum(bond.GetBondDir() != Chem.BondDir.NONE for bond in depict(Chem.MolFromSmiles(smiles)).GetBonds())

    assert wedges("C[C@H](O)F") == 1
    assert wedges("C[C@]12CC[C@H](C1)OC2") == 0  # bridgeheads of a cage


def test_the_molecule_is_the_same(rng) -> None:
    for smiles in (*CAGES, "C[C@H](O)/C=C/F", "c1cc[nH]c1"):
        mol = Chem.MolFromSmiles(smiles)
        flat = depict(mol)
        assert [a.GetSymbol() for a in flat.GetAtoms()] == [a.GetSymbol() for a in mol.GetAtoms()]
        assert np.ptp(flat.GetConformer().GetPositions()[:, 2]) == 0
        Chem.SanitizeMol(flat)
        assert Chem.MolToSmiles(flat, isomericSmiles=False) == Chem.MolToSmiles(mol, isomericSmiles=False)
