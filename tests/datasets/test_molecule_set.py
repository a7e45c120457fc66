"""A molecule set is a list of molecules, only faster."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from molscore.datasets.molecule_set import MoleculeSet, load
from molscore.errors import ElementError, InputError, OutputError, PositionError, SizeError
from molscore.molecules import Molecule, collate
from molscore.molecules.files import read

ELEMENTS = ("H", "C", "N", "O", "F")
NO_BONDS = ([0, 2, 1], [1, 1, 1], [0, 1, 0], [0, 1, 5], [-1, 1, 1])
ARRAYS = ("numbers", "positions", "sizes", "bonds", "n_bonds")


def same(a: MoleculeSet, b: MoleculeSet) -> bool:
    """Bit for bit, columns and metadata included."""
    arrays = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)
    types = {name: values.dtype for name, values in a.columns.items()} == {n: v.dtype for n, v in b.columns.items()}
    columns = types and all(a.columns[name].tolist() == b.columns[name].tolist() for name in a.columns)
    return arrays and columns and a.metadata == b.metadata


@pytest.fixture
def molecules(random_molecules) -> list[Molecule]:
    return random_molecules(60)


@pytest.fixture
def whole(molecules) -> MoleculeSet:
    split = np.where(np.arange(60) % 3, "train", "test")
    columns = {"split": split, "index": np.arange(60), "energy": np.linspace(0, 1, 60)}
    return MoleculeSet.from_molecules(molecules, columns, [chain(m.n_atoms, row) for row, m in enumerate(molecules)])


def chain(n_atoms: int, row: int) -> np.ndarray | None:
    """A bond between each atom and the next, of every order in turn; every fifth molecule's are not known."""
    first = np.arange(n_atoms - 1)
    return None if row % 5 == 4 else np.column_stack([first, first + 1, 1 + first % 4])


def test_batches_equal_collate(molecules, whole, rng) -> None:
    rounded = [Molecule(m.numbers, m.positions.astype(np.float32)) for m in molecules]
    for indices in (rng.permutation(60)[:17], [3], [5, 5, 5], np.arange(60)):
        ours, theirs = whole.batch(indices, ELEMENTS), collate([rounded[i] for i in indices], ELEMENTS)
        assert torch.equal(ours.mask, theirs.mask) and torch.equal(ours.elements, theirs.elements)
        assert torch.allclose(ours.positions, theirs.positions, atol=1e-6)
    shifted = whole.batch([0, 1], ELEMENTS).positions - whole.batch([1, 0], ELEMENTS).positions
    assert shifted.abs().max() > 0.1  # the comparison above can fail
    narrow, wide = whole.batch([1, 2], ELEMENTS), whole.batch([1, 2], ELEMENTS, pad_to=40)
    width = narrow.mask.shape[1]
    assert wide.positions.shape == (2, 40, 3) and not wide.mask[:, width:].any()
    assert torch.equal(wide.positions[:, :width], narrow.positions)
    row = next(i for i, molecule in enumerate(whole) if 9 in molecule.numbers)
    with pytest.raises(ElementError, match=rf"'m{row}'.*element F"):
        whole.batch([row], ("H", "C", "N", "O"))
    with pytest.raises(InputError, match="no molecules"):
        whole.batch([], ELEMENTS)


def test_bonds_come_beside_the_batch(molecules, whole, rng) -> None:
    rows = rng.permutation(60)[:20]
    orders = whole.bond_orders(rows, pad_to=14)
    assert orders.dtype == torch.int8 and orders.shape == (20, 14, 14)
    for found, row in zip(orders, rows, strict=True):
        n, wanted = molecules[row].n_atoms, np.full((14, 14), -1)
        if (bonds := chain(n, row)) is not None and len(bonds):
            wanted[:n, :n] = np.where(np.eye(n), -1, 0)
            first, second, order = bonds.T
            wanted[first, second] = wanted[second, first] = order
        assert np.array_equal(found, wanted)
    without = MoleculeSet(whole.numbers, whole.positions, whole.sizes)
    assert (without.bond_orders(rows) == -1).all() and (orders > -1).any()


def test_it_is_a_sequence_that_is_cut_and_joined(molecules, whole, rng) -> None:
    assert len(whole) == len(molecules)
    for molecule, ours in zip(molecules, whole, strict=True):
        assert np.array_equal(ours.numbers, molecule.numbers) and ours.name == molecule.name
        assert np.allclose(ours.positions, molecule.positions, atol=1e-6)
    assert whole[-1].name == "m59" and whole[7].properties["index"] == 7
    with pytest.raises(IndexError):
        whole[60]
    assert same(MoleculeSet.concatenate([whole.select(range(17)), whole.select(range(17, 60))]), whole)
    assert not same(MoleculeSet.concatenate([whole.select(range(17, 60)), whole.select(range(17))]), whole)
    order = rng.permutation(60)[:23]
    for indices in (order, np.array([], dtype=int), [-1, 0], whole.columns["split"] == "test"):
        chosen = whole.select(indices)
        wanted = np.flatnonzero(indices) if np.asarray(indices).dtype == bool else np.asarray(indices, dtype=int)
        assert [m.name for m in chosen] == [whole[int(i)].name for i in wanted]
        assert all(np.array_equal(chosen[k].positions, whole[int(i)].positions) for k, i in enumerate(wanted))
        assert torch.equal(chosen.bond_orders(range(len(wanted)), 12), whole.bond_orders(wanted, 12))


