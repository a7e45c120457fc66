"""Rank correlations with strain: one for a density that is the energy's, none for one that is noise."""

import numpy as np
import pytest

from molscore.audit import Options, strain
from molscore.audit.displacements import along_modes, at_random, conformers
from molscore.audit.strain import KINDS, correlation
from molscore.audit.strain import strain as measure
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.energies import ForceField
from molscore.molecules.conformers import embed
from tests import tiny


class Boltzmann:
    """A stand-in for a model: exp(-E) of the force field, or noise."""

    def __init__(self, honest: bool) -> None:
        self.honest, self.rng = honest, np.random.default_rng(0)

    def log_density(self, members: list, resolution: float) -> np.ndarray:
        if not self.honest:
            return self.rng.standard_normal(len(members))
        positions = np.stack([member.positions for member in members])
        return -ForceField(embed("CCCO")[0]).energies(positions)


@pytest.fixture
def held_out() -> MoleculeSet:
    return MoleculeSet.from_molecules(embed("CCCO") * 2)


def test_the_right_density_has_correlation_one(held_out, monkeypatch) -> None:
    monkeypatch.setattr(strain, "has_xtb", lambda: False)
    options = Options(n=2, strained=2)
    for honest, low, high in ((True, 0.99, 1.01), (False, -0.6, 0.6)):
        rows = measure(Boltzmann(honest), held_out, options).tables[0].rows
        assert [row[0] for row in rows][:3] == [KINDS[kind] for kind in ("length", "direction", "modes")]
        for row in rows[:3]:
            assert low < float(row[3].split()[0]) < high
    assert float(rows[0][-1].split()[0]) > 0.8  # the control: longer is more strained
    assert rows[1][-1] is None  # all of one length


def test_correlations_of_little_are_none(rng) -> None:
    x = rng.standard_normal(20)
    assert correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert np.isnan(correlation(x[:4], x[:4])) and np.isnan(correlation(x, np.zeros(20)))
    assert correlation(np.append(x, 0.0), np.append(-x, np.nan)) == pytest.approx(-1.0)


def test_displacements_have_their_length(rng) -> None:
    molecule = tiny.geometries()[7]

    def lengths(positions: np.ndarray) -> np.ndarray:
        return np.sqrt(((positions - molecule.positions) ** 2).mean((1, 2)))

    assert np.allclose(lengths(at_random(molecule, 9, rng, 0.05)), 0.05)
    spread = lengths(at_random(molecule, 200, rng))
    assert 0.019 < spread.min() < 0.03 and 0.15 < spread.max() < 0.201
    field = ForceField(molecule)
    moved = along_modes(molecule, field, 8, rng, 0.05)
    assert np.allclose(lengths(moved), 0.05) and len(moved) == 8
    energies = field.energies(moved)
    assert energies[-1] > 3 * energies[:3].mean()  # soft ones first


def test_conformers_differ(rng) -> None:
    found = conformers(embed("CCCO")[0], 10, 0)
    energies = [conformer.properties["energy"] for conformer in found]
    assert len(found) > 1 and min(np.diff(energies)) > 0.05
    assert len(conformers(embed("C")[0], 5, 0)) == 1
