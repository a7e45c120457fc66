"""Bennett's ladder finds log Z of densities whose normaliser is known, and the mean error of those of a wrong shape."""

import numpy as np
import pytest
import torch

from molscore.audit.bennett import Ladder, bennett, climb, offsets
from molscore.audit.ladder import ladder, spreads
from molscore.diffusion import GaussianMixture
from tests.audit.known import Error, Known, shapes, water


def estimate(
    mixture: GaussianMixture, error: Error | None, generator: torch.Generator, n: int = 300
) -> tuple[np.ndarray, Ladder]:
    levels, x = ladder(0.03, 20.0, 0.25), mixture.sample(n, generator)[0]
    density = Known(mixture, n, error)
    return levels, offsets(climb(density, x, levels, spreads(density, x, levels, 0), generator))


@pytest.mark.parametrize(("make", "n"), [(shapes, 300), (lambda generator: water(), 40)])
def test_a_true_density_is_normalised(make, n: int, generator: torch.Generator) -> None:
    _, found = estimate(make(generator), None, generator, n)
    assert np.abs(found.offset).max() < 0.3
    assert np.abs(found.offset / found.error).max() < 4
    assert found.overlap.min() > 0.5


@pytest.mark.parametrize("c", [1.5, -0.7])
def test_a_shift_at_some_levels_is_found_there(c: float, generator: torch.Generator) -> None:
    levels, found = estimate(shapes(generator), lambda y, sigma: c * (sigma < 0.3), generator)
    np.testing.assert_allclose(found.offset[levels < 0.3], -c, atol=0.15)
    np.testing.assert_allclose(found.offset[levels >= 0.3], 0.0, atol=0.15)


def test_an_error_of_the_shape_shows_as_the_mean_error(generator: torch.Generator) -> None:
    """Bounded in y and the same at all low levels, so that no estimate at one y would see it."""
    mixture = shapes(generator)

    def error(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.tanh(4 * y[:, 0, 0]) * torch.exp(-sigma.square()) + 0.5 * torch.exp(-sigma.square())

    levels, found = estimate(mixture, error, generator)
    y = mixture.sample(4000, generator, levels[0])[0]
    expected = -float(error(y, torch.tensor(levels[0])).mean())
    assert abs(expected) > 0.3
    assert found.offset[0] == pytest.approx(expected, abs=0.15)


def test_two_gaussians_of_known_ratio(rng: np.random.Generator) -> None:
    """ln of the ratio of exp(-x^2/2) to exp(-(x - 1)^2/2 - 2) has mean normalisers that differ by 2."""
    up, down = rng.normal(size=20_000), rng.normal(1.0, 1.0, size=20_000)

    def work(x: np.ndarray) -> np.ndarray:
        return -(x**2) / 2 + (x - 1) ** 2 / 2 + 2

    C, influence, overlap = bennett(work(up), work(down))
    assert abs(C - 2.0) < 4 * influence.std() / 141
    assert influence.std() / 141 < 0.02
    assert 0.5 < overlap < 1
    assert bennett(work(up), work(down + 9))[2] < 0.2
