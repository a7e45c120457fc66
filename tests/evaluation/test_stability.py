"""Bonds, valences and stability follow EDM's rule to the letter, for many molecules at once as for one."""

import os
import signal

import numpy as np
import pytest
import torch

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError
from molscore.evaluation.edm import (
    ALLOWED_VALENCES,
    BOND_LENGTHS_PM,
    MARGINS_PM,
    as_set,
    bonds_of,
    piece_counts,
    stability,
    threshold_tables,
    valences,
)
from molscore.molecules import SYMBOLS, Molecule
from tests.evaluation.conftest import build, moved


def plain_rule(molecule: Molecule, margins: dict[int, int]) -> dict[tuple[int, int], int]:
    """The rule as a double loop over atoms, as its authors wrote it."""
    found = {}
    positions = molecule.positions.astype(np.float32).astype(np.float64)
    for i in range(molecule.n_atoms):
        for j in range(i + 1, molecule.n_atoms):
            pair = tuple(sorted((molecule.symbols[i], molecule.symbols[j])))
            distance = 100 * np.linalg.norm(positions[i] - positions[j])
            for order in (1, 2, 3):
                if pair not in BOND_LENGTHS_PM[order] or distance >= BOND_LENGTHS_PM[order][pair] + margins[order]:
                    break
                found[i, j] = order
    return found


def as_dict(molecule: Molecule) -> dict[tuple[int, int], int]:
    """Our bonds of one molecule in the same form."""
    bonds = bonds_of(MoleculeSet.from_molecules([molecule]))
    return {tuple(pair): order for pair, order in zip(bonds.atoms.tolist(), bonds.orders.tolist(), strict=True)}


def clouds(rng: np.random.Generator, n: int) -> list[Molecule]:
    """Crowded random atoms of every element of the metric."""
    elements = [SYMBOLS.index(symbol) for symbol in ALLOWED_VALENCES] + [1, 6, 6, 6, 7, 8] * 5
    return [Molecule(rng.choice(elements, k), rng.uniform(0, 2.6, (k, 3))) for k in rng.integers(1, 15, n)]


def test_the_fast_way_equals_the_double_loop_and_molecules_do_not_see_each_other(rng) -> None:
    molecules = clouds(rng, 150)
    ours = [as_dict(molecule) for molecule in molecules]
    assert ours == [plain_rule(molecule, MARGINS_PM) for molecule in molecules]
    assert {order for bonds in ours for order in bonds.values()} == {1, 2, 3}
    assert ours != [plain_rule(molecule, {1: 10, 2: 4, 3: 3}) for molecule in molecules]  # 1 pm is seen
    together = MoleculeSet.from_molecules(molecules)
    bonds = bonds_of(together)
    row = np.searchsorted(together.offsets, bonds.atoms, side="right") - 1
    assert np.array_equal(row[:, 0], row[:, 1]) and len(row) == sum(map(len, ours))


@pytest.mark.parametrize(("symbols", "limit", "order"), [("NO", 1.5, 1), ("CO", 1.25, 2)])
def test_the_limit_itself_is_outside(symbols, limit, order) -> None:
    numbers = [SYMBOLS.index(symbol) for symbol in symbols]  # both limits are exact in binary
    at, below = (Molecule(numbers, [[0, 0, 0], [x, 0, 0]]) for x in (limit, np.nextafter(np.float32(limit), 0)))
    assert as_dict(at).get((0, 1), 0) == order - 1 and as_dict(below) == {(0, 1): order}


def test_orders_are_nested_and_tables_symmetric() -> None:
    tables = threshold_tables()
    assert np.array_equal(tables, tables.transpose(0, 2, 1))
    assert (tables[0] >= tables[1]).all() and (tables[1] >= tables[2]).all()
    # EDM's thresholds for QM9 with margins, in pm: C–H, C–C, C=C, C≡C, C≡N, N–O, O–O; no B–C
    pairs = [(0, 6, 1), (0, 6, 6), (1, 6, 6), (2, 6, 6), (2, 6, 7), (0, 7, 8), (0, 8, 8), (0, 5, 6)]
    assert [tables[place] for place in pairs] == [119, 164, 139, 123, 119, 150, 158, 0]


