"""Neighbours by distance agree with the bonds of a graph."""

import numpy as np

from molscore.molecules import Molecule
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.neighbours import neighbour_counts
from tests import tiny


def test_as_many_neighbours_as_bonds() -> None:
    for molecule in tiny.geometries():
        degrees = [atom.GetDegree() for atom in mol_from_molecule(molecule).GetAtoms()]
        assert neighbour_counts(molecule).tolist() == degrees


def test_atoms_pulled_apart_have_none() -> None:
    molecule = tiny.geometries()[8]
    assert not neighbour_counts(Molecule(molecule.numbers, 10 * molecule.positions)).any()
    assert neighbour_counts(Molecule([6, 1], np.array([[0.0, 0, 0], [1.1, 0, 0]]))).tolist() == [1, 1]
