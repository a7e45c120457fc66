"""Validity is RDKit's opinion of EDM's bonds, with EDM's leniency; the record of figures moves as it should."""

import json

import numpy as np
import pytest

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError
from molscore.evaluation.edm import edm_smiles
from molscore.evaluation.metrics import evaluate
from molscore.molecules import Molecule
from tests.evaluation.conftest import build, moved


def test_smiles_are_what_chemists_call_the_molecules_in_any_order_of_atoms(good, rotation, rng) -> None:
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
    again = [moved(m, rotation, 3.0, rng.permutation(m.n_atoms)) for m in good.values()]
    assert edm_smiles(again) == list(wanted.values())


def test_too_many_bonds_are_invalid_and_too_few_or_loose_pieces_pass(good) -> None:
    directions = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
    methane, water = good["methane"], good["water"]
    radical = Molecule(methane.numbers[:4], methane.positions[:4])
    loose = Molecule(
        np.concatenate([water.numbers, methane.numbers]), np.concatenate([water.positions, methane.positions + 8.0])
    )
    lone = [build("C", [[0, 0, 0]]), build("H", [[0, 0, 0]])]
    found = edm_smiles([build("CHHHHH", 1.09 * directions), radical, loose, *lone])
    assert found == [None, "[H]C([H])[H]", "[H]C([H])([H])[H]", "C", "[HH]"]


def test_good_molecules_score_all_points_in_json_and_text(good) -> None:
    metrics = evaluate(good.values())
    figures = {name: value for name, value in metrics.to_dict().items() if name not in {"n", "novelty", "intervals"}}
    assert metrics.n == len(good) and metrics.novelty is None
    assert set(figures.values()) == {100.0} and len(figures) == 7
    assert json.loads(json.dumps(metrics.to_dict())) == metrics.to_dict()
    lines = metrics.to_text().splitlines()
    assert len(lines) == 8 and "molecule stability" in metrics.to_text()
    low, high = metrics.intervals["validity"]
    assert low < metrics.validity == high == 100


def test_duplicates_cost_uniqueness_and_pieces_connectivity_and_nothing_else(good) -> None:
    once, twice = evaluate(good.values()), evaluate([*good.values(), *good.values()])
    assert (once.uniqueness, twice.uniqueness) == (once.valid_unique, twice.valid_unique) == (100, 50)
    assert twice.validity == once.validity and twice.molecule_stability == once.molecule_stability
    water = good["water"]
    pair = Molecule(np.tile(water.numbers, 2), np.concatenate([water.positions, water.positions + 6.0]))
    metrics = evaluate([water, pair])
    assert (metrics.molecule_stability, metrics.validity) == (100, 100)
    assert (metrics.connectivity, metrics.stable_connected) == (50, 50)


def test_novelty_is_against_the_reference(good) -> None:
    molecules = list(good.values())
    assert evaluate(molecules * 2, molecules).novelty == 0
    some = molecules[:2]
    for reference in (some, MoleculeSet.from_molecules(some), set(edm_smiles(some)), iter(some)):
        assert evaluate(molecules * 2, reference).novelty == pytest.approx(100 * 6 / 8)
    for unusable in ([], "train.sdf"):
        with pytest.raises(InputError, match="reference"):
            evaluate(molecules, unusable)


def test_no_valid_molecule_has_no_uniqueness() -> None:
    metrics = evaluate([Molecule(np.full(9, 6), np.zeros((9, 3)))], reference=["C"])
    assert (metrics.validity, metrics.valid_unique) == (0, 0)
    assert metrics.uniqueness is None and metrics.novelty is None
    assert "uniqueness" not in metrics.intervals and "uniqueness" not in metrics.to_text()


def test_nothing_and_the_unknown_are_refused() -> None:
    with pytest.raises(InputError, match="no molecules"):
        evaluate([])
    with pytest.raises(ElementError, match=r"molecules\[0\].*He"):
        evaluate([Molecule([2], [[0, 0, 0]])])
