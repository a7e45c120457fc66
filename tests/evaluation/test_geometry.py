"""Distances between geometries vanish for equals, equal a known shift, and come with what chance alone gives."""

import numpy as np
import pytest

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.evaluation.comparison import compare
from molscore.evaluation.geometry import UNITS, geometry_distances, mean_distances
from molscore.molecules import Molecule


def sample(good: dict[str, Molecule], rng: np.random.Generator, n: int, noise: float = 0.01) -> MoleculeSet:
    """Noisy copies of the good molecules."""
    molecules = list(good.values())
    chosen = [molecules[k] for k in rng.integers(0, len(molecules), n)]
    return MoleculeSet.from_molecules(
        [Molecule(m.numbers, m.positions + noise * rng.normal(size=m.positions.shape)) for m in chosen]
    )


def test_equal_distributions_are_as_near_as_the_floor(good, rng) -> None:
    draws = [mean_distances(geometry_distances(sample(good, rng, 200), sample(good, rng, 600))) for _ in range(30)]
    for kind in UNITS:
        distance, floor = np.mean([means[kind] for means in draws], axis=0)
        assert 0.6 < distance / floor < 1.6, kind


def test_noise_moves_every_kind_away(good, rng) -> None:
    distances = geometry_distances(sample(good, rng, 600, noise=0.04), sample(good, rng, 1800))
    for kind, (distance, floor) in mean_distances(distances).items():
        assert distance > 3 * floor, kind


def test_a_shift_of_all_bonds_is_the_distance(good, rng) -> None:
    def methanes(extra: float) -> MoleculeSet:
        methane = good["methane"]
        lengths = rng.uniform(1.07, 1.09, 800) + extra
        return MoleculeSet.from_molecules([Molecule(methane.numbers, methane.positions * r / 1.09) for r in lengths])

    (bond, *_) = geometry_distances(methanes(0.03), methanes(0.0))
    assert (bond.kind, bond.label, bond.unit) == ("bond", "H-C", "Å")
    assert bond.distance == pytest.approx(0.03, abs=0.003)
    assert bond.floor < 0.002
    assert (bond.n_generated, bond.n_real) == (3200, 1600)


def test_what_was_never_made_has_no_distance(good, rng) -> None:
    water = MoleculeSet.from_molecules([good["water"]] * 20)
    distances = geometry_distances(water, sample(good, rng, 400))
    by_label = {item.label: item for item in distances if item.kind == "bond"}
    assert by_label["C-C"].distance is None and by_label["C-C"].n_generated == 0
    assert by_label["H-O"].distance is not None
    assert mean_distances(distances)["dihedral"][0] is None


def test_rare_types_are_left_out(good, rng) -> None:
    real = sample(good, rng, 400)
    few = geometry_distances(real, real, min_share=0.2)
    every = geometry_distances(real, real, min_share=0.0)
    assert 0 < len(few) < len(every)
    assert {item.label for item in every if item.kind == "bond"} >= {"C=O", "C#N", "O-O"}


def test_the_comparison_holds_real_molecules_apart(good, rng) -> None:
    real = sample(good, rng, 300)
    sets = compare(real.select(np.arange(100)), real)
    assert [len(part) for part in sets] == [100, 100, 200]
    together = np.concatenate([sets.held.positions, sets.reference.positions])
    assert np.allclose(np.sort(together[:, 0]), np.sort(real.positions[:, 0]))
    assert [len(part) for part in compare(real, real)] == [300, 150, 150]
    assert [len(part) for part in compare(real, real, max_molecules=40)] == [40, 40, 40]


def test_the_same_seed_splits_the_same_way(good, rng) -> None:
    real = sample(good, rng, 200)
    made = real.select(np.arange(50))
    assert geometry_distances(made, real, seed=1) == geometry_distances(made, real, seed=1)
    assert geometry_distances(made, real, seed=1) != geometry_distances(made, real, seed=2)


def test_a_comparison_needs_molecules(good) -> None:
    with pytest.raises(InputError, match="no molecules"):
        geometry_distances([], list(good.values()))
    with pytest.raises(InputError, match="at least two"):
        geometry_distances([good["water"]], [good["water"]])