def test_pieces_are_counted_and_may_be_stable(good) -> None:
    methane = good["methane"]
    twice = Molecule(np.tile(methane.numbers, 2), np.concatenate([methane.positions, methane.positions + 5.0]))
    atoms = Molecule([6, 6, 6], 4.0 * np.eye(3))
    molecules = as_set([methane, twice, good["water"], atoms])
    assert piece_counts(molecules, bonds_of(molecules)).tolist() == [1, 2, 1, 3]
    assert stability(molecules).molecules.tolist() == [True, True, True, False]


def test_far_from_the_origin_is_the_same_and_thousands_of_atoms_are_no_trouble(good) -> None:
    near = good["ethane"]
    far = Molecule(near.numbers, near.positions + 1e7)
    assert np.array_equal(bonds_of(as_set([far])).orders, bonds_of(as_set([near])).orders)
    grid = np.stack(np.meshgrid(*[np.arange(17)] * 3), axis=-1).reshape(-1, 3)
    bonds = bonds_of(as_set([Molecule(np.full(len(grid), 6), 1.6 * grid)]))
    assert len(bonds.orders) == 3 * 16 * 17 * 17 and set(bonds.orders.tolist()) == {1}


def test_unknown_elements_and_nothing_are_refused(good) -> None:
    helium = Molecule([2], [[0, 0, 0]], name="balloon")
    with pytest.raises(ElementError, match=r"molecules\[1\] \('balloon'\).*He"):
        bonds_of(as_set([good["water"], helium]))
    with pytest.raises(InputError, match="no molecules"):
        stability([])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_bonds_are_found_where_denormal_numbers_are_flushed(rng) -> None:
    """Running a network switches that on; a tree that splits at 0 then never ends, and takes the process with it."""
    made = MoleculeSet.from_molecules([Molecule([6] * n, 0.5 * rng.normal(size=(n, 3))) for n in (15, 5)])
    before = len(bonds_of(made).atoms)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        torch.set_flush_denormal(True)
        os._exit(0 if len(bonds_of(made).atoms) == before > 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("name", ["methane", "water", "ethane", "cyclopropane"])
def test_a_stretched_bond_costs_its_two_atoms_their_stability(good, name) -> None:
    molecule = good[name]
    positions = molecule.positions.copy()
    positions[-1] *= 1.25
    counts = stability([molecule, Molecule(molecule.numbers, positions)])
    assert counts.molecules.tolist() == [True, False]
    assert counts.stable.tolist() == [molecule.n_atoms, molecule.n_atoms - 2]


def test_atoms_are_pooled_and_molecules_are_not() -> None:
    lone, pair = build("C", [[0, 0, 0]]), build("HH", [[0, 0, 0], [0.74, 0, 0]])
    counts = stability([lone, pair, pair])
    assert counts.atom_stability == pytest.approx(100 * 4 / 5)
    assert counts.molecule_stability == pytest.approx(100 * 2 / 3)


@pytest.mark.parametrize(("number", "allowed"), [(6, {4}), (7, {3}), (8, {2}), (9, {1}), (15, {3, 5}), (16, {4})])
def test_each_element_has_its_valences(number, allowed) -> None:
    directions = np.concatenate([np.eye(3), -np.eye(3)])
    molecules = [Molecule([number] + [1] * n, np.concatenate([np.zeros((1, 3)), directions[:n]])) for n in range(7)]
    assert {n for n, stable in enumerate(stability(molecules).molecules) if stable} == allowed


def test_valences_are_sums_of_orders_and_a_crowd_has_too_many(good) -> None:
    molecules = as_set([good["hydrogen cyanide"], good["carbon dioxide"]])
    assert valences(molecules, bonds_of(molecules)).tolist() == [1, 4, 3, 2, 4, 2]
    crowd = Molecule(np.full(40, 6), np.zeros((40, 3)))  # everything on one point: 39 triple bonds each
    assert stability([crowd]).stable.tolist() == [0]


def test_turned_shifted_and_permuted_molecules_are_as_stable(good, rotation, rng) -> None:
    molecules = list(good.values())
    molecules += [Molecule(m.numbers, m.positions + 0.06 * rng.normal(size=m.positions.shape)) for m in molecules * 12]
    before = stability(molecules)
    after = stability([moved(m, rotation, rng.normal(size=3), rng.permutation(m.n_atoms)) for m in molecules])
    assert np.array_equal(before.stable, after.stable)
    assert 0 < before.molecule_stability < 100
    larger = stability([Molecule(m.numbers, 1.1 * m.positions) for m in molecules])
    assert not np.array_equal(before.stable, larger.stable)  # scaling is no symmetry
