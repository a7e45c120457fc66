"""Drawing: seeds, formulas, sizes, evaluations, and a sampler that ends where the network says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molscore.errors import ElementError, FormulaError, InputError, SizeError
from molscore.molecules import Molecule
from molscore.molecules.chem import from_smiles
from molscore.screening import Request
from molscore.screening.draw import draw_formulas, draw_positions
from molscore.screening.samplers import SAMPLERS
from tests import tiny


def positions(candidates) -> np.ndarray:
    return np.concatenate([c.positions for c in sorted(candidates, key=lambda c: c.index)])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_draws_the_same_molecules(model, sampler) -> None:
    one, two, other = (model.generate(5, seed=seed, steps=3, sampler=sampler) for seed in (1, 1, 2))
    assert np.array_equal(positions(one), positions(two))
    assert [c.formula for c in one] == [c.formula for c in two]
    assert positions(one).shape != positions(other).shape or not np.allclose(positions(one), positions(other))


def test_candidates_are_molecules_that_the_model_judged(model) -> None:
    drawn = model.generate(7, steps=3, resolution=0.1)
    assert len(drawn) == 7 and {c.index for c in drawn} == set(range(7))
    assert all(isinstance(c, Molecule) for c in drawn)
    assert np.allclose([c.log_likelihood for c in drawn], model.log_likelihood(drawn, 0.1), atol=1e-3)
    percentiles = np.array([c.percentile for c in drawn], dtype=np.float64)
    assert np.allclose(percentiles, model.percentile(drawn, 0.1), atol=0.5, equal_nan=True)
    assert {c.resolution for c in drawn} == {0.1}
    assert np.abs([c.positions.mean(0) for c in drawn]).max() < 1e-4
    assert model.estimate(drawn).score.shape[0] == 7


def test_a_formula_or_a_size_is_kept_to(model) -> None:
    assert {c.formula for c in model.generate(4, formula="C2H6O", steps=2)} == {"C2H6O"}
    assert {c.formula for c in model.generate(2, formula="CH3CH2OH", steps=2)} == {"C2H6O"}
    assert {c.n_atoms for c in model.generate(6, n_atoms=9, steps=2)} == {9}
    assert len({c.n_atoms for c in model.generate(12, steps=2)}) > 1


def test_drawn_formulas_follow_the_distribution(model) -> None:
    counts = draw_formulas(model, 4000, 0, None, None)
    held = np.array([m.n_atoms for m in tiny.geometries()])
    expected = np.exp(model.composition.log_prob_size(np.arange(15)))
    assert np.abs(np.bincount(counts.sum(1), minlength=15) / 4000 - expected).max() < 0.03
    assert abs(counts.sum(1).mean() - held.mean()) < 1.0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"formula": "C1H9"}, FormulaError),
        ({"formula": "C2H5"}, FormulaError),
        ({"formula": "C2H6S"}, ElementError),
        ({"formula": "C6H14"}, SizeError),
        ({"formula": "CH4", "n_atoms": 5}, InputError),
        ({"n_atoms": 15}, SizeError),
        ({"n_atoms": 1}, SizeError),
        ({"n": 0}, InputError),
        ({"steps": 0}, InputError),
        ({"seed": -1}, InputError),
        ({"keep": 0.0}, InputError),
        ({"sampler": "magic"}, InputError),
        ({"resolution": 0.07}, InputError),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_the_network_runs(model, monkeypatch, options, error) -> None:
    monkeypatch.setattr(type(model.network), "denoise", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(error):
        model.generate(**{"n": 2, **options})


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 5, 8, 25])
def test_steps_count_network_evaluations(model, monkeypatch, sampler, steps) -> None:
    passes, derivatives, ticks = [], [], []
    network = type(model.network)
    denoise, energy = network.denoise, network.energy
    monkeypatch.setattr(network, "denoise", lambda *a: passes.append(1) or denoise(*a))
    monkeypatch.setattr(network, "energy", lambda *a: derivatives.append(1) or energy(*a))
    draw_positions(model, np.array([[2, 0, 0, 1, 0]] * 3), 0, steps, sampler, tick=lambda: ticks.append(1))
    spent = len(passes) + len(derivatives)
    assert spent == len(ticks) == SAMPLERS[sampler].evaluations(steps)
    assert spent == steps or (sampler in ("heun", "ode") and spent == steps - 1 and steps % 2 == 0)
    assert bool(derivatives) == (sampler == "mala" and steps >= 5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_network_that_knows_the_molecule_draws_it(model, monkeypatch, sampler) -> None:
    """With D(y) = x for one geometry x, every sampler must end at x."""
    molecule = next(m for m in tiny.geometries() if m.formula == "C2H6O")
    order = np.lexsort((molecule.numbers, molecule.numbers == 1))
    x = torch.tensor(molecule.positions[order] - molecule.positions.mean(0), dtype=torch.float32)

    def denoise(self: object, y: torch.Tensor, elements: object, mask: object, sigma, token) -> SimpleNamespace:
        return SimpleNamespace(guided=lambda weight: x.expand_as(y), sigma=sigma)

    def energy(self: object, y: torch.Tensor, denoised: SimpleNamespace, mask: object) -> torch.Tensor:
        return (y - x).square().sum((1, 2)) / (2 * denoised.sigma.square())

    counts = np.array([molecule.symbols.count(symbol) for symbol in tiny.ELEMENTS])
    with monkeypatch.context() as patch:
        patch.setattr(type(model.network), "denoise", denoise)
        patch.setattr(type(model.network), "energy", energy)
        drawn = draw_positions(model, counts[None].repeat(70, 0), 0, 20, sampler)
    assert len(drawn) == 70  # more than one batch
    assert drawn[0].numbers.tolist() == molecule.numbers[order].tolist()
    assert max(np.abs(m.positions - x.numpy()).max() for m in drawn) < 1e-4


@pytest.mark.parametrize("sampler", ["langevin", "mala"])
def test_the_same_molecules_whatever_the_number_of_cores(model, sampler) -> None:
    counts, before, drawn = np.array([[2, 0, 0, 1, 0]] * 70), torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            drawn.append(np.stack([m.positions for m in draw_positions(model, counts, 0, 6, sampler)]))
    finally:
        torch.set_num_threads(before)
    assert (drawn[0] == drawn[1]).all()
    other = draw_positions(model, counts, 1, 6, sampler)
    assert (np.stack([m.positions for m in other]) != drawn[0]).any()


def test_positions_that_are_not_finite_are_turned_down(model, monkeypatch) -> None:
    def denoise(self: object, y: torch.Tensor, *_: object) -> SimpleNamespace:
        return SimpleNamespace(guided=lambda weight: y * torch.nan)

    with monkeypatch.context() as patch:
        patch.setattr(type(model.network), "denoise", denoise)
        drawn = model.generate(3, steps=2)
    assert not any(c.passed for c in drawn)
    assert all(np.isnan(c.log_likelihood) for c in drawn)


def test_heavy_atoms_come_first(model) -> None:
    drawn = draw_positions(model, np.array([[4, 1, 1, 1, 0]]), 0, 1, "langevin")[0]
    assert drawn.symbols == ["C", "N", "O", "H", "H", "H", "H"]


def test_requests_are_checked() -> None:
    assert Request(5).steps == 50
    with pytest.raises(TypeError):
        Request(5, flavour="sweet")


def test_novelty_needs_the_training_molecules(model) -> None:
    extras = {name: table for name, table in model.checkpoint.extras.items() if not name.startswith("known")}
    bare = type(model)(model.checkpoint._replace(extras=extras))
    with pytest.raises(InputError, match="known molecules"):
        bare.generate(2, novel=True)
    assert all(c.novel is None for c in bare.generate(2, steps=1))
    assert str(model.known) == f"tiny, {len(tiny.LIBRARY[::2])} molecules"
    older = torch.tensor([1, 2**41 + 5, -3])
    older = type(model)(model.checkpoint._replace(extras=extras | {"known": older})).known
    assert str(older) == "the training molecules of tiny, 3 molecules"
    assert model.known.contains(tiny.LIBRARY[0]) and from_smiles(tiny.LIBRARY[0])
