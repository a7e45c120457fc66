"""Energies of displaced geometries: gradients, curvatures and symmetries."""

import numpy as np
import pytest

from molscore.errors import InputError, MolscoreError
from molscore.evaluation.energies import ForceField, has_xtb, xtb_energies
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed


@pytest.fixture(scope="module")
def relaxed() -> Molecule:
    return embed("CC=O")[0]


@pytest.fixture(scope="module")
def field(relaxed: Molecule) -> ForceField:
    return ForceField(relaxed)


def test_the_gradient_is_that_of_the_energy(relaxed, field, rng) -> None:
    x = relaxed.positions + 0.05 * rng.standard_normal(relaxed.positions.shape)
    step = 1e-4 * rng.standard_normal(x.shape)
    ahead, behind = field.energies(np.stack([x + step, x - step]))
    assert (ahead - behind) / 2 == pytest.approx((field.gradient(x) * step).sum(), rel=1e-4)


def test_the_embedded_geometry_is_a_minimum(relaxed, field, rng) -> None:
    here = field.energies(relaxed.positions[None])[0]
    assert here == pytest.approx(relaxed.properties["energy"], abs=1e-3)
    noise = 0.1 * rng.standard_normal((20, *relaxed.positions.shape))
    assert (field.energies(relaxed.positions + noise) > here).all()
    assert np.abs(field.gradient(relaxed.positions)).max() < 0.1


def test_modes_are_internal_orthonormal_and_have_their_curvature(relaxed, field) -> None:
    curvatures, directions = field.modes
    n = relaxed.n_atoms
    assert directions.shape == (3 * n - 6, n, 3)
    flat = directions.reshape(len(directions), -1)
    assert np.allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-8)
    assert np.abs(directions.sum(1)).max() < 1e-8
    spin = np.cross(relaxed.positions - relaxed.positions.mean(0), directions).sum(1)
    assert np.abs(spin).max() < 1e-6
    h = 0.01
    ends = [field.energies(relaxed.positions + sign * h * directions) for sign in (1, -1)]
    second = (ends[0] + ends[1] - 2 * field.energies(relaxed.positions[None])) / h**2
    assert np.allclose(second, curvatures, rtol=0.05, atol=5.0)
    assert curvatures[-1] > 20 * curvatures[1]  # a C=O stretch is stiff, a methyl group turns


def test_what_has_no_bonds_is_refused() -> None:
    with pytest.raises(MolscoreError):
        ForceField(Molecule([6, 8, 1], [[0.0, 0, 0], [5.0, 0, 0], [0, 9.0, 0]]))


@pytest.mark.skipif(not has_xtb(), reason="tblite is not installed")
def test_xtb_knows_the_bond_of_hydrogen(rng) -> None:
    bond = Molecule([1, 1], [[0.0, 0, 0], [0.77, 0, 0]])
    geometries = [np.array([[0.0, 0, 0], [r, 0, 0]]) for r in (0.6, 0.77, 1.0)]
    energies = xtb_energies(bond, geometries)
    assert energies.argmin() == 1
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    assert xtb_energies(bond, [geometries[0] @ rotation.T])[0] == pytest.approx(energies[0], abs=1e-4)
    assert 10 < energies[0] - energies[1] < 60  # kcal/mol, not Hartree


def test_without_tblite_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("molscore.evaluation.energies.has_xtb", lambda: False)
    with pytest.raises(InputError, match="xtb"):
        xtb_energies(Molecule([1, 1], [[0.0, 0, 0], [0.77, 0, 0]]), [])
