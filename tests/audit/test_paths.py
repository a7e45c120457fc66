"""Many paths agree with the truth within their own error, and err less than one where the score is no gradient."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from molscore.audit import Options
from molscore.audit.density import ModelDensity, noise_of
from molscore.audit.paths import PLACES, PROBES, from_many_places, orthogonal, paths
from molscore.audit.referee import flow
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import centre
from molscore.diffusion.likelihood import divergence
from tests import tiny
from tests.audit.known import Known, shapes

SIGMA = 0.1
many = partial(from_many_places, nodes=16, seed=0)


class Astray(Known):
    """A score with an error that has no mean and swings from place to place, where shapes are told apart."""

    def score(self, y: Tensor, sigma: Tensor) -> Tensor:
        s = sigma[:, None, None]
        where = torch.exp(-2 * (s / 0.3).log().square())
        return super().score(y, sigma) + centre(0.4 * where * torch.sin(4 * y / s + 1) / s, self.mask)


def noised(density: Known, generator: torch.Generator) -> Tensor:
    x = density.mixture.sample(len(density.mask), generator)[0]
    return x + SIGMA * noise_of(density.mask, range(len(x)), 1).to(x)


def test_the_truth_lies_within_the_standard_error(generator: torch.Generator) -> None:
    density = Known(shapes(generator), 40)
    y = noised(density, generator)
    found, error = many(density, y, range(40), SIGMA)
    z = (found - density.mixture.log_density(y, SIGMA)) / error
    assert 0.02 < error.mean() < 0.5
    assert abs(float(z.mean())) < 0.5
    assert 0.5 < float(z.square().mean().sqrt()) < 1.5


def test_many_paths_err_less_than_one(generator: torch.Generator) -> None:
    density = Astray(shapes(generator), 30)
    y = noised(density, generator)
    truth = density.mixture.log_density(y, SIGMA)
    one = flow(density, y, range(30), SIGMA, nodes=16)[0] - truth
    mean, error = many(density, y, range(30), SIGMA)
    assert one.std() > 1
    assert (mean - truth).std() < 0.6 * one.std()
    assert error.mean() > 0.2  # and the spread of the paths tells


def test_the_places_go_round_a_basis(generator: torch.Generator) -> None:
    density = Known(shapes(generator), 5)
    y, sigma = noised(density, generator), torch.full((5,), 0.8, dtype=torch.float64)
    basis = torch.stack(orthogonal(density.mask, range(5), 1, 0)[0], 1)  # (d, B, N, 3)
    exact = divergence(density.score, y, sigma, density.mask)[1]
    whole, some = (divergence(density.score, y, sigma, density.mask, e)[1] for e in (basis, basis[:PROBES]))
    torch.testing.assert_close(whole * PROBES / len(basis), exact)
    assert float((some - exact).abs().max()) > 0.01


def test_what_is_random_hangs_on_the_molecule_alone() -> None:
    held_out, model = MoleculeSet.from_molecules(tiny.geometries()), tiny.model()

    def judged(rows: list[int]) -> list[float]:
        batch = held_out.batch(rows, model.network.elements)
        y = batch.positions + 0.2 * noise_of(batch.mask, rows, 3)
        return from_many_places(ModelDensity(model, batch), y, rows, 0.2, nodes=2, seed=0, places=4)[0].tolist()

    together = judged([1, 2])
    # the grid of a path hangs on the sizes in its batch, the noise and the directions do not
    assert np.isfinite(together).all()
    assert judged([1, 2]) == together
    a, b = (orthogonal(torch.ones(len(rows), 5, dtype=torch.bool), rows, 2, 0) for rows in ([4, 7], [7]))
    assert torch.equal(a[1][1], b[1][0])
    assert not torch.equal(a[1][0], a[1][1])


def test_a_model_is_taken_through_and_carries_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("molscore.audit.paths.NODES", 2)
    held_out = MoleculeSet.from_molecules([*tiny.geometries()] * 2)
    options = Options(n=4, referee=2, resolution=0.2, sigma_min=0.15, sigma_max=10.0, output=tmp_path)
    part = paths(tiny.model(), held_out, options)
    assert part.name == "paths"
    assert [verdict.what.split(":")[0] for verdict in part.verdicts] == ["paths"] * 4
    error = next(row[1] for row in part.tables[0].rows if str(row[0]).startswith("standard error"))
    assert error > 0
    assert PLACES % 2 == 0
    (notebook,) = tmp_path.glob("referee-paths*")
    before = notebook.read_bytes()
    paths(tiny.model(), held_out, options)
    assert notebook.read_bytes() == before  # nothing was judged again
