"""Molecules from whatever a user holds them in."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule as ase_molecule
from rdkit import Chem
from rdkit.Chem import rdDepictor
from torch_geometric.data import Batch, Data

from molscore.errors import ElementError, InputError, ParseError, PositionError
from molscore.molecules import Molecule
from molscore.molecules.ase import from_ase, to_ase
from molscore.molecules.chem import from_smiles, mol_from_molecule
from molscore.molecules.convert import as_molecule, as_molecules
from molscore.molecules.pyg import from_pyg, to_pyg


@pytest.mark.parametrize("form", [lambda m: m, mol_from_molecule, lambda m: to_pyg(m, torch.float64), to_ase])
def test_every_form_of_a_molecule_gives_the_same_molecule(form, library) -> None:
    for molecule in library.values():
        named = Molecule(molecule.numbers, molecule.positions, "some name")
        given = as_molecule(form(named))
        np.testing.assert_array_equal(given.numbers, molecule.numbers)
        np.testing.assert_array_equal(given.positions, molecule.positions)
        assert given.name == "some name"


def test_what_else_is_known_comes_along() -> None:
    assert from_ase(to_ase(Molecule([8], [[0, 0, 0]], "O", {"energy": 1.5}))).properties == {"energy": 1.5}
    ethanol = from_ase(ase_molecule("CH3CH2OH"))
    assert (ethanol.formula, ethanol.name) == ("C2H6O", "")
    molecule = from_pyg(Data(z=torch.tensor([8]), pos=torch.zeros(1, 3), name="gdb_3", smiles="O"))
    assert (molecule.name, molecule.properties) == ("gdb_3", {"smiles": "O"})


def test_smiles_and_graphs_without_geometry_get_one() -> None:
    text, graph = as_molecule("CCO", seed=5), as_molecule(from_smiles("CCO"), seed=5)
    assert text.formula == "C2H6O"
    np.testing.assert_array_equal(text.positions, graph.positions)
    flat = from_smiles("CCO")
    rdDepictor.Compute2DCoords(flat)
    assert np.ptp(as_molecule(flat).positions, axis=0).min() > 0.1


def test_one_thing_or_many(library) -> None:
    molecule = library["CCO"]
    assert [m.formula for m in as_molecules(["O", molecule, to_ase(molecule)])] == ["H2O", "C2H6O", "C2H6O"]
    assert [m.formula for m in as_molecules(m for m in [molecule] * 2)] == ["C2H6O"] * 2
    for single in ("O", molecule, to_ase(molecule), to_pyg(molecule), mol_from_molecule(molecule)):
        assert len(as_molecules(single)) == 1
    assert as_molecules([]) == []
    with pytest.raises(PositionError, match="hydrogens"):  # a geometry without them is not replaced in silence
        as_molecule(Chem.RemoveHs(mol_from_molecule(molecule)))
    batch = Batch.from_data_list([to_pyg(library["O"]), to_pyg(library["CCO"])])
    assert [m.formula for m in as_molecules(batch)] == ["H2O", "C2H6O"]
    with pytest.raises(InputError, match="batch of 2"):
        as_molecule(batch)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("C(", ParseError), (3.5, InputError), (None, InputError), (Atoms("X", [(0, 0, 0)]), ElementError),
        (Data(pos=None), InputError), (Data(z=torch.tensor([6])), PositionError),
        (Atoms("CO", [(0, 0, 0), (np.nan, 0, 0)]), PositionError),
    ],
)  # fmt: skip
def test_errors_keep_their_type_and_name_the_place(bad, error, water) -> None:
    with pytest.raises(error, match=r"^molecules\[2\]: (?!molecule: )"):
        as_molecules([water, water, bad, "C("])


def test_converting_does_not_share_memory(library) -> None:
    atoms = to_ase(library["O"])
    molecule = as_molecule(atoms)
    atoms.positions += 1
    np.testing.assert_array_equal(molecule.positions, library["O"].positions)
    data = to_pyg(molecule)
    data.pos += 1
    np.testing.assert_array_equal(molecule.positions, library["O"].positions)
    assert isinstance(molecule, Molecule)
