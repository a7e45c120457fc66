"""Geometries that a force field made are told from others."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from molscore.molecules import Molecule
from molscore.molecules.chem import molecule_from_mol
from molscore.molecules.conformers import embed
from molscore.molecules.force_field import at_minimum

MOLECULES = ("CC(=O)NC1CC1", "c1ccncc1OC", "CC(C)CC#N", "OCC(F)F", "O=S(=O)(N)c1ccc(Cl)cc1")


@pytest.mark.parametrize("smiles", MOLECULES)
def test_minima_are_told_also_when_rounded_or_of_a_variant(smiles, rng) -> None:
    made = embed(smiles)[0]
    assert at_minimum(Molecule(made.numbers, made.positions.round(3)))
    usual = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(usual, randomSeed=1)
    assert not at_minimum(molecule_from_mol(usual))  # a control: not yet relaxed
    AllChem.MMFFOptimizeMolecule(usual)
    assert at_minimum(molecule_from_mol(usual))
    moved = made.positions + 0.02 * rng.standard_normal(made.positions.shape)
    assert not at_minimum(Molecule(made.numbers, moved))
    assert not at_minimum(Molecule(made.numbers, np.zeros_like(moved) + rng.standard_normal(moved.shape)))
