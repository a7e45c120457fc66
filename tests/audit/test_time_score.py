"""The time-score test finds a density's drift with the noise, and nothing where there is none."""

import numpy as np
import pytest
import torch

from molscore.audit import Options
from molscore.audit.time_score import errors_of, time_score, time_score_part
from molscore.datasets.molecule_set import MoleculeSet
from tests import tiny
from tests.audit.known import Known, water
from tests.mixtures import GaussianMixture, shapes

EDGES = np.log(np.geomspace(0.02, 20.0, 6))
N = 400


@pytest.mark.parametrize(("make", "n"), [(shapes, N), (lambda generator: water(), 60)])
def test_a_true_density_passes(make, n: int, generator: torch.Generator) -> None:
    mixture = make(generator)
    x = mixture.sample(n, generator)[0]
    part = time_score_part(errors_of(Known(mixture, n), x, np.arange(n), EDGES, 0), EDGES)
    assert part.checks[0].passed is (True if n == N else None)
    assert part.checks[0].value < 3
    assert max(abs(row[3]) for row in part.tables[1].rows) < 3.5


def test_a_density_of_another_width_integrates_to_one() -> None:
    """It solves the Fokker-Planck equation, whatever the data; its time score has a mean, which is the control."""
    data, model = (
        GaussianMixture(torch.ones(1), torch.zeros(1, 4, 3), torch.tensor([width**2])) for width in (0.5, 0.7)
    )
    x = data.sample(N, torch.Generator().manual_seed(0))[0]
    tables = time_score_part(errors_of(Known(model, N), x, np.arange(N), EDGES, 0), EDGES).tables
    of_time_score, of_fokker_planck = (max(abs(row[3]) for row in table.rows) for table in tables)
    assert of_fokker_planck < 3.5
    assert of_time_score > 5


def test_what_too_few_molecules_would_hide_is_inconclusive(generator: torch.Generator) -> None:
    """A drift of a nat an e-fold below 0.08 Å: 40 molecules do not show it, which is no reason to pass; many do."""
    mixture = shapes(generator)
    x = mixture.sample(N, generator)[0]

    def check(n: int):
        error = lambda y, sigma: (sigma / 0.08).log().clamp(max=0.0)  # noqa: E731
        return time_score_part(errors_of(Known(mixture, n, error), x[:n], np.arange(n), EDGES, 0), EDGES).checks[0]

    few = check(40)
    assert few.passed is None and few.value < 3 and "too few molecules" in few.why
    assert check(N).passed is False


def test_a_drift_is_found_and_noise_is_a_molecules_own(generator: torch.Generator) -> None:
    mixture, n = shapes(generator), 40
    x = mixture.sample(n, generator)[0]
    whole = errors_of(Known(mixture, n), x, np.arange(n), EDGES, 0)
    drifting = errors_of(Known(mixture, n, lambda y, sigma: -2 * sigma.log()), x, np.arange(n), EDGES, 0)
    assert time_score_part(drifting, EDGES).checks[0].passed is False
    np.testing.assert_allclose(drifting - whole, -2, atol=1e-9)
    half, other = (errors_of(Known(mixture, 4), x[4:8], rows, EDGES, 0) for rows in (np.arange(4, 8), np.arange(4)))
    np.testing.assert_allclose(whole[:, 4:8], half, atol=1e-9)
    assert np.abs(other - half).max() > 0.1


def test_a_model_is_taken_through(rng) -> None:
    held_out = MoleculeSet.from_molecules(tiny.geometries())
    part = time_score(tiny.model(), held_out, Options(molecules=4, resolution=0.2, sigma_min=0.1, sigma_max=10.0))
    assert len(part.tables[0].rows) == 10
    assert np.isfinite([row[1] for row in part.tables[0].rows]).all()
