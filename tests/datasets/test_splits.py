"""Rings and neighbourhoods are told apart; splits keep together what belongs together, and hold out what they say."""

import json

import numpy as np
import pytest
from rdkit import Chem

from molscore.datasets.clusters import neighbourhoods, with_likeness
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.splits import Splitting, hold_out, scaffold, split_by, splits_of
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.chem import from_smiles, ring_systems

PAIRS = ["CCO", "OCC", "C[C@H](F)Cl", "C[C@@H](F)Cl", "Cc1ccccc1", "Oc1ccccc1", "C1CC1C", "OC1CC1"]
SMILES = PAIRS + ["C" * n for n in range(3, 30)]


def sides(splits, *rows) -> set[str]:
    return set(splits[list(rows)])


def test_spellings_mirror_images_and_scaffolds_are_on_one_side() -> None:
    assert scaffold("Cc1ccccc1") == scaffold("OCCc1ccccc1") == "c1ccccc1" and scaffold("CCO") == ""
    apart = set()
    for seed in range(20):
        splits = splits_of(SMILES, seed=seed)
        assert len(sides(splits, 0, 1)) == len(sides(splits, 2, 3)) == 1
        apart.add(len(sides(splits, 4, 5)))
        splits = splits_of(SMILES, "scaffold", seed)
        assert len(sides(splits, 4, 5)) == len(sides(splits, 6, 7)) == 1
        assert sides(splits, 0, 8, 20) == {"train"}  # without rings: too many for a share
    assert apart == {1, 2}


def test_shares_are_filled_and_seeded() -> None:
    keys = [str(i // 2) for i in range(2000)]
    splits = split_by(keys, seed=3)
    assert {name: int((splits == name).sum()) for name in ("train", "valid", "test")} == {
        "train": 1600, "valid": 200, "test": 200,
    }  # fmt: skip
    assert np.array_equal(splits, split_by(keys, seed=3)) and not np.array_equal(splits, split_by(keys, seed=4))
    assert sorted(split_by(list("abc"))) == ["test", "train", "valid"] and set(split_by(list("aab"))) == {"train"}


def test_a_few_rare_groups_are_shared_between_valid_and_test() -> None:
    """Of a library that is nearly all of one scaffold: before, all of the rest was for testing."""
    keys = ["common"] * 95 + list("abcde")
    for seed in range(5):
        splits = split_by(keys, seed)
        assert set(splits[:95]) == {"train"} and sorted(set(splits[95:])) == ["test", "valid"]
    splits = split_by(["common"] * 90 + ["a"] * 4 + ["b"])
    assert len(sides(splits, 90, 93)) == 1 and sides(splits, 90, 94) == {"test", "valid"}


RINGS = [f"C1{'C' * n}{atom}1" for n in range(1, 7) for atom in "CNO"]


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


def test_it_is_seeded_and_what_cannot_be_held_out_is_said() -> None:
    whole = library(RINGS)
    (one,), (same,), (other,) = (hold_out([whole], 0.6, seed) for seed in (0, 0, 1))
    assert one.columns["split"].tolist() == same.columns["split"].tolist() != other.columns["split"].tolist()
    assert np.array_equal(one.positions, whole.positions) and len(one) == len(whole)
    with pytest.raises(InputError, match="no column ring_systems, split"):
        hold_out([MoleculeSet.from_molecules([Molecule([1], [[0, 0, 0]])])])
    for refused in (lambda: hold_out([], 1.5), lambda: Splitting(held_out=1.5)):
        with pytest.raises(InputError, match="between 0 and 1"):
            refused()
    with pytest.raises(InputError, match="'time' is no split; there are molecule, scaffold"):
        Splitting("time")


@pytest.mark.parametrize(
    ("smiles", "rings"),
    [
        ("CCO", set()), ("Cc1ccccc1CC1CC1", {"c1ccccc1", "C1CC1"}), ("c1ccc2[nH]ccc2c1CC", {"c1ccc2nccc2c1"}),
        ("Cn1ccc2c(F)cccc21", {"c1ccc2nccc2c1"}), ("O=C1CCC12CC2", {"C1CC2(C1)CC2"}),
        ("C1CCC12CC2CC(=O)O", {"C1CC2(C1)CC2"}), ("C[C@H]1CC[C@@H]1F", {"C1CCC1"}),
    ],
)  # fmt: skip
def test_ring_systems(smiles, rings) -> None:
    assert ring_systems(from_smiles(smiles)) == rings


def test_like_molecules_have_one_neighbourhood() -> None:
    graphs = [from_smiles("C" * n + tail) for tail in ("c1ccccc1", "S(=O)(=O)N") for n in range(5, 105)]
    found = neighbourhoods(graphs)
    assert set(found[:100]).isdisjoint(found[100:]) and not set(found[::2]).isdisjoint(found[1::2])
    assert np.array_equal(found, neighbourhoods(graphs)) and not np.array_equal(found, neighbourhoods(graphs, seed=1))
