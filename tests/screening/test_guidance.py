"""What composed scores are the scores of; a guide tilts the density by its exponential, and says what it costs."""

import math

import numpy as np
import pytest
import torch

from molscore.diffusion.sampling import autoguidance, denoised, metropolis, score_of
from molscore.errors import InputError
from molscore.molecules.conformers import embed
from molscore.molecules.neighbours import topology
from molscore.screening import generate
from molscore.screening.checks import Candidate, inspect
from molscore.screening.generate import Request
from molscore.screening.guidance import GUIDES, guide_of, log_weights
from molscore.screening.sample import Sampling, Wanted, draw_positions
from tests import tiny


@pytest.fixture
def y(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(4, 3, 3, generator=generator, dtype=torch.float64)


def test_autoguidance_leaves_the_worse_score_within_its_interval_alone(y: torch.Tensor) -> None:
    level, score = torch.full((4,), 0.3, dtype=torch.float64), torch.sin(y)
    torch.testing.assert_close(score_of(y, level, denoised(y, level, score)), score)
    guided = autoguidance(lambda y, sigma: (-y, -0.5 * y), 2.0, (0.1, 1.0))
    sigma = torch.tensor([0.05, 0.1, 1.0, 1.1], dtype=torch.float64)
    expected = torch.tensor([1.0, 2.0, 2.0, 1.0], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(guided(y, sigma), -expected * y)
    torch.testing.assert_close(autoguidance(lambda y, sigma: (-y, y), 0.0, (0.1, 1.0))(y, sigma), -y)


def test_reversible_moves_accepted_by_metropolis_tilt_a_density(generator: torch.Generator) -> None:
    """N(0, 1) times exp(x) is N(1, 1). The move: noise s on x, then a draw of x given both, keeps N(0, 1)."""
    s2 = 1.0

    def move(x: torch.Tensor) -> torch.Tensor:
        y = x + math.sqrt(s2) * torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return y / (1 + s2) + math.sqrt(s2 / (1 + s2)) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

    x = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    still = metropolis(x, lambda x: torch.zeros(len(x)), move, 10, generator)
    tilted = metropolis(x, lambda x: x[:, 0], move, 30, generator)
    assert float(still.mean()) == pytest.approx(0.0, abs=0.03) and float(still.var()) == pytest.approx(1.0, abs=0.04)
    assert float(tilted.mean()) == pytest.approx(1.0, abs=0.04) and float(tilted.var()) == pytest.approx(1.0, abs=0.05)
    weight = lambda x: torch.where(x[:, 0] > 0, 0.0, -torch.inf)  # noqa: E731
    moved = metropolis(
        x[:500], weight, lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype), 12, generator
    )
    assert (moved > 0).all() and (x[:500] < 0).any(), "what weighs nothing is left and not entered"


def test_guides_by_name() -> None:
    phenol, heptane = (inspect(embed(smiles)[0], 0) for smiles in ("Oc1ccccc1", "CCCCCCC"))
    assert guide_of("logp")(heptane) > guide_of("logp")(phenol)
    assert guide_of("logp=1.4")(phenol) > guide_of("logp=1.4")(heptane)
    assert guide_of("tpsa", 2.0)(phenol) == pytest.approx(2.0 * 20.23 / 20.0)
    assert guide_of("gyration")(heptane) > guide_of("gyration")(phenol)
    assert set(log_weights(guide_of("qed"), [phenol, heptane]).isfinite().tolist()) == {True}
    assert log_weights(lambda c: float("nan"), [phenol])[0] == -torch.inf
    own, other = (guide_of("shape=CCCCCCC", 1.0)(candidate) for candidate in (heptane, phenol))
    assert own == pytest.approx(10.0, abs=0.1) and other < 8.0
    for wrong in ("beauty", "logp=much", "shape"):
        with pytest.raises(InputError, match=r"beauty|much|shape"):
            guide_of(wrong)
    assert guide_of("qed=1", 1.0)(phenol) < 0
    for wrong in ("qed=2", "qed=-0.1", "qed=nan", "tpsa=-5", "gyration=-1", "logp=inf"):
        with pytest.raises(InputError, match=rf"{wrong}.*lies between"):
            guide_of(wrong)
    assert GUIDES


def test_draws_follow_the_guide(model, monkeypatch) -> None:
    """Every move is judged once, and what is wanted less is not moved to."""
    seen: list[float] = []

    def weights(guide: object, molecules: list) -> torch.Tensor:
        seen.append(np.mean([np.ptp(m.positions) for m in molecules]))
        return torch.tensor([-50.0 * np.ptp(m.positions) for m in molecules])

    monkeypatch.setattr("molscore.screening.sample.log_weights", weights)
    counts, sampling = np.array([[4, 2, 0, 1, 0]] * 8), Sampling(steps=30, retries=0)
    plain, small = (draw_positions(model, counts, 0, sampling, wanted=w) for w in (None, Wanted(guide=len, moves=5)))
    assert len(seen) == 6
    assert np.mean([np.ptp(m.positions) for m in small]) < np.mean([np.ptp(m.positions) for m in plain])


def test_a_guided_molecule_says_what_it_costs(model, monkeypatch) -> None:
    held = tiny.geometries()
    monkeypatch.setattr(generate, "draw_positions", lambda model, counts, *rest: [held[i] for i in range(len(counts))])

    def atoms(candidate: Candidate) -> float:
        return float(candidate.n_atoms)

    request = Request.of(3, guide=atoms, min_percentile=0.0)
    assert request.wanted == Wanted(guide=atoms)
    found = generate.generate(model, request)
    table = model.references.of(model.references.own).size
    for c in found[:3]:
        like = ([c.n_atoms], [topology(c).rotatable], 0.05)
        assert c.columns()["guide"] == c.n_atoms
        cost = table.value_at(50.0, *like)[0] - c.log_likelihood
        assert c.columns()["likelihood_cost"] == pytest.approx(cost, abs=0.01)
    given = generate.generate(model.given(["CCO"]), request)  # the cost is beside the plain model's molecules
    assert {c.smiles: c.likelihood_cost for c in given} == {c.smiles: c.likelihood_cost for c in found}
    found = generate.generate(model, Request.of(3, guide=lambda c: math.nan if c.n_atoms < 8 else 0, min_percentile=0))
    assert {c.n_atoms < 8 for c in found if c.valid and c.connected} == {True, False}
    assert all(c.verdict.check == "guide" for c in found if c.valid and c.connected and c.n_atoms < 8)
    assert "guide" not in generate.draw(model, 1, 0, Sampling(steps=1))[0].columns()
