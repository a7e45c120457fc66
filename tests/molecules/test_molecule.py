"""What a molecule and a distribution of molecules accept, and what they refuse."""

import numpy as np
import pytest

from molscore.errors import ElementError, InputError, PositionError, SizeError
from molscore.molecules import Distribution, Molecule

THREE = np.zeros((3, 3))
NOT_FINITE = np.array([[0, 0, 0], [0, 0, np.nan], [0, 0, 0]])


def test_it_knows_its_atoms_and_is_a_copy(water) -> None:
    assert (water.n_atoms, len(water), water.symbols, water.formula) == (3, 3, ["O", "H", "H"], "H2O")
    assert (water.numbers.dtype, water.positions.dtype) == (np.int64, np.float64)
    assert "water" in repr(water) and "water" in water.label
    numbers, positions, properties = np.array([6.0]), np.zeros((1, 3)), {"a": 1}
    molecule = Molecule(numbers, positions, properties=properties)
    numbers[0], positions[0, 0], properties["a"] = 7, 9.0, 2
    assert (molecule.symbols, molecule.positions[0, 0], molecule.properties) == (["C"], 0.0, {"a": 1})
    with pytest.raises(AttributeError):
        molecule.name = "other"


@pytest.mark.parametrize(
    ("numbers", "positions", "error", "reason"),
    [
        *(([8, 1, 1], np.zeros(shape), PositionError, "shape") for shape in ((2, 3), (3, 2), (9,), (3, 3, 1))),
        ([8, 1, 1], NOT_FINITE, PositionError, "'w'.*atom 1 is not finite"),
        ([8, 1, 1], THREE - np.inf, PositionError, "atom 0 is not finite"),
        ([6], [["a", "b", "c"]], PositionError, "not numbers"),
        *((numbers, np.zeros((0, 3)), SizeError, "atomic numbers") for numbers in ([], [[6]], 6)),
        *(([z, 1, 1], THREE, ElementError, "atomic number") for z in (0, -1, 119, 6.5, np.nan, 2**40, "C", None)),
    ],
)
def test_what_is_no_molecule_is_refused(numbers, positions, error, reason) -> None:
    with pytest.raises(error, match=reason):
        Molecule(numbers, positions, name="w")


PARTS = {
    "name": "toy",
    "elements": ("H", "C", "O"),
    "formula_counts": {(2, 0, 1): 3, (4, 1, 0): 5, (4, 1, 1): 2},
    "sigma_N": {2: 0.7, 3: 0.8, 4: 0.9, 5: 1.0, 6: 1.1},
}


@pytest.mark.parametrize(
    "change",
    [
        {"elements": ()}, {"elements": ("H", "C", "C")}, {"elements": ("H", "C", "Q")}, {"formula_counts": {(1, 2): 1}},
        {"formula_counts": {(0, 0, 0): 1}}, {"formula_counts": {(-1, 2, 1): 1}}, {"formula_counts": {(2, 0, 1): 0}},
        {"sigma_N": {2: 0.7, 3: 0.8, 5: 1.0, 6: 1.1}}, {"sigma_N": PARTS["sigma_N"] | {4: 0.0}},
        {"sigma_N": PARTS["sigma_N"] | {4: float("nan")}}, {"sigma_N": PARTS["sigma_N"] | {1: 1.0}},
    ],
)  # fmt: skip
def test_a_distribution_counts_and_refuses_parts_that_do_not_fit(change) -> None:
    toy = Distribution(**PARTS)
    assert (toy.max_atoms, toy.n_molecules) == (6, 10)
    with pytest.raises((InputError, ElementError)):
        Distribution(**PARTS | change)
