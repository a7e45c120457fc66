"""One record of figures, that move as they should."""

import json

import numpy as np
import pytest

from molscore.datasets.store import MoleculeSet
from molscore.errors import ElementError, InputError
from molscore.evaluation.metrics import evaluate
from molscore.evaluation.validity import edm_smiles
from molscore.molecules import Molecule
from tests.evaluation.conftest import moved


def test_good_molecules_score_all_points(good) -> None:
    metrics = evaluate(good.values())
    assert metrics.n == len(good)
    figures = {name: value for name, value in metrics.to_dict().items() if name not in {"n", "novelty", "intervals"}}
    assert set(figures.values()) == {100.0} and len(figures) == 7
    assert metrics.novelty is None


def test_noise_costs_stability(good, rng) -> None:
    molecules = list(good.values()) * 25
    noisy = [Molecule(m.numbers, m.positions + 0.05 * rng.normal(size=m.positions.shape)) for m in molecules]
    clean, blurred = evaluate(molecules), evaluate(noisy)
    assert blurred.atom_stability < clean.atom_stability
    assert blurred.molecule_stability < blurred.atom_stability
    assert blurred.intervals["molecule_stability"][1] < clean.intervals["molecule_stability"][0]


def test_duplicates_cost_uniqueness_and_nothing_else(good) -> None:
    once, twice = evaluate(good.values()), evaluate([*good.values(), *good.values()])
    assert (once.uniqueness, twice.uniqueness) == (100, 50)
    assert (once.valid_unique, twice.valid_unique) == (100, 50)
    assert twice.validity == once.validity and twice.molecule_stability == once.molecule_stability


def test_pieces_cost_connectivity_and_not_stability(good) -> None:
    water = good["water"]
    pair = Molecule(np.tile(water.numbers, 2), np.concatenate([water.positions, water.positions + 6.0]))
    metrics = evaluate([water, pair])
    assert (metrics.molecule_stability, metrics.validity) == (100, 100)
    assert (metrics.connectivity, metrics.stable_connected) == (50, 50)


def test_novelty_is_against_the_reference(good) -> None:
    molecules = list(good.values())
    assert evaluate(molecules, molecules).novelty == 0
    assert evaluate(molecules, molecules[:2]).novelty == pytest.approx(100 * 6 / 8)
    by_set = evaluate(molecules, MoleculeSet.from_molecules(molecules[:2])).novelty
    by_smiles = evaluate(molecules, set(edm_smiles(molecules[:2]))).novelty
    assert by_set == by_smiles == pytest.approx(75)
    for unusable in ([], "train.sdf"):
        with pytest.raises(InputError, match="reference"):
            evaluate(molecules, unusable)


def test_it_does_not_depend_on_order_or_orientation(good, rotation, rng) -> None:
    molecules = [
        Molecule(m.numbers, m.positions + 0.05 * rng.normal(size=m.positions.shape)) for m in list(good.values()) * 10
    ]
    again = [moved(m, rotation, rng.normal(size=3), rng.permutation(m.n_atoms)) for m in reversed(molecules)]
    before, after = evaluate(molecules, molecules[:9]), evaluate(again, molecules[:9])
    for name, value in before.to_dict().items():
        if name != "intervals":
            assert value == pytest.approx(getattr(after, name)), name
    larger = evaluate([Molecule(m.numbers, 1.05 * m.positions) for m in molecules])
    assert larger.molecule_stability != before.molecule_stability


def test_the_record_is_json_and_text(good) -> None:
    metrics = evaluate(good.values(), good.values())
    assert json.loads(json.dumps(metrics.to_dict())) == metrics.to_dict()
    lines = metrics.to_text().splitlines()
    assert len(lines) == 9 and "molecule stability" in metrics.to_text() and "novelty" in metrics.to_text()
    low, high = metrics.intervals["validity"]
    assert low < metrics.validity == high == 100


def test_no_valid_molecule_has_no_uniqueness() -> None:
    crowd = Molecule(np.full(9, 6), np.zeros((9, 3)))
    metrics = evaluate([crowd], reference=["C"])
    assert (metrics.validity, metrics.valid_unique) == (0, 0)
    assert metrics.uniqueness is None and metrics.novelty is None
    assert "uniqueness" not in metrics.intervals and "uniqueness" not in metrics.to_text()


def test_nothing_and_the_unknown_are_refused(good) -> None:
    with pytest.raises(InputError, match="no molecules"):
        evaluate([])
    with pytest.raises(ElementError, match="molecule 0.*He"):
        evaluate([Molecule([2], [[0, 0, 0]])])
