"""Batches depend on seed and step alone, cost alike, and references come from the molecule's own cluster."""

import numpy as np
import pytest
import torch

from molscore.datasets.clusters import cluster_keys
from molscore.datasets.molecule_set import MoleculeSet
from molscore.molecules import Molecule
from molscore.training.data import Batches, Clusters, cost

CPU = torch.device("cpu")


@pytest.fixture
def sizes(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.binomial(29, 0.6, 5_000) + 1, rng.integers(20, 64, 3_000)]


def test_they_depend_on_seed_and_step_alone(sizes: list[np.ndarray]) -> None:
    first, again, other = (Batches(sizes, [2, 1], 64, seed) for seed in (3, 3, 4))
    for step in (700, 3, 0):  # in any order
        assert np.array_equal(first.at(step).rows, again.at(step).rows)
        assert first.at(step).width == again.at(step).width
    assert any(not np.array_equal(first.at(step).rows, other.at(step).rows) for step in range(3))


def test_processes_have_like_batches_of_other_molecules(sizes: list[np.ndarray]) -> None:
    batches = Batches(sizes, [2, 1], 64, 0)
    one, other = batches.at(5, 0), batches.at(5, 1)
    assert (one.dataset, one.width, len(one.rows)) == (other.dataset, other.width, len(other.rows))
    assert not np.array_equal(one.rows, other.rows)


def test_work_is_shared_by_weight_and_every_molecule_is_as_likely(sizes: list[np.ndarray]) -> None:
    batches = Batches(sizes, [3, 1], 64, 0)
    chosen = [batches.at(step) for step in range(3_000)]
    assert np.mean([c.dataset == 0 for c in chosen]) == pytest.approx(0.75, abs=0.03)
    for c in chosen:
        assert sizes[c.dataset][c.rows].max() <= c.width
        assert len(c.rows) == max(1, round(64 / cost(c.width)))
    seen = np.concatenate([sizes[0][c.rows] for c in chosen if c.dataset == 0])
    assert seen.mean() == pytest.approx(sizes[0].mean(), rel=0.02)


def test_references_are_of_the_cluster_and_never_the_molecule_itself() -> None:
    keys = np.array([[0, 1], [0, 1], [0, 2], [1, 2], [1, 3]])
    pool = np.array([0, 1, 2, 4])
    clusters, rows = Clusters(keys, pool, [1.0, 3.0], CPU), torch.arange(5).repeat(400)
    places, present = clusters.draw(rows, 4, 0.5, torch.Generator().manual_seed(0))
    chosen = torch.from_numpy(pool)[places]
    for key in (0, 1):
        alike = keys[chosen.numpy(), key] == keys[rows.numpy(), key][:, None]
        assert alike.any(1).mean() > 0.5
    some = ((keys[chosen] == keys[rows.numpy()][:, None]).any(-1) | ~present.numpy()).all()
    assert some
    assert not (present & (chosen == rows[:, None])).any()
    assert float(present.any(1).float().mean()) == pytest.approx(0.5 * 0.66, abs=0.1)
    assert (clusters.draw(rows, 4, 0.0, torch.Generator().manual_seed(0))[1] == 0).all()


def test_clusters_go_by_size_formula_and_what_the_file_says() -> None:
    chains = [Molecule(np.full(n, element), np.eye(4)[:n, :3]) for n, element in ((3, 6), (4, 8), (2, 6))]
    named = MoleculeSet.from_molecules(chains, {"ring_systems": ["c1ccccc1", "", "c1ccccc1"]})
    keys, weights = cluster_keys(named)
    assert keys.shape == (3, 4)
    assert weights[3] > weights[2] == weights[0]
    assert keys[0, 3] == keys[2, 3] != keys[1, 3]
    assert len(set(keys[:, 1])) == 3
    assert (keys[:, 0] == 0).all()
