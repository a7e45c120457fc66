"""Batches depend on the seed and the step alone, and every molecule comes once an epoch."""

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.training.batches import POOL, SizeGroupedBatches

BATCH = 16


@pytest.fixture
def sizes(rng: np.random.Generator) -> np.ndarray:
    return rng.binomial(29, 0.6, 5_000) + 1


@pytest.fixture
def batches(sizes: np.ndarray) -> SizeGroupedBatches:
    return SizeGroupedBatches(sizes, BATCH, seed=3)


def epoch(batches: SizeGroupedBatches, number: int) -> np.ndarray:
    steps = range(number * batches.per_epoch, (number + 1) * batches.per_epoch)
    return np.stack([batches.at(step) for step in steps])


def test_every_molecule_comes_once_an_epoch(batches: SizeGroupedBatches) -> None:
    assert batches.per_epoch == 312
    for number in (0, 1):
        seen = epoch(batches, number).ravel()
        assert len(np.unique(seen)) == len(seen) == 312 * BATCH
    assert len(np.unique(np.concatenate([epoch(batches, number).ravel() for number in range(3)]))) == 5_000


def test_they_depend_on_seed_and_step_alone(sizes: np.ndarray, batches: SizeGroupedBatches) -> None:
    again, other = SizeGroupedBatches(sizes, BATCH, seed=3), SizeGroupedBatches(sizes, BATCH, seed=4)
    for step in (700, 3, 311, 312, 0):  # in any order
        np.testing.assert_array_equal(batches.at(step), again.at(step))
    assert (batches.at(0) != other.at(0)).any()
    assert (batches.at(0) != batches.at(312)).any()


def test_processes_share_a_batch(batches: SizeGroupedBatches) -> None:
    shares = [batches.at(7, rank, 4) for rank in range(4)]
    assert [len(share) for share in shares] == [4, 4, 4, 4]
    assert sorted(np.concatenate(shares)) == sorted(batches.at(7))


def test_sizes_are_nearly_equal_within_a_batch(sizes: np.ndarray, batches: SizeGroupedBatches) -> None:
    spread = np.ptp(sizes[epoch(batches, 0)], axis=1)
    shuffled = np.ptp(np.random.default_rng(0).permutation(sizes)[: 312 * BATCH].reshape(-1, BATCH), axis=1)
    assert spread.mean() < 1.5
    assert shuffled.mean() > 5
    assert len(sizes) > POOL * BATCH


def test_too_few_molecules_are_refused() -> None:
    with pytest.raises(InputError, match="5 molecules"):
        SizeGroupedBatches(np.ones(5), 8, seed=0)
