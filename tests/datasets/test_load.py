"""A split of a data set, or one line that says why there is none."""

import pytest

from molscore.datasets.load import load
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError


def test_splits_are_chosen_by_name(random_molecules, tmp_path) -> None:
    path = tmp_path / "set.parquet"
    MoleculeSet.from_molecules(random_molecules(5), {"split": ["train", "test", "train", "valid", "train"]}).save(path)
    assert [len(load(path, split)) for split in (None, "train", "valid", "test")] == [5, 3, 1, 1]
    assert [molecule.name for molecule in load(path, "train")] == ["m0", "m2", "m4"]
    with pytest.raises(InputError, match="no molecules of split 'rest'; there are test 1, train 3, valid 1"):
        load(path, "rest")


def test_what_is_no_data_set_says_how_to_make_one(random_molecules, tmp_path) -> None:
    with pytest.raises(InputError, match="is not there; make it with: molscore data qm9"):
        load(tmp_path / "none.parquet")
    MoleculeSet.from_molecules(random_molecules(2)).save(tmp_path / "bare.parquet")
    with pytest.raises(InputError, match="no column split; .* molscore data"):
        load(tmp_path / "bare.parquet", "train")
