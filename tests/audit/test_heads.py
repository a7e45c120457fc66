"""R² of the heads: one where they agree, known where they are made not to."""

import numpy as np
import pytest
import torch

from molscore.audit.heads import heads_part, squares_of
from tests.audit.known import Known
from tests.mixtures import shapes

SIGMAS = [0.02, 0.1, 1.0]
N = 300


class Scaled(Known):
    """A score that is too short, by a factor."""

    def estimate(self, y: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score, U = super().estimate(y, sigma)
        return 0.5 * score, U


def test_true_heads_agree_and_beat_wrong_ones(generator: torch.Generator) -> None:
    mixture = shapes(generator)
    x = mixture.sample(N, generator)[0]
    right = heads_part(squares_of(Known(mixture, N), x, np.arange(N), SIGMAS, 0), SIGMAS, N)
    wrong = heads_part(squares_of(Scaled(mixture, N), x, np.arange(N), SIGMAS, 0), SIGMAS, N)
    assert all(check.passed for check in right.checks)
    assert not any(check.passed for check in wrong.checks)
    for true, false in zip(right.tables[0].rows, wrong.tables[0].rows, strict=True):
        assert true[1] == pytest.approx(1.0, abs=1e-6)
        assert true[3] == pytest.approx(true[4], abs=1e-6)
        assert false[1] == pytest.approx(0.75, abs=1e-6)  # 1 - |s/2|^2/|s|^2
        assert false[3] < true[3]


def test_what_the_noise_hides_is_known(generator: torch.Generator) -> None:
    """A Gaussian of variance v: the true score tells sigma^2/(sigma^2 + v) of the noise."""
    mixture = shapes(generator)
    mixture.means, mixture.variances = torch.zeros_like(mixture.means), torch.full((3,), 0.04, dtype=torch.float64)
    x = mixture.sample(2000, generator)[0]
    part = heads_part(squares_of(Known(mixture, 2000), x, np.arange(2000), SIGMAS, 0), SIGMAS, 2000)
    for sigma, row in zip(SIGMAS, part.tables[0].rows, strict=True):
        assert row[3] == pytest.approx(sigma**2 / (sigma**2 + 0.04), abs=0.02)