def test_parquet_keeps_every_bit(whole, tmp_path) -> None:
    saved = replace(whole, metadata={"source": "here"})
    saved.save(tmp_path / "new" / "set.parquet")
    loaded = MoleculeSet.load(tmp_path / "new" / "set.parquet")
    assert same(saved, loaded)
    assert not same(whole, loaded)  # metadata differs
    assert not same(saved, saved.select(np.arange(60)[::-1]))
    bare = MoleculeSet(whole.numbers, whole.positions, whole.sizes)
    bare.save(tmp_path / "bare.parquet")
    assert MoleculeSet.load(tmp_path / "bare.parquet").bonds is None
    empty = MoleculeSet.from_molecules([])
    empty.save(tmp_path / "empty.parquet")
    assert len(MoleculeSet.load(tmp_path / "empty.parquet")) == len(empty) == 0


def test_a_failed_write_leaves_the_old_file(whole, tmp_path, monkeypatch) -> None:
    path = tmp_path / "set.parquet"
    whole.save(path)
    before = path.read_bytes()

    def fail(table: pa.Table, where: str, **options: object) -> None:
        Path(where).write_bytes(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OutputError, match="disk full"):
        whole.select([0]).save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["set.parquet"]


def test_unusable_files_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        MoleculeSet.load(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(InputError, match="cannot read"):
        MoleculeSet.load(tmp_path / "text.parquet")
    pq.write_table(pa.table({"numbers": [[1]]}), tmp_path / "part.parquet")
    with pytest.raises(InputError, match="no column positions"):
        MoleculeSet.load(tmp_path / "part.parquet")
    for numbers, positions, complaint in (
        ([1], [2.0], "must be lists"),
        ([[1], None], [[0.0] * 3, None], "row 2 has no geometry"),
        ([[1], [1, 1]], [[0.0] * 6, [0.0] * 3], "row 1: 1 atoms have 6 coordinates"),
    ):
        pq.write_table(pa.table({"numbers": numbers, "positions": positions}), tmp_path / "bad.parquet")
        with pytest.raises(InputError, match=complaint):
            MoleculeSet.load(tmp_path / "bad.parquet")


def test_a_library_of_molecules_is_such_a_file_and_the_other_way_round(whole, tmp_path) -> None:
    nested = {"numbers": [m.numbers.tolist() for m in whole], "positions": [m.positions.tolist() for m in whole]}
    pq.write_table(pa.table(nested), tmp_path / "nested.parquet")
    assert np.array_equal(MoleculeSet.load(tmp_path / "nested.parquet").positions, whole.positions)
    whole.save(tmp_path / "set.parquet")
    records = list(read(str(tmp_path / "set.parquet")))
    assert [record.status for record in records] == ["ok"] * 60
    for record, molecule in zip(records, whole, strict=True):
        assert np.array_equal(record.molecule.positions, molecule.positions)
        assert record.molecule.name == molecule.name and record.columns["index"] == molecule.properties["index"]


@pytest.mark.parametrize(
    ("numbers", "positions", "sizes", "columns", "error"),
    [
        ([1, 1], np.zeros((2, 3)), [3], {}, PositionError),
        ([1, 1], np.zeros((3, 3)), [2], {}, PositionError),
        ([1, 1], np.array([[0, 0, 0], [0, 0, np.nan]]), [2], {}, PositionError),
        ([1, 300], np.zeros((2, 3)), [2], {}, ElementError),
        ([1, 0], np.zeros((2, 3)), [2], {}, ElementError),
        ([1, 1], np.zeros((2, 3)), [2, 0], {}, SizeError),
        ([1, 1], np.zeros((2, 3)), [2], {"split": ["a", "b"]}, InputError),
    ],
)
def test_contradictions_are_refused(numbers, positions, sizes, columns, error) -> None:
    with pytest.raises(error):
        MoleculeSet(np.array(numbers), positions, np.array(sizes), columns)


@pytest.mark.parametrize(("bond", "n_bonds"), [*(([i, j, o], 1) for i, j, o in NO_BONDS), ([0, 1, 1], 2)])
def test_what_is_no_bond_is_refused(bond, n_bonds) -> None:
    hydroxyl = ([8, 1], np.eye(3)[:2], [2])
    assert len(MoleculeSet(*hydroxyl, bonds=[[0, 1, 1]], n_bonds=[1]).bonds) == 1
    with pytest.raises(InputError, match=r"molecules\[0\]: .* is no bond|n_bonds"):
        MoleculeSet(*hydroxyl, bonds=[bond], n_bonds=[n_bonds])


def test_splits_are_chosen_by_name(random_molecules, tmp_path) -> None:
    path, split = tmp_path / "set.parquet", ["train", "test", "train", "valid", "train"]
    MoleculeSet.from_molecules(random_molecules(5), {"split": split}).save(path)
    assert [len(load(path, split)) for split in (None, "train", "valid", "test")] == [5, 3, 1, 1]
    assert [molecule.name for molecule in load(path, "train")] == ["m0", "m2", "m4"]
    with pytest.raises(InputError, match="no molecules of split 'rest'; there are test 1, train 3, valid 1"):
        load(path, "rest")
    with pytest.raises(InputError, match="is not there; make it with: molscore data qm9"):
        load(tmp_path / "none.parquet")
    MoleculeSet.from_molecules(random_molecules(2)).save(path)
    with pytest.raises(InputError, match="no column split; .* molscore data"):
        load(path, "train")
