"""Statistics count exactly, and smooth the spread without inventing it."""

from collections import Counter

import numpy as np
import pytest

from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.statistics import distribution_of, formula_counts, smoothed_sigma
from molscore.errors import ElementError, InputError, PositionError
from molscore.molecules import Molecule


def gaussian_set(rng: np.random.Generator, sizes: np.ndarray, sigma: float = 1.3) -> MoleculeSet:
    """Carbon clouds of known spread."""
    positions = 7.0 + sigma * rng.normal(size=(int(sizes.sum()), 3))
    return MoleculeSet(np.full(int(sizes.sum()), 6), positions, sizes)


def test_formulas_are_counted_exactly_in_the_order_of_elements(random_molecules) -> None:
    molecules = random_molecules(200, sizes=(1, 4))
    held = MoleculeSet.from_molecules(molecules)
    distribution = distribution_of("toy", held)
    assert distribution.elements == ("H", "C", "N", "O", "F")
    wanted = Counter(tuple(int((molecule.numbers == z).sum()) for z in (1, 6, 7, 8, 9)) for molecule in molecules)
    assert distribution.formula_counts == wanted
    assert distribution.n_molecules == 200
    forward = formula_counts(held, ("H", "C", "N", "O", "F"))
    assert np.array_equal(forward[:, ::-1], formula_counts(held, ("F", "O", "N", "C", "H")))


def test_sigma_is_the_spread_per_degree_of_freedom(rng) -> None:
    sigma = smoothed_sigma(gaussian_set(rng, np.repeat([2, 5, 9, 20], 2000)))
    assert list(sigma) == list(range(2, 21))
    assert all(value == pytest.approx(1.3, rel=0.05) for value in sigma.values())
    naive = 1.3 * np.sqrt((5 - 1) / 5)  # dividing by 3N instead of 3(N−1)
    assert abs(sigma[5] - naive) > 0.1


def test_a_size_without_molecules_is_like_its_neighbours(rng) -> None:
    bump = [gaussian_set(rng, np.full(500, n), sigma) for n, sigma in ((5, 1.0), (11, 2.0), (13, 2.0), (20, 1.0))]
    joined = MoleculeSet(*(np.concatenate([getattr(p, f) for p in bump]) for f in ("numbers", "positions", "sizes")))
    sigma = smoothed_sigma(joined)
    assert sigma[12] == pytest.approx(2.0, rel=0.05) and sigma[11] == pytest.approx(2.0, rel=0.05)
    assert sigma[5] == pytest.approx(1.0, rel=0.05)  # many molecules speak for themselves
    assert sigma[17] < 1.7


def test_every_size_has_a_sigma_that_scales_with_the_molecules_wherever_they_are(rng) -> None:
    for sizes in ([29], [3, 29], [1, 2], [1, 1, 40, 40], [5, 6, 6]):
        molecules = gaussian_set(rng, np.array(sizes))
        sigma = smoothed_sigma(molecules)
        assert list(sigma) == list(range(2, max(sizes) + 1))
        assert all(0.05 < value < 20 for value in sigma.values())
        moved = smoothed_sigma(MoleculeSet(molecules.numbers, 2 * molecules.positions - 30, molecules.sizes))
        assert np.allclose(list(moved.values()), 2 * np.array(list(sigma.values())), rtol=1e-4)


def test_atoms_alone_have_no_spread_and_unusable_sets_are_refused() -> None:
    atoms = MoleculeSet.from_molecules([Molecule([6], [[1.0, 2.0, 3.0]])] * 3)
    assert distribution_of("atoms", atoms).sigma_N == {}
    with pytest.raises(InputError, match="no molecules"):
        distribution_of("none", MoleculeSet.from_molecules([]))
    with pytest.raises(PositionError, match="one point"):
        distribution_of("point", MoleculeSet.from_molecules([Molecule([6, 6], np.zeros((2, 3)))]))
    with pytest.raises(ElementError, match=r"molecules\[1\]: element N"):
        formula_counts(MoleculeSet.from_molecules([Molecule([6], [[0, 0, 0]]), Molecule([7], [[0, 0, 0]])]), ("C",))
