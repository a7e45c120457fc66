"""Splits keep together what belongs together."""

import numpy as np
import pytest

from molscore.datasets.assembly import Splitting
from molscore.datasets.splits import scaffold, split_by, splits_of
from molscore.errors import InputError

PAIRS = ["CCO", "OCC", "C[C@H](F)Cl", "C[C@@H](F)Cl", "Cc1ccccc1", "Oc1ccccc1", "C1CC1C", "OC1CC1"]
SMILES = PAIRS + ["C" * n for n in range(3, 30)]


def sides(splits, *rows) -> set[str]:
    return set(splits[list(rows)])


def test_conformers_spellings_and_mirror_images_are_on_one_side() -> None:
    for seed in range(20):
        splits = splits_of(SMILES, seed=seed)
        assert len(sides(splits, 0, 1)) == len(sides(splits, 2, 3)) == 1
    assert {len(sides(splits_of(SMILES, seed=seed), 4, 5)) for seed in range(20)} == {1, 2}


def test_scaffolds_are_on_one_side() -> None:
    assert scaffold("Cc1ccccc1") == scaffold("OCCc1ccccc1") == "c1ccccc1" and scaffold("CCO") == ""
    for seed in range(20):
        splits = splits_of(SMILES, "scaffold", seed)
        assert len(sides(splits, 4, 5)) == len(sides(splits, 6, 7)) == 1
        assert sides(splits, 0, 8, 20) == {"train"}  # without rings: too many for a share


def test_shares_are_filled_and_seeded() -> None:
    keys = [str(i // 2) for i in range(2000)]
    splits = split_by(keys, seed=3)
    assert {name: int((splits == name).sum()) for name in ("train", "valid", "test")} == {
        "train": 1600, "valid": 200, "test": 200,
    }  # fmt: skip
    assert np.array_equal(splits, split_by(keys, seed=3)) and not np.array_equal(splits, split_by(keys, seed=4))
    assert sorted(split_by(list("abc"))) == ["test", "train", "valid"] and set(split_by(list("aab"))) == {"train"}


def test_another_split_is_refused() -> None:
    with pytest.raises(InputError, match="'time' is no split; there are molecule, scaffold"):
        Splitting("time")
    with pytest.raises(InputError, match="between 0 and 1"):
        Splitting(held_out=1.5)
