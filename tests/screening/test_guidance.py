"""What composed scores are the scores of."""

import pytest
import torch

from molscore.screening.guidance import autoguidance, denoised, score_of, temporal_rescaling
from tests.mixtures import GaussianMixture


@pytest.fixture
def y(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(4, 3, 3, generator=generator, dtype=torch.float64)


def test_a_score_and_its_denoised_mean_say_the_same(y: torch.Tensor) -> None:
    sigma, score = torch.full((4,), 0.3, dtype=torch.float64), torch.sin(y)
    torch.testing.assert_close(score_of(y, sigma, denoised(y, sigma, score)), score)


def test_autoguidance_leaves_the_worse_score_within_its_interval_alone(y: torch.Tensor) -> None:
    guided = autoguidance(lambda y, sigma: (-y, -0.5 * y), 2.0, (0.1, 1.0))
    sigma = torch.tensor([0.05, 0.1, 1.0, 1.1], dtype=torch.float64)
    expected = torch.tensor([1.0, 2.0, 2.0, 1.0], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(guided(y, sigma), -expected * y)
    torch.testing.assert_close(autoguidance(lambda y, sigma: (-y, y), 0.0, (0.1, 1.0))(y, sigma), -y)


def test_rescaling_narrows_modes_and_keeps_their_weights(y: torch.Tensor) -> None:
    """A mode s wide becomes one s/k^1/2 wide at every level: its score times (s^2 + sigma^2)/(s^2/k + sigma^2)."""
    s, k = 0.2, 2.0
    wide, narrow = (GaussianMixture(torch.ones(1), torch.zeros(1, 3, 3), torch.tensor([v])) for v in (s * s, s * s / k))
    for level in (0.01, 0.2, 5.0):
        sigma = torch.full((4,), level, dtype=torch.float64)
        torch.testing.assert_close(
            temporal_rescaling(wide.score, k, s)(y, sigma), narrow.score(y, sigma), rtol=1e-6, atol=0
        )
