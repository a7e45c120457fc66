"""What a molecule accepts and what it refuses."""

import numpy as np
import pytest

from molscore.errors import ElementError, PositionError, SizeError
from molscore.molecules import Molecule


def test_it_knows_its_atoms(water) -> None:
    assert (water.n_atoms, len(water), water.symbols, water.formula) == (3, 3, ["O", "H", "H"], "H2O")
    assert water.numbers.dtype == np.int64
    assert water.positions.dtype == np.float64
    assert "water" in repr(water)
    assert "water" in water.label


def test_it_is_a_copy() -> None:
    numbers, positions, properties = np.array([6]), np.zeros((1, 3)), {"a": 1}
    molecule = Molecule(numbers, positions, properties=properties)
    numbers[0], positions[0, 0], properties["a"] = 7, 9.0, 2
    assert molecule.numbers[0] == 6
    assert molecule.positions[0, 0] == 0.0
    assert molecule.properties == {"a": 1}
    with pytest.raises(AttributeError):
        molecule.name = "other"


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (9,), (3, 3, 1)])
def test_positions_of_the_wrong_shape(shape) -> None:
    with pytest.raises(PositionError, match="shape"):
        Molecule([8, 1, 1], np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_that_are_not_finite_name_the_atom(value) -> None:
    positions = np.zeros((3, 3))
    Molecule([8, 1, 1], positions, name="w")
    positions[1, 2] = value
    with pytest.raises(PositionError, match="'w'.*atom 1 is not finite"):
        Molecule([8, 1, 1], positions, name="w")


def test_positions_that_are_no_numbers() -> None:
    with pytest.raises(PositionError, match="not numbers"):
        Molecule([6], [["a", "b", "c"]])


@pytest.mark.parametrize("numbers", [[], [[6]], 6])
def test_no_atoms(numbers) -> None:
    with pytest.raises(SizeError):
        Molecule(numbers, np.zeros((0, 3)))


@pytest.mark.parametrize("number", [0, -1, 119, 6.5, np.nan, 2**40, "C", None])
def test_what_is_no_atomic_number(number) -> None:
    with pytest.raises(ElementError):
        Molecule([number], [[0.0, 0.0, 0.0]])


def test_whole_floats_are_atomic_numbers() -> None:
    assert Molecule([6.0, 1.0], np.zeros((2, 3))).symbols == ["C", "H"]
