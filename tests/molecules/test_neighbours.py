"""Neighbours by distance agree with the bonds of a graph."""

import numpy as np
import pytest

from molscore.molecules import Molecule
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.conformers import embed
from molscore.molecules.neighbours import neighbour_counts, open_valences, topology
from tests import tiny


def test_as_many_neighbours_as_bonds() -> None:
    for molecule in tiny.geometries():
        degrees = [atom.GetDegree() for atom in mol_from_molecule(molecule).GetAtoms()]
        assert neighbour_counts(molecule).tolist() == degrees


def test_atoms_pulled_apart_have_none() -> None:
    molecule = tiny.geometries()[8]
    assert not neighbour_counts(Molecule(molecule.numbers, 10 * molecule.positions)).any()
    assert neighbour_counts(Molecule([6, 1], np.array([[0.0, 0, 0], [1.1, 0, 0]]))).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("smiles", "expected"),
    {
        "CCCCC": (5, 0, 2), "C=CC=C": (4, 0, 1), "CC=CC": (4, 0, 0), "CC#CCO": (5, 0, 0),
        "c1ccccc1-c1ccccc1": (12, 2, 1), "[H][H]": (0, 0, 0), "N": (1, 0, 0),
        "C1CC2CCC1C2": (7, 2, 0), "C1CCC2(C1)CO2": (7, 2, 0), "COC(=O)C1CC1": (7, 1, 2),
    }.items(),
)  # fmt: skip
def test_rings_and_rotatable_bonds(smiles, expected, rng) -> None:
    made = embed(smiles)[0]
    assert topology(made) == expected
    order = rng.permutation(made.n_atoms)
    assert topology(Molecule(made.numbers[order], made.positions[order] + 3.0)) == expected


def test_open_valences_are_where_a_bond_was_cut() -> None:
    for smiles in ("Cc1ccccc1", "CC(=O)NC", "CC#N", "CC1OC1C=O", "CO", "CN(C)C=O"):
        molecule = embed(smiles)[0]
        assert not (open_valences(molecule)[0] > 0.5).any(), smiles
        ratio = np.linalg.norm(molecule.positions[1:] - molecule.positions[0], axis=1)
        hydrogens = 1 + np.flatnonzero((molecule.numbers[1:] == 1) & (ratio < 1.2))
        rest = np.setdiff1d(np.arange(molecule.n_atoms), [0, *hydrogens])  # without its first methyl group
        missing, outward = open_valences(Molecule(molecule.numbers[rest], molecule.positions[rest]))
        assert np.flatnonzero(missing > 0.5).tolist() == [0], smiles
        bond = molecule.positions[0] - molecule.positions[1]
        assert outward[0] @ bond / np.linalg.norm(bond) > 0.25  # an oxygen with one neighbour binds at an angle


def test_a_lone_atom_has_all_its_valences_open_and_no_direction() -> None:
    missing, outward = open_valences(Molecule([6], [[0.0, 0.0, 0.0]]))
    assert missing.tolist() == [4.0] and outward.tolist() == [[0.0, 0.0, 0.0]]
