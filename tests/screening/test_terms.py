"""A log-likelihood is the sum of its parts, and does not depend on the order of atoms."""

import math

import numpy as np

from molscore.molecules import Molecule
from molscore.screening.predictor import element_counts
from tests import tiny


def test_it_is_the_sum_of_its_parts(model, library) -> None:
    counts = element_counts(library, tiny.ELEMENTS)
    composition = model.composition.log_prob(counts)
    density = model.log_density(library, resolution=0.1)
    permutations = np.array([sum(math.lgamma(n + 1) for n in row) for row in counts])
    whole = model.log_likelihood(library, resolution=0.1)
    assert np.allclose(whole, composition + density + permutations, atol=1e-9)
    assert (composition < 0).all() and (permutations >= 0).all() and permutations.any()


def test_counts_are_of_the_elements_named() -> None:
    assert element_counts([Molecule([8, 1, 1], np.eye(3))], ("C", "H", "O")).tolist() == [[0, 2, 1]]


def test_the_order_of_atoms_does_not_matter(model, library, rng) -> None:
    shuffled = []
    for molecule in library:
        order = rng.permutation(molecule.n_atoms)
        shuffled.append(Molecule(molecule.numbers[order], molecule.positions[order]))
    assert np.allclose(model.log_likelihood(shuffled), model.log_likelihood(library), atol=1e-3)
    # ... but which atom stands where does
    swapped = [Molecule(m.numbers[::-1], m.positions) for m in library]
    assert not np.allclose(model.log_likelihood(swapped), model.log_likelihood(library), atol=1e-3)
