"""p(N) and p(formula | N) are exact: they sum to one, cover what can be, and sample what they say."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from molscore.errors import DistributionError, FormulaError, InputError, SizeError
from molscore.molecules import Distribution
from molscore.molecules.distribution import FormulaPmf, FormulasGiven, smoothed_sizes
from molscore.molecules.elements import check_formula
from tests import tiny

ORGANIC = {
    ("H", "C", "N", "O", "F"): {
        (4, 1, 0, 0, 0): 5, (3, 0, 1, 0, 0): 2, (2, 0, 0, 1, 0): 1, (6, 2, 0, 1, 0): 30, (6, 2, 0, 0, 0): 8,
        (4, 2, 1, 1, 1): 3,
    },
    ("O", "H", "C"): {(1, 4, 1): 3, (0, 4, 1): 1, (0, 6, 2): 20, (1, 4, 2): 7},
    ("Cl", "C", "H", "S"): {(1, 1, 3, 0): 4, (2, 1, 2, 0): 9, (0, 1, 4, 1): 2},
    ("Cl", "O", "H"): {(1, 4, 1): 4, (1, 0, 1): 1},
    ("C",): {(6,): 2, (5,): 1},
}  # fmt: skip


def distribution(elements: tuple[str, ...], counts: dict[tuple[int, ...], int]) -> Distribution:
    largest = max(map(sum, counts))
    return Distribution("test", elements, counts, dict.fromkeys(range(2, largest + 1), 1.0))


def formulas(n_elements: int, size: int) -> np.ndarray:
    """Every way to share `size` atoms among the elements, (F, E)."""
    every = itertools.product(range(size + 1), repeat=n_elements)
    return np.array([counts for counts in every if sum(counts) == size])


def possible(elements: tuple[str, ...], counts: np.ndarray) -> bool:
    try:
        check_formula({symbol: int(n) for symbol, n in zip(elements, counts, strict=True) if n})
    except FormulaError:
        return False
    return True


@pytest.fixture(params=ORGANIC.items(), ids=lambda item: "".join(item[0]))
def pmf(request: pytest.FixtureRequest) -> FormulaPmf:
    return FormulaPmf(distribution(*request.param))


def totals(pmf: FormulaPmf) -> Iterator[float]:
    """Sum of p(formula | N) over all formulas, for every N that p(N) allows."""
    for size in np.flatnonzero(np.isfinite(pmf.log_prob_size(np.arange(pmf.max_atoms + 1)))):
        yield np.exp(pmf.log_prob_formula(formulas(len(pmf.elements), size))).sum()


def test_sizes_and_the_formulas_of_every_size_sum_to_one(pmf: FormulaPmf) -> None:
    assert np.exp(pmf.log_prob_size(np.arange(-5, 100))).sum() == pytest.approx(1, abs=1e-12)
    outside = np.zeros((2, len(pmf.elements)), dtype=int)
    outside[:, 0] = pmf.max_atoms + 1, -1
    assert (pmf.log_prob(outside) == -np.inf).all()
    np.testing.assert_allclose(list(totals(pmf)), 1, rtol=0, atol=1e-12)


def test_a_factor_without_its_denominator_does_not_sum_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    elements, factor = ("O", "H", "C"), FormulaPmf._factor
    pmf = FormulaPmf(distribution(elements, ORGANIC[elements]))
    monkeypatch.setattr(FormulaPmf, "_factor", lambda self, before, sizes: factor(self, before, sizes) * 1.001)
    assert all(abs(total - 1) > 1e-4 for total in totals(pmf))


def test_the_support_is_what_check_formula_passes(pmf: FormulaPmf) -> None:
    for size in range(1, pmf.max_atoms + 1):
        every = formulas(len(pmf.elements), size)
        expected = [possible(pmf.elements, row) for row in every]
        np.testing.assert_array_equal(np.isfinite(pmf.log_prob_formula(every)), expected)
        assert np.isfinite(pmf.log_prob_size(size)) == any(expected)


def test_a_radical_that_was_observed_stays_in_the_support() -> None:
    pmf = FormulaPmf(distribution(("H", "C"), {(3, 1): 2, (4, 1): 5}))
    methyl, cyclopropenyl = pmf.log_prob_formula([[3, 1], [1, 3]])
    assert np.isfinite(methyl)
    assert cyclopropenyl == -np.inf
    np.testing.assert_allclose(list(totals(pmf)), 1, rtol=0, atol=1e-12)


def test_samples_follow_the_probabilities(pmf: FormulaPmf, rng: np.random.Generator) -> None:
    n = 40_000
    drawn, seen = np.unique(pmf.sample(n, rng), axis=0, return_counts=True)
    every = np.concatenate([formulas(len(pmf.elements), size) for size in range(1, pmf.max_atoms + 1)])
    p = np.exp(pmf.log_prob(every))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    table = {tuple(row): k for row, k in zip(drawn.tolist(), seen.tolist(), strict=True)}
    k = np.array([table.get(tuple(row), 0) for row in every.tolist()])
    assert k.sum() == n
    assert (k[p == 0] == 0).all()
    assert np.abs((k - n * p) / np.sqrt(n * p + 1)).max() < 5
    assert np.abs((k - n * np.roll(p, 1)) / np.sqrt(n * np.roll(p, 1) + 1)).max() > 5 or len(every) < 12
    assert (pmf.sample(50, rng, n_atoms=pmf.max_atoms).sum(1) == pmf.max_atoms).all()
    assert pmf.sample(0, rng).shape == (0, len(pmf.elements))


def test_what_cannot_be_is_refused(pmf: FormulaPmf, rng: np.random.Generator) -> None:
    for n_atoms in (-1, 0, 10_000):
        with pytest.raises(SizeError, match=f"{n_atoms} atoms"):
            pmf.sample(1, rng, n_atoms=n_atoms)
    with pytest.raises(InputError, match="shape"):
        pmf.log_prob_formula(np.zeros((2, len(pmf.elements) + 1), dtype=int))
    with pytest.raises(DistributionError, match="no formulas"):
        FormulaPmf(Distribution("empty", ("H",), {}, {}))


def test_smoothing_costs_little_and_covers_what_was_not_seen(rng: np.random.Generator) -> None:
    """Of 20,000 alkanes, alcohols and amines, judged by as many others of the same kind."""

    def draw(n: int) -> np.ndarray:
        C, N, O = rng.poisson(6, n) + 1, rng.binomial(2, 0.3, n), rng.binomial(3, 0.3, n)
        H = 2 * C + N + 2 - 2 * rng.binomial(C, 0.3)
        return np.stack([H, C, N, O], axis=1)

    seen, n = np.unique(draw(20_000), axis=0, return_counts=True)
    pmf = FormulaPmf(distribution(("H", "C", "N", "O"), dict(zip(map(tuple, seen.tolist()), n.tolist(), strict=True))))
    held_out = draw(20_000)
    held_out = held_out[held_out.sum(1) <= pmf.max_atoms]
    entropy = -pmf.log_prob(pmf.sample(20_000, np.random.default_rng(0))).mean()
    assert np.isfinite(pmf.log_prob(held_out)).all()
    assert -pmf.log_prob(held_out).mean() == pytest.approx(entropy, abs=0.06)
    uniform = np.mean([math.log(math.comb(int(size) + 3, 3)) for size in held_out.sum(1)])
    assert -pmf.log_prob_formula(held_out).mean() < uniform - 2


def test_smoothed_sizes_keep_a_large_histogram_and_fill_its_gaps() -> None:
    counts = np.array([0, 0, 0, 100, 4000, 0, 6000])
    p = smoothed_sizes(counts, np.arange(7) > 0)
    histogram = counts / counts.sum()
    entropy = -np.sum(histogram[3:] * np.log(np.where(histogram[3:] > 0, histogram[3:], 1)))
    cross = -np.sum(histogram[1:] * np.log(p[1:]))
    assert p.sum() == pytest.approx(1, abs=1e-15)
    assert p[0] == 0
    assert (p[1:] > 0).all()
    assert 0 <= cross - entropy < 0.001


@pytest.fixture(scope="module")
def plain() -> FormulaPmf:
    return FormulaPmf(tiny.distribution())


ETHANOL, BENZENE = (6, 2, 0, 1, 0), (6, 6, 0, 0, 0)
UNSEEN = (8, 3, 2, 0, 0)  # C3H8N2, in no formula of the library


def every_formula(max_atoms: int) -> np.ndarray:
    grid = np.indices((max_atoms + 1,) * 5).reshape(5, -1).T
    return grid[(grid.sum(1) > 0) & (grid.sum(1) <= max_atoms)]


@pytest.mark.parametrize("references", [[ETHANOL], [ETHANOL, BENZENE, UNSEEN]])
def test_given_references_it_sums_to_one_too(plain: FormulaPmf, references: list) -> None:
    given = FormulasGiven(plain, references)
    counts = every_formula(plain.max_atoms)
    assert np.exp(given.log_prob(counts)).sum() == pytest.approx(1.0, abs=1e-9)
    assert np.exp(given.log_prob_size(np.arange(plain.max_atoms + 1))).sum() == pytest.approx(1.0, abs=1e-9)
    nine = counts[counts.sum(1) == 9]
    assert np.exp(given.log_prob(nine) - given.log_prob_size(9)).sum() == pytest.approx(1.0, abs=1e-9)


def test_it_leans_to_the_references_whatever_their_order(plain: FormulaPmf) -> None:
    references = [ETHANOL, UNSEEN, BENZENE, ETHANOL]
    given, shuffled = FormulasGiven(plain, references), FormulasGiven(plain, references[::-1])
    assert np.array_equal(given.log_prob(references), shuffled.log_prob(references))
    assert (given.log_prob([ETHANOL, UNSEEN]) > plain.log_prob([ETHANOL, UNSEEN])).all()
    far = [(4, 1, 0, 0, 0)]  # methane
    assert FormulasGiven(plain, [BENZENE] * 16).log_prob(far) < plain.log_prob(far)


def test_given_references_it_draws_what_it_says(plain: FormulaPmf) -> None:
    given = FormulasGiven(plain, [ETHANOL, UNSEEN])
    drawn = given.sample(20_000, np.random.default_rng(0))
    found, n = np.unique(drawn, axis=0, return_counts=True)
    common = n > 50
    expected = np.exp(given.log_prob(found))[common]
    assert np.abs(n[common] / 20_000 - expected).max() < 5 * np.sqrt(expected.max() / 20_000)
    assert (drawn.sum(1) == 13).any() and set(given.sample(500, np.random.default_rng(0), 9).sum(1)) == {9}
    at_nine = given.sample(20_000, np.random.default_rng(1), 9)
    share = (at_nine == ETHANOL).all(1).mean()
    assert share == pytest.approx(float(np.exp(given.log_prob([ETHANOL]) - given.log_prob_size(9))[0]), abs=0.015)
    with pytest.raises(SizeError):
        given.sample(1, np.random.default_rng(0), 99)
