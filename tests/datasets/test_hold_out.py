"""What is held out is in no training split."""

import json

import numpy as np
import pytest
from rdkit import Chem

from molscore.datasets.hold_out import hold_out
from molscore.datasets.likeness import with_likeness
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.chem import from_smiles

RINGS = [f"C1{'C' * n}{atom}1" for n in range(1, 9) for atom in "CNO"]


def library(names, lengths=range(5)) -> MoleculeSet:
    """Eight conformers each of rings with chains, every tenth for testing, atoms anywhere."""
    smiles = [text for ring in names for n in lengths for text in ["C" * n + ring] * 8]
    graphs = [Chem.AddHs(from_smiles(text)) for text in smiles]
    numbers = [[atom.GetAtomicNum() for atom in graph.GetAtoms()] for graph in graphs]
    molecules = [Molecule(z, np.random.default_rng(0).normal(size=(len(z), 3))) for z in numbers]
    splits = ["train" if i % 10 else "test" for i in range(len(smiles))]
    return with_likeness(MoleculeSet.from_molecules(molecules, {"smiles": smiles, "split": splits}))


def test_rings_and_formulas_held_out_are_in_no_training_split_of_any_set() -> None:
    sets = [library(RINGS), library(RINGS[::-1], range(3, 8))]
    made = hold_out(sets, share=0.6, seed=1)
    names = json.loads(made[0].metadata["held_out"])
    assert names["ring systems"] and names["formulas"] and made[1].metadata == made[0].metadata
    for before, after in zip(sets, made, strict=True):
        split = after.columns["split"]
        rings = [set(text.split()) & set(names["ring systems"]) for text in after.columns["ring_systems"]]
        touched = np.array([bool(r) or m.formula in names["formulas"] for r, m in zip(rings, after, strict=True)])
        assert not touched[split == "train"].any() and touched[split == "held_out"].all()
        assert touched[split == "test"].any()  # other splits stay
        assert (split[before.columns["split"] == "test"] == "test").all()
        share = (split == "held_out").sum() / (before.columns["split"] == "train").sum()
        assert 0.4 < share <= 0.6


def test_it_is_seeded_and_the_molecules_stay() -> None:
    whole = library(RINGS)
    (one,), (same,), (other,) = (hold_out([whole], 0.6, seed) for seed in (0, 0, 1))
    assert one.columns["split"].tolist() == same.columns["split"].tolist() != other.columns["split"].tolist()
    assert np.array_equal(one.positions, whole.positions) and len(one) == len(whole)


def test_what_cannot_be_held_out_is_said() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        hold_out([library(RINGS)], 1.5)
    with pytest.raises(InputError, match="no column ring_systems, split"):
        hold_out([MoleculeSet.from_molecules([Molecule([1], [[0, 0, 0]])])])
