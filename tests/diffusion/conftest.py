"""Mixtures with known density and score."""

import pytest
import torch

from tests.mixtures import GaussianMixture, SymmetrisedMixture, shapes


@pytest.fixture
def plain(generator: torch.Generator) -> GaussianMixture:
    """Three modes of four atoms, with the mean of all at zero."""
    return shapes(generator)


@pytest.fixture
def symmetrised(generator: torch.Generator) -> SymmetrisedMixture:
    """Two chiral modes of four atoms, of which two are alike."""
    means = 0.7 * torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    return SymmetrisedMixture(torch.tensor([0.3, 0.7]), means, torch.tensor([0.04, 0.02]), (0, 1, 2, 1))
