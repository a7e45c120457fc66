"""Decoys are wrong in one way only, and a control stays out of the mean."""

from collections import Counter

import numpy as np
import pytest

from benchmarks import decoys
from benchmarks.decoys import (
    Contrast,
    contrasts,
    exchanged,
    lenient,
    measures,
    perturbed,
    rows_of,
    swapped,
    without_hydrogen,
)
from molscore.molecules import Molecule
from tests import tiny


@pytest.mark.parametrize("molecule", tiny.geometries()[::4], ids=lambda molecule: molecule.formula)
def test_each_change_is_what_it_says(molecule, rng) -> None:
    before = Counter(molecule.symbols)
    if (other := swapped(molecule, rng)) is not None:
        assert np.array_equal(other.positions, molecule.positions)
        assert (other.numbers != molecule.numbers).sum() == 1
        assert other.numbers.sum() % 2 != molecule.numbers.sum() % 2
    if (other := exchanged(molecule, rng)) is not None:
        assert Counter(other.symbols) == before and (other.numbers != molecule.numbers).sum() == 2
    if (other := without_hydrogen(molecule, rng)) is not None:
        assert before - Counter(other.symbols) == Counter("H")


def test_perturbations_have_their_width_and_nothing_to_change_is_none(rng) -> None:
    molecule = Molecule([6] * 500, rng.standard_normal((500, 3)))
    assert (perturbed(molecule, 0.2, rng).positions - molecule.positions).std() == pytest.approx(0.2, rel=0.05)
    hydrogen = Molecule([1, 1], [[0.0, 0, 0], [0.74, 0, 0]])
    assert swapped(hydrogen, rng) is exchanged(hydrogen, rng) is without_hydrogen(hydrogen, rng) is None


def test_parents_lend_their_probability_of_size_and_formula() -> None:
    """Hydroxyl has an odd electron and no probability; with water as its parent it has water's."""
    model, water = tiny.model(), tiny.geometries()[0]
    hydroxyl = Molecule(water.numbers[:2], water.positions[:2])
    alone, lent = (measures(model, [hydroxyl], [parent], 0.1)["log_likelihood"] for parent in (hydroxyl, water))
    assert alone[0] == -np.inf
    expected = model.terms([water], 0.1).log_composition + lenient(model).log_density([hydroxyl], 0.1)
    assert lent == pytest.approx(expected, abs=1e-4)


def test_the_mean_leaves_controls_out(monkeypatch) -> None:
    """A criterion that is the number of atoms tells large from small, and nothing else."""
    monkeypatch.setattr(
        decoys, "measures", lambda model, molecules, *_: {"atoms": np.array([float(m.n_atoms) for m in molecules])}
    )
    small, large = [list(tiny.geometries()[first::9]) for first in (0, 8)]
    rows = rows_of(None, [Contrast("same", small, small), Contrast("size", large, small, control=True)], 0.1, 0)
    assert rows[0][1].startswith("0.500") and float(rows[1][1].split()[0]) > 0.7
    assert rows[-1][1] == "0.500"


def test_the_table_holds_every_contrast() -> None:
    held = list(tiny.geometries())
    torn = [Molecule(m.numbers, m.positions * 1.4) for m in held]
    groups = list(contrasts(tiny.model(), held, [*held, *torn], held[:12], 0))
    assert [len(group.good) > 0 < len(group.bad) for group in groups] == [True] * 10
    table = rows_of(tiny.model(), [groups[2], groups[-1]], 0.1, 0)
    assert len(table) == 3 and len(table[0]) == 10
