"""Drawing: seeds, formulas, sizes, evaluations, as many as were asked for, and a sampler that follows the network."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molscore.errors import ElementError, FormulaError, InputError, SizeError
from molscore.molecules import Molecule
from molscore.molecules.chem import from_smiles
from molscore.screening import generate
from molscore.screening.columns import DRAWN
from molscore.screening.generate import Request, draw
from molscore.screening.sample import SAMPLERS, Plan, Sampling, draw_formulas, draw_positions
from tests import tiny

FEW = Sampling(steps=3)


def positions(candidates) -> np.ndarray:
    return np.concatenate([c.positions for c in candidates])


@pytest.fixture
def real(monkeypatch) -> list[int]:
    """A sampler that finds real molecules, two of three times; the sizes of the rounds."""
    held, rounds = tiny.geometries(), []

    def found(model: object, counts: np.ndarray, seed: int, *rest: object) -> list[Molecule]:
        rng = np.random.default_rng(seed)
        rounds.append(len(counts))
        chosen = [held[i] for i in rng.integers(len(held), size=len(counts))]
        noise = [
            (0.01, 0.01, 2.0)[i] * rng.standard_normal(m.positions.shape)
            for i, m in zip(rng.integers(3, size=len(chosen)), chosen, strict=True)
        ]
        return [Molecule(m.numbers, m.positions + z) for m, z in zip(chosen, noise, strict=True)]

    monkeypatch.setattr(generate, "draw_positions", found)
    return rounds


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_draws_the_same_molecules(model, sampler) -> None:
    one, two, other = (draw(model, 5, seed, Sampling(steps=3, sampler=sampler)) for seed in (1, 1, 2))
    assert np.array_equal(positions(one), positions(two))
    assert [c.formula for c in one] == [c.formula for c in two]
    assert positions(one).shape != positions(other).shape or not np.allclose(positions(one), positions(other))


def test_candidates_are_molecules_that_the_model_judged(model) -> None:
    drawn = draw(model, 7, 0, FEW, 0.1)
    assert [c.index for c in drawn] == list(range(7))
    assert all(isinstance(c, Molecule) for c in drawn)
    assert np.allclose([c.log_likelihood for c in drawn], model.log_likelihood(drawn, 0.1), atol=1e-3)
    percentiles = np.array([c.percentile for c in drawn], dtype=np.float64)
    assert np.allclose(percentiles, model.percentile(drawn, 0.1), atol=0.5, equal_nan=True)
    assert {c.resolution for c in drawn} == {0.1}
    assert np.abs([c.positions.mean(0) for c in drawn]).max() < 1e-4
    assert all(c.percentile is None for c in draw(model, 2, 0, FEW, 0.07))  # no table, and no complaint


def test_one_gets_as_many_as_one_asks_for(model, real) -> None:
    found = generate.generate(model, Request(12, min_percentile=0.0))
    passed = [c for c in found if c.passed]
    assert len(passed) == 12 == len({c.smiles for c in passed})
    assert len(real) > 1 and sum(real) == len(found)  # the first round was not enough
    assert [c.index for c in sorted(found, key=lambda c: c.index)] == list(range(len(found)))
    assert len({c.name for c in found}) == len(found)
    last = max(c.index for c in passed)
    assert all(c.index > last for c in found if c.verdict.check == "surplus")
    percentiles = [c.percentile for c in passed]
    assert percentiles == sorted(percentiles, reverse=True)
    again = model.generate(12, min_percentile=0.0)
    assert [c.name for c in again] == [c.name for c in passed]
    with_oxygen = model.generate(4, min_percentile=0.0, smarts="[#8]")
    assert len(with_oxygen) == 4 and all("O" in c.formula for c in with_oxygen)


def test_one_gets_as_many_as_one_asks_for_of_the_best_share(model, real) -> None:
    found = generate.generate(model, Request(6, min_percentile=0.0, keep=0.5))
    passed, dropped = (
        [c for c in found if keep(c)] for keep in (lambda c: c.passed, lambda c: c.verdict.check == DRAWN)
    )
    assert len(passed) == 6 and dropped
    assert min(c.density_excess for c in passed) >= max(c.density_excess for c in dropped)


def test_a_search_for_more_than_there_are_is_given_up(model, real, monkeypatch) -> None:
    kinds, patience = len(tiny.LIBRARY), 20
    monkeypatch.setattr(generate, "PATIENCE", patience)
    request = Request(2 * kinds, min_percentile=0.0)
    found = generate.generate(model, request)
    assert sum(c.passed for c in found) <= kinds + 2
    assert patience < len(found) <= request.most_draws
    assert len(found) - max(c.index for c in found if c.passed) > patience


def test_drawn_formulas_follow_the_distribution(model) -> None:
    counts = draw_formulas(model, 4000, 0, None, None)
    held = np.array([m.n_atoms for m in tiny.geometries()])
    expected = np.exp(model.composition.log_prob_size(np.arange(15)))
    assert np.abs(np.bincount(counts.sum(1), minlength=15) / 4000 - expected).max() < 0.03
    assert abs(counts.sum(1).mean() - held.mean()) < 1.0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"formula": "C1H9"}, FormulaError), ({"formula": "C2H6S"}, ElementError), ({"formula": "C6H14"}, SizeError),
        ({"n_atoms": 1}, SizeError), ({"n": 0}, InputError), ({"min_percentile": 100.0}, InputError),
        ({"temperature": 1.1}, InputError), ({"temperature": 0.6, "sampler": "ode"}, InputError),
        ({"retries": -1}, InputError), ({"guidance": -1.0}, InputError), ({"resolution": 0.07}, InputError),
        ({"flavour": "sweet"}, TypeError),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_before_the_network_runs(model, monkeypatch, options, error) -> None:
    monkeypatch.setattr(type(model.network), "denoise", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(error):
        model.generate(**{"n": 2, **options})


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("steps", "retries"), [(1, 2), (2, 0), (5, 2), (25, 2), (50, 0), (50, 2)])
def test_steps_count_network_evaluations(model, monkeypatch, sampler, steps, retries) -> None:
    """Of a molecule that is never sent back. The first of four has no bonds that fit until it was sent back twice."""
    passes, network = [], type(model.network)
    denoise = network.denoise
    monkeypatch.setattr(network, "denoise", lambda self, y, *a: passes.append(len(y)) or denoise(self, y, *a))
    fits = iter([[-torch.inf, 0.0, 0.0, 0.0], [-torch.inf]])
    monkeypatch.setattr("molscore.screening.sample.log_weights", lambda *_: torch.tensor(next(fits)))
    sampling, ticks = Sampling(steps=steps, sampler=sampler, retries=retries), []
    draw_positions(model, np.array([[2, 0, 0, 1, 0]] * 4), 0, sampling, tick=lambda: ticks.append(1))
    assert len(passes) == len(ticks)
    straight = Plan.of(sampling).evaluations
    assert 0.9 * steps - 1 <= straight <= steps
    levels, branch, _ = Plan.of(sampling)
    assert bool(branch.stop) == (steps >= 25)
    down = len(levels[branch]) - 1
    if sampler == "sde":
        down += int(((levels[branch][1:-1] >= 0.25) & (levels[branch][1:-1] <= 0.8)).sum())
    again = 2 * down + 1 if retries and branch.stop else 0  # seen once between
    assert passes.count(1) == again and sum(passes) == 4 * straight + again


def test_what_has_no_bonds_that_fit_is_sent_back_and_the_rest_left_alone(model, monkeypatch) -> None:
    """Of four molecules the second and third are misfits, the third for ever: the others are as without retries."""
    counts, seen = np.array([[2, 0, 0, 1, 0]] * 4), []
    answers = iter([[0.0, -torch.inf, -torch.inf, 0.0], [0.0, -torch.inf], [-torch.inf]])

    def weights(guide: object, molecules: list) -> torch.Tensor:
        seen.append(len(molecules))
        return torch.tensor(next(answers))

    monkeypatch.setattr("molscore.screening.sample.log_weights", weights)
    sampling = Sampling(steps=50, sampler="ode", retries=3)
    found = draw_positions(model, counts, 0, sampling)
    assert seen == [4, 2, 1]
    monkeypatch.setattr("molscore.screening.sample.log_weights", lambda _, molecules: torch.zeros(len(molecules)))
    plain = draw_positions(model, counts, 0, sampling)
    assert [np.allclose(a.positions, b.positions, atol=1e-5) for a, b in zip(found, plain, strict=True)] == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_network_that_knows_the_molecule_draws_it(model, monkeypatch, sampler) -> None:
    """With D(y) = x for one geometry x, every sampler must end at x."""
    molecule = next(m for m in tiny.geometries() if m.formula == "C2H6O")
    order = np.lexsort((molecule.numbers, molecule.numbers == 1))
    x = torch.tensor(molecule.positions[order] - molecule.positions.mean(0), dtype=torch.float32)
    counts = np.array([molecule.symbols.count(symbol) for symbol in tiny.ELEMENTS])
    with monkeypatch.context() as patch:
        known = lambda self, y, *_: SimpleNamespace(fine=x.expand_as(y), coarse=x.expand_as(y))  # noqa: E731
        patch.setattr(type(model.network), "denoise", known)
        drawn = draw_positions(model, counts[None].repeat(70, 0), 0, Sampling(steps=20, sampler=sampler))
    assert len(drawn) == 70  # more than one batch
    assert drawn[0].numbers.tolist() == molecule.numbers[order].tolist()  # heavy atoms first
    assert max(np.abs(m.positions - x.numpy()).max() for m in drawn) < 1e-4


def test_guidance_leads_away_from_the_coarse_guess(model, monkeypatch) -> None:
    """With fine and coarse guesses that never change, the end is the fine one: guidance stops before bonds are made."""
    counts, x = np.array([[2, 0, 0, 1, 0]]), torch.tensor([[[0.0, 0, 0.6], [0, 0, -0.6], [0, 0, 0]]])
    known = lambda self, y, *_: SimpleNamespace(fine=x, coarse=0.5 * x)  # noqa: E731
    monkeypatch.setattr(type(model.network), "denoise", known)
    ends = [
        draw_positions(model, counts, 0, Sampling(steps=20, guidance=2.0, guided=guided, retries=0))[0].positions
        for guided in ((0.1, 1.0), (0.0, 1.0))
    ]
    assert np.allclose(ends[0], x[0], atol=1e-3) and np.allclose(ends[1], 2 * x[0], atol=1e-3)


def test_the_same_molecules_whatever_the_number_of_cores(model) -> None:
    counts, before, drawn = np.array([[2, 0, 0, 1, 0]] * 70), torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            drawn.append(np.stack([m.positions for m in draw_positions(model, counts, 0, Sampling(steps=6))]))
    finally:
        torch.set_num_threads(before)
    assert (drawn[0] == drawn[1]).all()
    other = draw_positions(model, counts, 1, Sampling(steps=6))
    assert (np.stack([m.positions for m in other]) != drawn[0]).any()


def test_positions_that_are_not_finite_are_turned_down(model, monkeypatch) -> None:
    lost = lambda self, y, *_: SimpleNamespace(fine=y * torch.nan, coarse=y)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(type(model.network), "denoise", lost)
        drawn = draw(model, 3, 0)
    assert not any(c.passed for c in drawn)
    assert all(np.isnan(c.log_likelihood) for c in drawn)


def test_novelty_needs_the_training_molecules(model) -> None:
    extras = {name: table for name, table in model.checkpoint.extras.items() if not name.startswith("known")}
    bare = type(model)(model.checkpoint._replace(extras=extras))
    with pytest.raises(InputError, match="known molecules"):
        bare.generate(2, novel=True)
    assert all(c.novel is None for c in draw(bare, 2, 0, FEW))
    assert str(model.training_index) == f"tiny, {len(tiny.LIBRARY[::2])} molecules"
    assert model.training_index.contains(tiny.LIBRARY[0]) and from_smiles(tiny.LIBRARY[0])


def test_a_guide_needs_steps(model) -> None:
    with pytest.raises(InputError, match="a guide needs 25 steps or more, not 24"):
        model.generate(1, steps=24, guide=lambda candidate: 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branch": (1.0, 0.25)}, "branch is \\(low, high\\)"),
        ({"branch": (0.25, 100.0)}, "branch ends below 12 Å"),
        ({"branch": None}, "branch is a pair"),
        ({"guided": "x"}, "guided is a pair"),
        ({"corrected": "no"}, "corrected is a pair"),
        ({"step_size": -1.0}, "step_size lies above 0"),
        ({"step_size": float("nan")}, "step_size lies above 0"),
        ({"sampler": ["sde"]}, "sampler"),
        ({"retries": -1}, "retries"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**settings)
    assert Sampling(corrected=None).corrected is None
