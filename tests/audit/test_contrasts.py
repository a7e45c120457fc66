"""Wrong molecules are wrong in one way only."""

from collections import Counter

import numpy as np
import pytest

from molscore.audit.contrasts import exchanged, shaken, swapped, without_hydrogen
from molscore.molecules import Molecule
from tests import tiny


@pytest.mark.parametrize("molecule", tiny.geometries(), ids=lambda molecule: molecule.formula)
def test_each_change_is_what_it_says(molecule, rng) -> None:
    before = Counter(molecule.symbols)
    if (other := swapped(molecule, rng)) is not None:
        assert np.array_equal(other.positions, molecule.positions)
        changed = np.flatnonzero(other.numbers != molecule.numbers)
        assert len(changed) == 1 and abs(int(other.numbers[changed[0]] - molecule.numbers[changed[0]])) == 1
        assert other.numbers.sum() % 2 != molecule.numbers.sum() % 2
    if (other := exchanged(molecule, rng)) is not None:
        assert Counter(other.symbols) == before and (other.numbers != molecule.numbers).sum() == 2
        assert np.array_equal(other.positions, molecule.positions)
    else:
        assert len(set(molecule.numbers.tolist()) - {1}) < 2
    if (other := without_hydrogen(molecule, rng)) is not None:
        assert before - Counter(other.symbols) == Counter("H")
        assert {tuple(x) for x in other.positions} < {tuple(x) for x in molecule.positions}


def test_shaking_has_its_width(rng) -> None:
    molecule = Molecule([6] * 500, rng.standard_normal((500, 3)))
    for width in (0.02, 0.2):
        moved = shaken(molecule, width, rng).positions - molecule.positions
        assert np.sqrt((moved**2).mean()) == pytest.approx(width, rel=0.05)


def test_where_there_is_nothing_to_change_there_is_none(rng) -> None:
    hydrogen = Molecule([1, 1], [[0.0, 0, 0], [0.74, 0, 0]])
    assert swapped(hydrogen, rng) is exchanged(hydrogen, rng) is without_hydrogen(hydrogen, rng) is None
