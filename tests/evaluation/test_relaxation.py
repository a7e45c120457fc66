"""Relaxing a geometry: nothing at a minimum, something away from it, the same wherever the molecule lies."""

import numpy as np
import pytest

from molscore.errors import InputError, MolscoreError
from molscore.evaluation.energies import ForceField, has_xtb
from molscore.evaluation.relaxation import relax_mmff, relax_xtb, rmsd
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed


@pytest.fixture(scope="module")
def relaxed() -> Molecule:
    return embed("CC=O")[0]


def test_turning_and_shifting_move_nothing_but_mirrors_do(rng, rotation) -> None:
    x = rng.normal(size=(6, 3))
    assert rmsd(x, x @ rotation.T + 3.0) == pytest.approx(0, abs=1e-7)
    assert rmsd(x, x * [1, 1, -1]) > 0.1
    stretched = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    assert rmsd(stretched, 1.5 * stretched) == pytest.approx(0.5)


def test_a_minimum_stays_and_a_shaken_one_goes_back(relaxed, rng, rotation) -> None:
    still = relax_mmff(relaxed)
    assert still.converged
    assert still.energy == pytest.approx(0, abs=1e-2)
    assert still.rmsd < 0.02
    shaken = Molecule(relaxed.numbers, relaxed.positions + 0.05 * rng.standard_normal(relaxed.positions.shape))
    back = relax_mmff(shaken)
    assert back.energy > 1.0
    assert back.rmsd > still.rmsd
    turned = relax_mmff(Molecule(shaken.numbers, shaken.positions @ rotation.T + 1.0))
    assert turned.energy == pytest.approx(back.energy, abs=1e-2)


def test_minimising_leaves_the_field_where_it_was(relaxed, rng) -> None:
    field = ForceField(Molecule(relaxed.numbers, relaxed.positions + 0.03 * rng.standard_normal((7, 3))))
    first, second = field.minimised()[0], field.minimised()[0]
    assert np.array_equal(first, second)
    assert np.abs(first - field.molecule.positions).max() > 1e-3
    assert not field.minimised(max_iterations=1)[1]


def test_what_has_no_bonds_is_refused() -> None:
    with pytest.raises(MolscoreError):
        relax_mmff(Molecule([6, 8, 1], [[0.0, 0, 0], [5.0, 0, 0], [0, 9.0, 0]]))


@pytest.mark.skipif(not has_xtb(), reason="tblite is not installed")
def test_xtb_closes_a_stretched_bond() -> None:
    found = relax_xtb(Molecule([8, 1, 1], [[0, 0, 0], [0.85, 0.6, 0], [-0.757, 0.586, 0]]))
    assert found.converged
    assert 1 < found.energy < 40  # kcal/mol, neither eV nor Hartree
    assert found.rmsd == 0  # of its one heavy atom
    assert relax_xtb(Molecule([1, 1], [[0, 0, 0], [0.777, 0, 0]])).energy < 0.5  # near its minimum


def test_without_tblite_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("molscore.evaluation.relaxation.has_xtb", lambda: False)
    with pytest.raises(InputError, match="xtb"):
        relax_xtb(Molecule([1, 1], [[0.0, 0, 0], [0.77, 0, 0]]))
