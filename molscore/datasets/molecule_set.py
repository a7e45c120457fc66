"""Many molecules as flat arrays: quick to batch, one Parquet file on disk, which `molscore data` makes."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from molscore.errors import ElementError, InputError, PositionError, SizeError
from molscore.molecules.atomic import make_folder, replacing
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.molecule import Molecule, checked_molecules, label_among

if TYPE_CHECKING:
    from torch import Tensor

    from molscore.molecules.batch import Batch

__all__ = ["MoleculeSet", "load"]

METADATA_KEY = b"molscore"
_LISTS = ("numbers", "positions", "bonds")
_LARGEST_ORDER = 4  # aromatic


@dataclass(frozen=True, eq=False)
class MoleculeSet:
    """M molecules with ΣN atoms in all; behaves as a sequence of `Molecule`.

    Raises `SizeError` or `PositionError` where the arrays contradict each other.
    """

    numbers: np.ndarray  # (ΣN,) uint8 atomic numbers
    positions: np.ndarray  # (ΣN, 3) float32, Å
    sizes: np.ndarray  # (M,) int32 atoms per molecule
    columns: dict[str, np.ndarray] = field(default_factory=dict)  # one value per molecule and column, each (M,)
    metadata: dict[str, str] = field(default_factory=dict)  # what it is and where it comes from; travels with the file
    # (ΣE, 3) uint16, None where the set has none: first and second atom, counted from 0 in their molecule, and the
    # order: 1, 2, 3, or 4 for aromatic. Each bond once, hydrogens included.
    bonds: np.ndarray | None = None
    n_bonds: np.ndarray | None = None  # (M,) int32 bonds per molecule; 0 where they are not known

    def __post_init__(self) -> None:
        if not ((np.asarray(self.numbers) > 0) & (np.asarray(self.numbers) < len(SYMBOLS))).all():
            raise ElementError(f"atomic numbers must lie between 1 and {len(SYMBOLS) - 1}")
        fields = {
            "numbers": np.ascontiguousarray(self.numbers, dtype=np.uint8),
            "positions": np.ascontiguousarray(self.positions, dtype=np.float32),
            "sizes": np.ascontiguousarray(self.sizes, dtype=np.int32),
            "columns": {name: _column(values) for name, values in self.columns.items()},
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        if self.sizes.ndim != 1 or (self.sizes < 1).any():
            raise SizeError("sizes must be a list of positive atom counts")
        n_atoms = int(self.sizes.sum())
        if self.numbers.shape != (n_atoms,) or self.positions.shape != (n_atoms, 3):
            raise PositionError(
                f"sizes add up to {n_atoms} atoms, numbers have shape {self.numbers.shape} "
                f"and positions {self.positions.shape}"
            )
        if not np.isfinite(self.positions).all():
            atom = int(np.isfinite(self.positions).all(axis=1).argmin())
            raise PositionError(f"{self.label(self.atom_rows[atom])}: a position is not finite")
        for name, values in self.columns.items():
            if len(values) != len(self.sizes):
                raise InputError(f"column {name!r} has {len(values)} values for {len(self.sizes)} molecules")
        self._check_bonds()

    def _check_bonds(self) -> None:
        """Make the arrays of bonds what they should be; raises `InputError` where they contradict the atoms."""
        n_bonds = np.zeros_like(self.sizes) if self.n_bonds is None else np.asarray(self.n_bonds, dtype=np.int32)
        object.__setattr__(self, "n_bonds", n_bonds)
        if self.bonds is None:
            return
        bonds = np.asarray(self.bonds).reshape(-1, 3)
        if n_bonds.shape != self.sizes.shape or n_bonds.sum() != len(bonds):
            raise InputError(f"{len(bonds)} bonds do not share out among {len(self.sizes)} molecules as n_bonds says")
        first, second, order = bonds.T
        wrong = (first < 0) | (second < 0) | (first == second) | (order < 1) | (order > _LARGEST_ORDER)
        wrong |= np.maximum(first, second) >= np.repeat(self.sizes, n_bonds)
        if wrong.any():
            bond = int(wrong.argmax())
            row = int(np.searchsorted(np.cumsum(n_bonds), bond, side="right"))
            raise InputError(f"{self.label(row)}: {bonds[bond].tolist()} is no bond (two of its atoms and an order)")
        object.__setattr__(self, "bonds", np.ascontiguousarray(bonds, dtype=np.uint16))

    @cached_property
    def bond_offsets(self) -> np.ndarray:
        """``(M + 1,)`` int64: molecule i owns bonds ``bond_offsets[i]:bond_offsets[i + 1]``; all 0 without bonds."""
        return np.concatenate([[0], np.cumsum(self.n_bonds, dtype=np.int64)])

    @cached_property
    def offsets(self) -> np.ndarray:
        """``(M + 1,)`` int64: molecule i owns atoms ``offsets[i]:offsets[i + 1]``."""
        return np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])

    @cached_property
    def atom_rows(self) -> np.ndarray:
        """``(ΣN,)`` int64: the molecule of each atom."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Molecule:
        row = range(len(self))[index]
        atoms = slice(self.offsets[row], self.offsets[row + 1])
        return Molecule(
            numbers=self.numbers[atoms].astype(np.int64),
            positions=self.positions[atoms].astype(np.float64),
            name=str(self.columns["name"][row]) if "name" in self.columns else "",
            properties={name: values[row] for name, values in self.columns.items() if name != "name"},
        )

    def __repr__(self) -> str:
        names = f"; {', '.join(self.columns)}" if self.columns else ""
        return f"MoleculeSet({len(self):,} molecules, {len(self.numbers):,} atoms{names})"

    def __iter__(self) -> Iterator[Molecule]:
        return (self[row] for row in range(len(self)))

    @classmethod
    def from_molecules(
        cls,
        molecules: Iterable[Molecule],
        columns: dict[str, Sequence[object]] | None = None,
        bonds: Sequence[np.ndarray | None] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Self:
        """Flatten molecules: positions rounded to float32, names in the column ``name``, properties left behind.

        `bonds` of each molecule are ``(E, 3)`` as in `MoleculeSet.bonds`, or None where they are not known.
        """
        molecules = checked_molecules(molecules)
        if not molecules:
            return cls(np.zeros(0), np.zeros((0, 3)), np.zeros(0), dict(columns or {}), metadata or {})
        names = [molecule.name for molecule in molecules]
        held = None if bonds is None else [np.zeros((0, 3), np.uint16) if each is None else each for each in bonds]
        return cls(
            numbers=np.concatenate([molecule.numbers for molecule in molecules]),
            positions=np.concatenate([molecule.positions for molecule in molecules]),
            sizes=np.array([molecule.n_atoms for molecule in molecules]),
            columns={**({"name": names} if any(names) else {}), **(columns or {})},
            metadata=metadata or {},
            bonds=None if held is None else np.concatenate(held),
            n_bonds=None if held is None else np.array([len(each) for each in held]),
        )

    def label(self, row: int) -> str:
        """How a message names the molecule at `row`."""
        return label_among(str(self.columns["name"][row]) if "name" in self.columns else "", row)

    def select(self, indices: np.ndarray | Sequence[int]) -> Self:
        """The molecules at `indices` (positions or a boolean mask), in that order."""
        rows = self._rows(indices)
        sizes = self.sizes[rows]
        atoms = _within(self.offsets[rows], sizes)
        columns = {name: values[rows] for name, values in self.columns.items()}
        chosen = (self.numbers[atoms], self.positions[atoms], sizes, columns, dict(self.metadata))
        n_bonds = self.n_bonds[rows]
        bonds = None if self.bonds is None else self.bonds[_within(self.bond_offsets[rows], n_bonds)]
        return type(self)(*chosen, bonds, n_bonds)

    def split(self, name: str) -> Self:
        """The molecules of a split, such as train; all of them in a set without splits."""
        return self.select(self.columns["split"] == name) if "split" in self.columns else self

    @classmethod
    def concatenate(cls, sets: Sequence[Self]) -> Self:
        """The molecules of sets with the same columns, one set after another, with the metadata of the first."""
        bonded = [each.bonds for each in sets if each.bonds is not None]
        return cls(
            *(np.concatenate([getattr(each, name) for each in sets]) for name in ("numbers", "positions", "sizes")),
            {name: np.concatenate([each.columns[name] for each in sets]) for name in sets[0].columns},
            dict(sets[0].metadata),
            np.concatenate(bonded) if bonded else None,
            np.concatenate([each.n_bonds for each in sets]),
        )

    def with_columns(self, **columns: Sequence[object]) -> Self:
        """The same molecules with these columns added, or in place of those of the same name."""
        return replace(self, columns={**self.columns, **columns})

    def batch(self, indices: np.ndarray | Sequence[int], elements: Sequence[str], pad_to: int = 0) -> "Batch":
        """Centred, padded tensors as `molscore.molecules.collate` makes them, without a loop.

        Raises `ElementError` naming the molecule and the element that `elements` lacks, `InputError` for no indices.
        """
        from molscore.molecules.batch import padded  # who only reads or writes molecules waits for no network

        rows = self._rows(indices)
        if not len(rows):
            raise InputError("there are no molecules to put in a batch")
        sizes = self.sizes[rows]
        atoms = _within(self.offsets[rows], sizes)
        label = lambda i: self.label(rows[i])  # noqa: E731
        return padded(self.numbers[atoms], self.positions[atoms], sizes, elements, label, pad_to)

    def bond_orders(self, indices: np.ndarray | Sequence[int], pad_to: int = 0) -> "Tensor":
        """``(B, N, N)`` int8 beside `batch`, atom for atom: the order of every pair's bond as in `bonds`, else 0.

        -1 where there is nothing to say: padding, an atom with itself, and molecules whose bonds are not known.
        """
        import torch

        rows = self._rows(indices)
        sizes, n_bonds = self.sizes[rows], self.n_bonds[rows]
        slots = np.arange(max(pad_to, int(sizes.max(initial=0))))
        known = slots < np.where(n_bonds > 0, sizes, 0)[:, None]
        orders = (known[:, :, None] & known[:, None, :] & (slots[:, None] != slots)).astype(np.int8) - np.int8(1)
        if self.bonds is not None:
            first, second, order = self.bonds[_within(self.bond_offsets[rows], n_bonds)].T
            molecule = np.repeat(np.arange(len(rows)), n_bonds)
            orders[molecule, first, second] = orders[molecule, second, first] = order
        return torch.from_numpy(orders)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one Parquet file atomically, its folder too if need be; raises `OutputError` where that cannot be done.

        The layout is that of `molscore.molecules.files`: lists ``numbers`` (N,) and ``positions`` (3N,) Å, where there
        are bonds ``bonds`` (3E,), null for a molecule whose bonds are not known, and columns.
        """
        lists = pa.LargeListArray.from_arrays
        arrays = {
            "numbers": lists(self.offsets, self.numbers),
            "positions": lists(3 * self.offsets, self.positions.reshape(-1)),
        }
        if self.bonds is not None:
            unknown = pa.array(self.n_bonds == 0)
            arrays["bonds"] = lists(pa.array(3 * self.bond_offsets), pa.array(self.bonds.reshape(-1)), mask=unknown)
        arrays |= {name: pa.array(values) for name, values in self.columns.items()}
        table = pa.table(arrays).replace_schema_metadata({METADATA_KEY: json.dumps(self.metadata)})
        make_folder(Path(path).parent)
        with replacing(path) as scratch:
            pq.write_table(table, scratch, compression="zstd")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a Parquet file with a geometry in every row; raises `InputError` if it is no such file."""
        try:
            table = pq.ParquetFile(path).read()
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"cannot read {path}: {error}") from error
        numbers, positions, sizes = _geometry(table, path)
        columns = {name: table.column(name).to_numpy() for name in table.column_names if name not in _LISTS}
        metadata = json.loads((table.schema.metadata or {}).get(METADATA_KEY, b"{}"))
        try:
            return cls(numbers, positions, sizes, columns, metadata, *_bonds(table, path))
        except (ElementError, SizeError, PositionError) as error:
            raise InputError(f"{path}: {error}") from None

    def _rows(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        """Positions ``(B,)`` int64 from positions or a boolean mask."""
        return np.arange(len(self))[np.asarray(indices) if len(indices) else np.zeros(0, dtype=np.int64)]


def _within(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Indices ``(Σ lengths,)`` of runs that begin at `starts` in a flat array, one run after another."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


def _column(values: np.ndarray | Sequence[object]) -> np.ndarray:
    """Strings become Python objects, so that they are the same before and after Parquet."""
    values = np.asarray(values)
    return values.astype(object) if values.dtype.kind == "U" else values


def _geometry(table: pa.Table, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat numbers ``(ΣN,)``, positions ``(ΣN, 3)`` and sizes ``(M,)`` of a table; raises `InputError`."""
    if missing := {"numbers", "positions"} - set(table.column_names):
        raise InputError(f"{path} has no column {', '.join(sorted(missing))}: not a molecule set")
    for name in ("numbers", "positions"):
        if table.column(name).null_count:
            raise InputError(f"{path}: row {table.column(name).is_null().index(True).as_py() + 1} has no geometry")
    (numbers, sizes), (flat, lengths) = (_lists(table, name, path) for name in ("numbers", "positions"))
    if (lengths != 3 * sizes).any() or len(flat) != lengths.sum():
        row = int((lengths != 3 * sizes).argmax())
        wrong = f"{sizes[row]} atoms have {lengths[row]} coordinates, not {3 * sizes[row]}"
        raise InputError(f"{path}: row {row + 1}: {wrong}")
    return numbers, flat.reshape(-1, 3), sizes


def _bonds(table: pa.Table, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Flat bonds ``(ΣE, 3)`` and ``(M,)`` how many each molecule has, if the table has any; raises `InputError`."""
    if "bonds" not in table.column_names:
        return None, None
    flat, lengths = _lists(table, "bonds", path)
    if (lengths % 3).any():
        row = int((lengths % 3 > 0).argmax())
        wrong = f"bonds are threes of two atoms and an order, not {lengths[row]} numbers"
        raise InputError(f"{path}: row {row + 1}: {wrong}")
    return flat.reshape(-1, 3), lengths // 3


def _lists(table: pa.Table, name: str, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a column of lists (or of lists of threes), flat, and how many each row has; null is none."""
    column = table.column(name).combine_chunks()
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise InputError(f"{path}: {name} must be lists, not {column.type}")
    lengths, flat = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), column.flatten()
    if pa.types.is_nested(flat.type):
        flat, lengths = flat.flatten(), 3 * lengths
    return flat.to_numpy(zero_copy_only=False), lengths


def load(path: str | os.PathLike[str], split: str | None = None) -> MoleculeSet:
    """Read a data set that `molscore data` made; only one ``split`` (train, valid, test, …) if that is given.

    Raises `InputError` for a file that is not there or is no data set, and for a split that it does not have.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is not there; make it with: molscore data qm9 | ligands | FILE -o {path}")
    molecules = MoleculeSet.load(path)
    if split is None:
        return molecules
    if "split" not in molecules.columns:
        raise InputError(f"{path} has no column split; make a data set with splits of it: molscore data {path} -o NEW")
    chosen = molecules.split(split)
    if not len(chosen):
        names, counts = np.unique(molecules.columns["split"].astype(str), return_counts=True)
        found = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True)) or "none"
        raise InputError(f"{path} has no molecules of split {split!r}; there are {found}")
    return chosen
