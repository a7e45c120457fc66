"""Validity is RDKit's opinion of EDM's bonds, with EDM's leniency."""

import numpy as np
import pytest

from molscore.evaluation.bonds import as_set, bonds_of
from molscore.evaluation.validity import edm_smiles, fraction_novel, fraction_unique
from molscore.molecules import Molecule
from tests.evaluation.conftest import build, moved


def test_smiles_are_what_chemists_call_the_molecules(good) -> None:
    wanted = {
        "methane": "[H]C([H])([H])[H]",
        "water": "[H]O[H]",
        "hydrogen cyanide": "[H]C#N",
        "carbon dioxide": "O=C=O",
        "formaldehyde": "[H]C([H])=O",
        "ethane": "[H]C([H])([H])C([H])([H])[H]",
        "cyclopropane": "[H]C1([H])C([H])([H])C1([H])[H]",
        "hydrogen peroxide": "[H]OO[H]",
    }
    assert dict(zip(good, edm_smiles(good.values()), strict=True)) == wanted


def test_too_many_bonds_are_invalid() -> None:
    directions = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
    assert edm_smiles([build("CHHHHH", 1.09 * directions), build("CHHHH", 1.09 * directions[:5])])[0] is None


def test_missing_hydrogens_and_loose_pieces_pass(good) -> None:
    methane = good["methane"]
    radical = Molecule(methane.numbers[:4], methane.positions[:4])
    water = good["water"]
    loose = Molecule(
        np.concatenate([water.numbers, methane.numbers]), np.concatenate([water.positions, methane.positions + 8.0])
    )
    assert edm_smiles([radical, loose]) == ["[H]C([H])[H]", "[H]C([H])([H])[H]"]


def test_single_atoms_pass_with_the_hydrogens_they_lack() -> None:
    assert edm_smiles([build("C", [[0, 0, 0]]), build("H", [[0, 0, 0]])]) == ["C", "[HH]"]


def test_given_bonds_are_used(good) -> None:
    molecules = as_set(good.values())
    assert edm_smiles(molecules, bonds_of(molecules)) == edm_smiles(molecules)


def test_smiles_do_not_depend_on_the_order_of_atoms(good, rotation, rng) -> None:
    again = [moved(m, rotation, 3.0, rng.permutation(m.n_atoms)) for m in good.values()]
    assert edm_smiles(again) == edm_smiles(good.values())


def test_uniqueness_counts_the_valid_once() -> None:
    assert fraction_unique(["A", "B", None, "B"]) == pytest.approx(2 / 3)
    assert fraction_unique([None, None]) is None


def test_novelty_counts_the_different_once() -> None:
    assert fraction_novel(["A", "B", "B", None], ["B"]) == pytest.approx(1 / 2)
    assert fraction_novel(["A", "B"], []) == 1
    assert fraction_novel([None], ["B"]) is None
