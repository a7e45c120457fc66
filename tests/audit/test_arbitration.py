"""The data say which of two estimates errs: the density's, or the score's."""

import numpy as np
import pytest
import torch
from torch import Tensor

from molscore.audit import Options
from molscore.audit.arbitration import arbitrated, arbitration, arbitration_part
from molscore.datasets.store import MoleculeSet
from tests import tiny
from tests.audit.known import Known, shapes

N, SIGMAS = 2_000, [0.3, 1.0]


class BentScore(Known):
    """A score that errs by an arbitrary field of its own, the density being true."""

    def score(self, y: Tensor, sigma: Tensor) -> Tensor:
        s = super().score(y, sigma)
        return s + 0.5 * (3 * y).sin() / sigma[:, None, None]


def bent_density(y: Tensor, sigma: Tensor) -> Tensor:
    return 0.4 * sigma.log() * (3 * y).sin().sum((1, 2)) + (2 * y).cos().sum((1, 2))


@pytest.mark.parametrize("wrong", ["score", "density"])
def test_the_one_that_errs_is_named(generator: torch.Generator, wrong: str) -> None:
    mixture = shapes(generator)
    x = mixture.sample(N, generator)[0]
    density = BentScore(mixture, N) if wrong == "score" else Known(mixture, N, bent_density)
    part = arbitration_part(arbitrated(density, x, np.arange(N), SIGMAS, 0), SIGMAS)
    for table in part.tables:
        for row in table.rows:
            share, error = row[-2:]
            assert error < 0.2, table.title
            assert abs(share - (wrong == "score")) < 4 * error, (table.title, row)


def test_where_neither_errs_there_is_nothing_between_them(generator: torch.Generator) -> None:
    mixture = shapes(generator)
    x = mixture.sample(40, generator)[0]
    a, b, _ = np.moveaxis(arbitrated(Known(mixture, 40), x, np.arange(40), SIGMAS, 0), 3, 0)
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_model_is_taken_through(rng: np.random.Generator) -> None:
    held_out = MoleculeSet.from_molecules(tiny.geometries())
    part = arbitration(tiny.model(), held_out, Options(n=4, referee=3, resolution=0.2, sigma_min=0.15, sigma_max=10.0))
    assert [len(table.rows) for table in part.tables] == [6, 6]
    assert np.isfinite([row[1] for table in part.tables for row in table.rows]).all()
