"""Stability counts atoms whose bond orders add up."""

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.evaluation.bonds import as_set, bonds_of
from molscore.evaluation.stability import stability, valences
from molscore.molecules import Molecule
from tests.evaluation.conftest import build, moved


def test_good_molecules_are_stable(good) -> None:
    counts = stability(good.values())
    assert counts.atom_stability == counts.molecule_stability == 100


@pytest.mark.parametrize("name", ["methane", "water", "ethane", "cyclopropane"])
def test_a_stretched_bond_is_not(good, name) -> None:
    molecule = good[name]
    positions = molecule.positions.copy()
    positions[-1] *= 1.25
    counts = stability([molecule, Molecule(molecule.numbers, positions)])
    assert counts.molecules.tolist() == [True, False]
    assert counts.stable.tolist() == [molecule.n_atoms, molecule.n_atoms - 2]


def test_atoms_are_pooled_and_molecules_are_not() -> None:
    lone, methyl = build("C", [[0, 0, 0]]), build("HH", [[0, 0, 0], [0.74, 0, 0]])
    counts = stability([lone, methyl, methyl])
    assert counts.atom_stability == pytest.approx(100 * 4 / 5)
    assert counts.molecule_stability == pytest.approx(100 * 2 / 3)


def test_pieces_may_be_stable(good) -> None:
    water = good["water"]
    pair = Molecule(np.tile(water.numbers, 2), np.concatenate([water.positions, water.positions + 6.0]))
    assert stability([pair]).molecule_stability == 100


@pytest.mark.parametrize(("number", "valences"), [(6, {4}), (7, {3}), (8, {2}), (9, {1}), (15, {3, 5}), (16, {4})])
def test_each_element_has_its_valences(number, valences) -> None:
    directions = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    stable = set()
    for n in range(7):
        molecule = Molecule([number] + [1] * n, np.concatenate([[[0, 0, 0]], 1.0 * directions[:n]]))
        stable |= {n} if stability([molecule]).stable[0] == n + 1 else set()
    assert stable == valences


def test_valences_are_sums_of_orders(good) -> None:
    molecules = as_set([good["hydrogen cyanide"], good["carbon dioxide"]])
    assert valences(molecules, bonds_of(molecules)).tolist() == [1, 4, 3, 2, 4, 2]


def test_turned_shifted_and_permuted_molecules_are_as_stable(good, rotation, rng) -> None:
    molecules = list(good.values())
    molecules += [Molecule(m.numbers, m.positions + 0.06 * rng.normal(size=m.positions.shape)) for m in molecules * 12]
    before = stability(molecules)
    after = stability([moved(m, rotation, rng.normal(size=3), rng.permutation(m.n_atoms)) for m in molecules])
    assert np.array_equal(before.stable, after.stable)
    assert 0 < before.molecule_stability < 100
    larger = stability([Molecule(m.numbers, 1.1 * m.positions) for m in molecules])
    assert not np.array_equal(before.stable, larger.stable)  # scaling is no symmetry


def test_a_crowded_atom_is_unstable_however_high_its_valence() -> None:
    crowd = Molecule(np.full(40, 6), np.zeros((40, 3)))  # everything on one point: 39 triple bonds each
    assert stability([crowd]).stable.tolist() == [0]


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(InputError, match="no molecules"):
        stability([])
