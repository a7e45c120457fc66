"""Halves share nothing and miss nothing; agreement is told from its lack."""

import numpy as np

from benchmarks.halves import BOUND, half_of, row_of
from molscore.datasets.store import MoleculeSet
from molscore.molecules import Molecule


def test_halves_are_disjoint_and_whole() -> None:
    rng = np.random.default_rng(0)
    molecules = MoleculeSet.from_molecules([Molecule(np.full(3, 6), rng.normal(size=(3, 3))) for _ in range(21)])
    halves = [{molecule.positions.tobytes() for molecule in half_of(molecules, half, 3)} for half in (0, 1)]
    assert not halves[0] & halves[1]
    assert sum(map(len, halves)) == 21
    assert abs(len(halves[0]) - len(halves[1])) == 1


def test_only_models_that_agree_are_within_the_bound() -> None:
    a = np.random.default_rng(0).normal(size=200)
    assert row_of(("a", "b"), a, a + 0.5 * BOUND)[-1] is True
    assert row_of(("a", "b"), a, a + 2 * BOUND)[-1] is False
