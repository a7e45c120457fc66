"""The numbers in the tables of the benchmarks mean what their columns say."""

import numpy as np
import pytest
from rdkit import Chem

from benchmarks.filtering import saved
from benchmarks.properties import within
from benchmarks.samplers import COLUMNS, candidates_of, row_of
from benchmarks.steering import cuts
from molscore.molecules.conformers import embed
from tests import tiny


def test_an_order_that_knows_saves_all_that_can_be_saved_and_chance_nothing() -> None:
    rng = np.random.default_rng(0)
    good = rng.random(20_000) < 0.65
    assert saved(good, good.astype(float))[1] == pytest.approx(1 - good.mean(), abs=0.01)
    assert saved(good, rng.random(20_000))[1] == pytest.approx(0, abs=0.02)
    assert saved(good, -good.astype(float))[1] < -0.3
    nan = float("nan")  # what has no number comes last
    assert saved(np.array([True, True, False, False]), np.array([1.0, 2.0, nan, nan]), keep=0.5) == (1.0, 0.5)


def test_what_the_formula_says_alone_does_not_correlate_within_formulas() -> None:
    formulas = ["A"] * 200 + ["B"] * 200 + ["C"]
    level, rng = np.repeat([0.0, 50.0, 9.0], [200, 200, 1]), np.random.default_rng(0)
    a, noise = rng.normal(size=401), rng.normal(size=401)
    assert abs(within(formulas, a + level, noise + level)) < 0.15
    assert within(formulas, a + level, a + noise + level) == pytest.approx(0.5**0.5, abs=0.08)
    assert np.isnan(within(["A", "B"], np.zeros(2), np.zeros(2)))


def test_a_row_of_a_sampler_says_what_its_molecules_are_like() -> None:
    drawn = [embed(smiles)[0] for smiles in ("c1ccccc1", "C1CC2CC1CC2", "CCCO", "CCCO")]
    row = dict(zip(COLUMNS, row_of("x", candidates_of(tiny.model(), drawn), 50, 8.0), strict=True))
    assert row["molecules"] == 4 and row["evaluations"] == 50 and row["CPU s a molecule"] == "2.00"
    assert (row["bad bonding %"], row["unique of valid %"], row["aromatic %"]) == ("0.0", "75.0", "25.0")
    assert (row["rings"], row["rotatable"], row["bridgeheads"], row["C=C %"]) == ("0.75", "0.50", "0.50", "0.0")


@pytest.mark.parametrize(
    ("smiles", "linker", "kept"),
    [("OCc1ccccc1", False, ["CCCCCCHHHHH"]), ("O=CCC=O", True, ["CCHHOO"]), ("CCC", True, [])],
)
def test_a_fragment_is_the_larger_side_of_a_single_bond_and_a_linker_touches_both(smiles, linker, kept) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    found = [sorted(mol.GetAtomWithIdx(a).GetSymbol() for a in atoms) for atoms in cuts(mol, linker=linker)]
    assert ["".join(symbols) for symbols in found] == kept
