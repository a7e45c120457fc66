"""What is held out is in no training split."""

import json

import numpy as np
import pytest

from molscore.datasets.hold_out import hold_out, ring_systems
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.chem import atomic_numbers

RINGS = ("C1CC1", "C1CCC1", "C1CCCC1", "C1CCOC1", "c1ccccc1", "c1ccncc1", "C1CNC1", "C1CO1", "C1CC2CC12", "c1ccsc1")


def library(names, lengths=range(10)) -> MoleculeSet:
    """Eight conformers each of rings with chains, every tenth for testing, atoms anywhere."""
    smiles = [text for ring in names for n in lengths for text in ["C" * n + ring] * 8]
    numbers = [atomic_numbers(text) for text in smiles]
    molecules = [Molecule(z, np.random.default_rng(0).normal(size=(len(z), 3))) for z in numbers]
    splits = ["train" if i % 10 else "test" for i in range(len(smiles))]
    return MoleculeSet.from_molecules(molecules, {"smiles": smiles, "split": splits})


@pytest.mark.parametrize(
    ("smiles", "rings"),
    [
        ("CCO", set()),
        ("Cc1ccccc1CC1CC1", {"c1ccccc1", "C1CC1"}),
        ("c1ccc2[nH]ccc2c1CC", {"c1ccc2nccc2c1"}),
        ("Cn1ccc2c(F)cccc21", {"c1ccc2nccc2c1"}),
        ("O=C1CCC12CC2", {"C1CC2(C1)CC2"}),
        ("C1CCC12CC2CC(=O)O", {"C1CC2(C1)CC2"}),
        ("C[C@H]1CC[C@@H]1F", {"C1CCC1"}),
    ],
)
def test_ring_systems(smiles, rings) -> None:
    assert ring_systems(smiles) == rings


def test_rings_and_formulas_held_out_are_in_no_training_split_of_any_set() -> None:
    sets = [library(RINGS), library(RINGS[::-1], range(5, 20))]
    made = hold_out(sets, share=0.6, seed=1)
    names = json.loads(made[0].metadata["held_out"])
    assert names["ring systems"] and names["formulas"] and made[1].metadata == made[0].metadata
    for before, after in zip(sets, made, strict=True):
        split = after.columns["split"]
        touched = np.array([
            bool(ring_systems(m.properties["smiles"]) & set(names["ring systems"])) or m.formula in names["formulas"]
            for m in after
        ])  # fmt: skip
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
    with pytest.raises(InputError, match="no column smiles, split"):
        hold_out([MoleculeSet.from_molecules([Molecule([1], [[0, 0, 0]])])])
