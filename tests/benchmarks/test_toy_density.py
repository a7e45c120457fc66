"""The toy of known density is measured rightly, and its training runs."""

from dataclasses import replace

import pytest
import torch

from benchmarks.toy_density import COLUMNS, SMALL, errors, molecules, trained
from molscore.diffusion import SymmetrisedMixture
from molscore.nn import DiScoFormer, Estimate
from molscore.training import TrainConfig

TINY = replace(SMALL, dim=16, vectors=4, heads=2, fine_blocks=1, pair_dim=8, basis=8)


@pytest.fixture
def mixture() -> SymmetrisedMixture:
    return molecules(modes=2)


class Oracle:
    """The truth, with an error for each mode."""

    def __init__(self, mixture: SymmetrisedMixture, by_mode: list[float]) -> None:
        self.mixture, self.by_mode = mixture, torch.tensor(by_mode, dtype=torch.float64)

    def __call__(self, y: torch.Tensor, *others: torch.Tensor) -> Estimate:
        sigma = others[2][0]
        mode = self.mixture.responsibilities(y, sigma).argmax(1)
        return Estimate(y, self.mixture.log_density(y, sigma) + self.by_mode[mode])


def test_errors_are_measured(mixture: SymmetrisedMixture) -> None:
    rmse, bias, spread, weight, _ = errors(Oracle(mixture, [0.0, 0.0]), mixture, 0.05, 300, 0)
    assert max(rmse, abs(bias), spread, weight) < 0.01
    rmse, bias, spread, weight, _ = errors(Oracle(mixture, [2.0, 0.5]), mixture, 0.05, 300, 0)
    assert bias == pytest.approx(2 / 3 + 1 / 3, abs=0.1)
    assert weight == pytest.approx(1.0, abs=0.1)
    assert rmse**2 == pytest.approx(bias**2 + spread**2, rel=0.01)


def test_the_training_runs(mixture: SymmetrisedMixture) -> None:
    config = TrainConfig(data="", out="", model=TINY, steps=3, batch=4, density_batch=4, density_start=1)
    network = trained(mixture, config, "test")
    assert isinstance(network, DiScoFormer)
    found = errors(network, mixture, 0.1, 20, 0)
    assert len(found) == len(COLUMNS) - 2
    assert all(torch.tensor(found).isfinite())
