"""Fidelity figures are those of the molecules; the floor is what real molecules differ by from each other."""

import json

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.evaluation.fidelity import FIGURES, fidelity, graph_figures
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed

# SMILES -> bad bonding, aromatic ring, C=C, rings, bridgehead atoms, rotatable bonds
KNOWN = {
    "c1ccccc1": (0, 1, 0, 1, 0, 0),
    "C1CC2CCC1C2": (0, 0, 0, 2, 2, 0),
    "CCC=CCC": (0, 0, 1, 0, 0, 2),
    "CCCC": (0, 0, 0, 0, 0, 1),
    "[NH3+]CC(=O)[O-]": (1, 0, 0, 0, 0, 1),
}


@pytest.fixture(scope="module")
def known() -> list[Molecule]:
    return [embed(smiles)[0] for smiles in KNOWN]


def test_figures_are_what_a_chemist_counts(known) -> None:
    np.testing.assert_array_equal(graph_figures(known), list(KNOWN.values()))


def test_a_geometry_without_bonds_is_bad_and_counts_for_nothing_else(known) -> None:
    torn = Molecule([6, 1, 1, 1], 9.0 * np.eye(4)[:, :3])
    assert graph_figures([torn])[0, 0] == 1 and np.isnan(graph_figures([torn])[0, 1:]).all()
    table = fidelity([torn, known[0]], known)
    assert table["bad bonding"].value == 50 and table["aromatic ring"].value == 100
    assert fidelity([torn], known)["rings"].value is None


def test_real_molecules_pass_and_other_ones_do_not(known, rng) -> None:
    real = [known[k] for k in rng.integers(0, 5, 150)]
    same = fidelity([known[k] for k in rng.integers(0, 5, 75)], real)
    cages = fidelity([known[1]] * 75, real)
    assert sum(figure.faithful for figure in same.figures) >= 5
    assert not any(cages[name].faithful for name in FIGURES)
    assert same["aromatic ring"].reference == pytest.approx(20, abs=7)
    low, high = same["aromatic ring"].interval
    assert low < same["aromatic ring"].value < high


def test_the_floor_falls_as_the_square_root_of_the_number(known, rng) -> None:
    real = [known[k] for k in rng.integers(0, 5, 120)]
    few, many = (fidelity(real[:n], real)["aromatic ring"].floor for n in (20, 60))
    # a share p: 1.96 sqrt(p (1 - p) (1/n + 1/(M - n))), M being drawn without replacement
    assert few == pytest.approx(196 * np.sqrt(0.16 * (1 / 20 + 1 / 100)), rel=0.15)
    assert many == pytest.approx(196 * np.sqrt(0.16 * (1 / 60 + 1 / 60)), rel=0.15)


def test_the_table_is_text_and_json(known) -> None:
    table = fidelity(known, known)
    assert set(json.loads(json.dumps(table.to_dict()))["figures"]) == set(FIGURES)
    assert len(table.to_text().splitlines()) == 1 + len(FIGURES)
    with pytest.raises(InputError, match="two reference"):
        fidelity(known, known[:1])
