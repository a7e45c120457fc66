"""QM9: 130,831 small organic molecules in their B3LYP geometries, with the split of Hoogeboom et al. 2022.

References:
    Ruddigkeit et al. 2012, https://doi.org/10.1021/ci300415d (the list of molecules)
    Ramakrishnan et al. 2014, https://doi.org/10.1038/sdata.2014.22 (the geometries)
    Hoogeboom et al. 2022, https://arxiv.org/abs/2203.17003 (the split)
"""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from molscore.datasets.assembly import progress
from molscore.datasets.clusters import with_likeness
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.splits import hold_out
from molscore.errors import InputError
from molscore.molecules.chem import bonds_over
from molscore.molecules.elements import atomic_number

__all__ = ["DEFAULT_PATH", "N_MOLECULES", "SPLIT_SIZES", "build", "edm_split", "read_pack"]

DEFAULT_PATH = Path("data/qm9.parquet")
N_MOLECULES = 130_831
SPLIT_SIZES = {"train": 100_000, "valid": 17_748, "test": 13_083}

_PARTS = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
_INSTALL = 'pip install "molscore-discoformer[qm9]"'
_CITATION = "Ruddigkeit 2012, doi:10.1021/ci300415d; Ramakrishnan 2014, doi:10.1038/sdata.2014.22"


def edm_split() -> np.ndarray:
    """The split of each molecule in ascending GDB9 order, ``(130831,)``: train, valid or test.

    One ``np.random.seed(0)`` permutation, cut at 100,000 and 117,748 (``qm9/data/prepare/qm9.py`` of EDM).
    """
    order = np.random.RandomState(0).permutation(N_MOLECULES)
    labels = np.empty(N_MOLECULES, dtype="<U5")
    labels[order] = np.repeat(list(SPLIT_SIZES), list(SPLIT_SIZES.values()))
    return labels


def build(path: str | os.PathLike[str] = DEFAULT_PATH, held_out: float = 0.0, seed: int = 0) -> MoleculeSet:
    """Write QM9 from the installed ``qm9pack`` package to a Parquet file and return it.

    Columns: ``smiles`` (of GDB, no stereo), ``index`` (GDB9 number), ``split``, and those of `with_likeness`. Bonds are
    those of the SMILES, where they fit the geometry (all but 3 molecules). A share `held_out` of the training split
    becomes a split of its own, see `molscore.datasets.splits.hold_out`. Takes five minutes.
    Raises `InputError` when the package is missing or does not hold the 130,831 molecules.
    """
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"QM9 comes from the package qm9pack, which is not installed: {_INSTALL}")
    molecules = read_pack(Path(spec.submodule_search_locations[0]) / "data")
    if len(molecules) != N_MOLECULES:
        raise InputError(f"qm9pack holds {len(molecules):,} molecules, QM9 has {N_MOLECULES:,}: {_INSTALL}")
    molecules = with_likeness(_with_bonds(molecules).with_columns(split=edm_split()), seed)
    if held_out:
        (molecules,) = hold_out([molecules], held_out, seed)
    molecules.save(path)
    return molecules


def read_pack(folder: str | os.PathLike[str]) -> MoleculeSet:
    """Parse the CSV files of ``qm9pack`` in ``folder`` into molecules in ascending GDB9 order."""
    wanted = pa.csv.ConvertOptions(include_columns=["Index", "SMILES", "N_atoms", "Elements", "XYZ_Ang"])
    try:
        table = pa.concat_tables(pa.csv.read_csv(Path(folder) / part, convert_options=wanted) for part in _PARTS)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"cannot read qm9pack in {folder}: {error}; reinstall it: {_INSTALL}") from error
    table = table.sort_by("Index")
    symbols = np.array("".join(table["Elements"].to_pylist()).strip("[]").replace("][", ",").split(","))
    unique, inverse = np.unique(symbols, return_inverse=True)
    numbers = np.array([atomic_number(str(symbol).strip(" '")) for symbol in unique], dtype=np.uint8)[inverse]
    return MoleculeSet(
        numbers=numbers,
        positions=_coordinates(table["XYZ_Ang"].to_pylist()).astype(np.float32),
        sizes=table["N_atoms"].to_numpy(),
        columns={"smiles": table["SMILES"].to_numpy(), "index": table["Index"].to_numpy().astype(np.int32)},
        metadata={"name": "qm9", "source": "PyPI qm9pack", "units": "angstrom", "kind": "dft", "citation": _CITATION},
    )


def _with_bonds(molecules: MoleculeSet) -> MoleculeSet:
    """The same set with the bonds of its SMILES."""
    rows = progress(molecules, "bonds", len(molecules))
    bonds = [bonds_over(molecule.properties["smiles"], molecule) for molecule in rows]
    n_bonds = [0 if each is None else len(each) for each in bonds]
    return replace(molecules, bonds=np.concatenate([each for each in bonds if each is not None]), n_bonds=n_bonds)


def _coordinates(cells: list[str]) -> np.ndarray:
    """``(ΣN, 3)`` float64 from cells such as ``[[0.1,0.,1.e-05],[...]]``."""
    text = ",".join(cells).translate(str.maketrans("", "", "[]"))
    return np.array(text.split(","), dtype=np.float64).reshape(-1, 3)
