"""Ligands of the Protein Data Bank: its Chemical Component Dictionary, in ideal coordinates, out of `biotite`.

The coordinates are of mixed origin, force fields mostly, no quantum chemistry. The dictionary is in the public domain.

Reference: Westbrook et al. 2015, Bioinformatics 31, 1274, https://doi.org/10.1093/bioinformatics/btu789
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from molscore.datasets.assembly import Entry, LeftOut, assemble, progress, set_of
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.splits import Splitting
from molscore.datasets.suitable import check_distances, check_graph, check_size
from molscore.errors import ChargeError, InputError, MolscoreError, ParseError
from molscore.molecules.bonds import Bonds
from molscore.molecules.chem import bond_array, mol_from_bonds, smiles_of
from molscore.molecules.elements import atomic_number
from molscore.molecules.molecule import Molecule

__all__ = ["Component", "build", "components", "entry_of"]

_IDEAL = [f"pdbx_model_Cartn_{axis}_ideal" for axis in "xyz"]
_ORDERS = {"SING": 1, "DOUB": 2, "TRIP": 3}
_INSTALL = 'pip install "molscore-discoformer[ligands]"'
_METADATA = {
    "name": "ligands",
    "source": "Chemical Component Dictionary, ideal coordinates, PyPI biotite",
    "units": "angstrom",
    "kind": "ideal",
    "citation": "Westbrook 2015, doi:10.1093/bioinformatics/btu789",
}


class Component(NamedTuple):
    """One entry of the dictionary, as it stands there."""

    name: str
    symbols: np.ndarray  # (N,) element symbols in capitals
    positions: np.ndarray  # (N, 3) ideal coordinates in Å, not a number where there are none
    charges: np.ndarray  # (N,) formal charges
    pairs: np.ndarray  # (E, 2) atoms of each bond
    orders: np.ndarray  # (E,) 1, 2 or 3; 0 for a bond of another kind


def build(path: str | os.PathLike[str], splitting: Splitting | None = None) -> MoleculeSet:
    """Write the suitable components to a Parquet file and return them; the others are listed beside it.

    Raises `InputError` when the package is missing.
    """
    entries, left_out = [], []
    for row, component in enumerate(progress(components(), "ligands"), 1):
        try:
            entries.append(entry_of(row, component))
        except MolscoreError as error:
            left_out.append(LeftOut.because(row, component.name, error))
    return assemble(path, set_of(entries, _METADATA), left_out, splitting or Splitting())


def components() -> Iterator[Component]:
    """Every component that has atoms, in the order of the dictionary; raises `InputError` without `biotite`."""
    try:
        from biotite.structure.info import get_ccd
    except ImportError:
        raise InputError(f"ligands come from the package biotite, which is not installed: {_INSTALL}") from None
    ccd = get_ccd()
    atoms, bonds = ccd["chem_comp_atom"], ccd["chem_comp_bond"]
    owner, names = atoms["comp_id"].as_array(), atoms["atom_id"].as_array()
    symbols, charges = atoms["type_symbol"].as_array(), atoms["charge"].as_array(np.int64, masked_value=0)
    positions = np.stack([atoms[name].as_array(np.float32, masked_value=np.nan) for name in _IDEAL], axis=1)
    bonded, kinds = bonds["comp_id"].as_array(), bonds["value_order"].as_array()
    ends = np.stack([bonds[f"atom_id_{end}"].as_array() for end in (1, 2)], axis=1)
    orders = np.array([_ORDERS.get(kind, 0) for kind in np.unique(kinds)])[np.unique(kinds, return_inverse=True)[1]]
    bonds_of = {bonded[run.start]: run for run in _runs(bonded)}
    for run in _runs(owner):
        name = str(owner[run.start])
        place = {atom: index for index, atom in enumerate(names[run].tolist())}
        where = bonds_of.get(name, slice(0, 0))
        pairs = np.array([[place.get(a, -1), place.get(b, -1)] for a, b in ends[where].tolist()]).reshape(-1, 2)
        yield Component(name, symbols[run], positions[run], charges[run], pairs, orders[where])


def _runs(values: np.ndarray) -> list[slice]:
    """Slices of equal neighbours."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]).tolist()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(values)], strict=True)]


def entry_of(row: int, component: Component) -> Entry:
    """The molecule of a component; raises the typed error that says why no data set takes it."""
    name = component.name
    check_size(len(component.symbols), name)
    if charge := int(component.charges.sum()):
        raise ChargeError(f"{name} has a net charge of {charge:+d}")
    if (component.orders == 0).any() or (component.pairs < 0).any():
        raise ParseError(f"{name} has a bond that is neither single, double nor triple, or not between its atoms")
    numbers = [atomic_number(symbol.capitalize()) for symbol in component.symbols.tolist()]
    molecule = Molecule(numbers, component.positions, name)
    mol = mol_from_bonds(molecule, Bonds(component.pairs, component.orders, component.charges))
    smiles = smiles_of(mol)
    check_graph(smiles)
    bonds = bond_array(mol)
    check_distances(molecule, bonds)
    return Entry(row, molecule, smiles, bonds)
