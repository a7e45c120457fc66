"""Formulas and rings are counted right, and total variation is a distance."""

import numpy as np
import pytest

from molscore.evaluation.bonds import as_set
from molscore.evaluation.composition import composition_counts, composition_distances, total_variation
from molscore.molecules import Molecule
from tests.evaluation.conftest import build


def test_total_variation_is_a_distance_from_nought_to_one(rng) -> None:
    p, q, r = (dict(enumerate(rng.integers(1, 20, 6).tolist())) for _ in range(3))
    assert total_variation(p, p) == 0
    assert total_variation(p, {key: 7 * n for key, n in p.items()}) == pytest.approx(0)
    assert 0 < total_variation(p, q) == pytest.approx(total_variation(q, p))
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r)
    assert total_variation({"a": 3}, {"b": 5}) == 1


def test_molecules_are_counted_by_what_they_are_made_of(good) -> None:
    counts = composition_counts(as_set([good["cyclopropane"], good["ethane"], good["ethane"]]))
    assert counts["formula"] == {(("H", 6), ("C", 3)): 1, (("H", 6), ("C", 2)): 2}
    assert counts["size"] == {9: 1, 8: 2}
    assert counts["element"] == {"H": 18, "C": 7}
    assert counts["bond"] == {1: 23}
    assert counts["rings"] == {1: 1, 0: 2}
    assert counts["ring size"] == {3: 1}


def test_fused_and_separate_rings_are_told_apart(good) -> None:
    turn = 2 * np.pi * np.arange(6) / 6
    hexagon = 1.45 * np.column_stack([np.cos(turn), np.sin(turn), np.zeros(6)])
    square = 1.5 * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]])
    pair = np.concatenate([hexagon, hexagon + np.array([9.0, 0, 0])])
    counts = composition_counts(as_set([build("C" * 6, square), build("C" * 12, pair)]))
    assert counts["rings"] == {2: 2}
    assert counts["ring size"] == {4: 2, 6: 2}


def test_collapsed_atoms_do_not_stall_the_count() -> None:
    counts = composition_counts(as_set([Molecule(np.full(200, 6), np.zeros((200, 3)))]))
    assert counts["ring size"] == {0: 199 * 200 // 2 - 199}


def test_distances_tell_another_composition(good, rng) -> None:
    molecules = list(good.values())
    real = [molecules[k] for k in rng.integers(0, 8, 600)]
    same = [molecules[k] for k in rng.integers(0, 8, 200)]
    other = [molecules[k] for k in rng.integers(0, 4, 200)]
    near = {item.kind: item for item in composition_distances(same, real)}
    far = {item.kind: item for item in composition_distances(other, real)}
    assert near["formula"].distance < 3 * near["formula"].floor < far["formula"].distance
    assert far["formula"].distance == pytest.approx(0.5, abs=0.1)
    assert far["ring size"].distance is None and near["ring size"].distance == 0
    assert set(near) == {"formula", "size", "element", "bond", "rings", "ring size"}
