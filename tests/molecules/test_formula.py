"""Which formulas no neutral closed-shell molecule can have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import FormulaError
from molscore.molecules import parse_formula
from molscore.molecules.formula import check_formula

REAL = "H2 CH4 C7H10O2 C60 CO N2O4 CH3NO2 BH6N B2H6 SF6 ClHO4 ClF3 CF4 CH3Cl C2H6OS C4H8N2O3 F6Xe AlCl3 Si5H12 PF5"


@pytest.mark.parametrize("formula", REAL.split())
def test_real_molecules_pass(formula) -> None:
    check_formula(parse_formula(formula))


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("CH9", "valences.*9 hydrogen or halogen atoms, room for 4"),
        ("H4", "valences"),
        ("C5H14", "valences"),
        ("CHF5", "valences"),
        ("CHCl9", "valences"),
        ("CH3", "odd number of electrons"),
        ("NO", "odd number of electrons"),
    ],
)
def test_impossible_formulas_are_refused_with_the_reason(formula, reason) -> None:
    with pytest.raises(FormulaError, match=reason):
        check_formula(parse_formula(formula))


@pytest.mark.parametrize("counts", [{}, {"C": 0}, {"C": 1, "H": -4}, {"Q": 2}])
def test_counts_that_are_no_formula_are_refused(counts) -> None:
    with pytest.raises(FormulaError):
        check_formula(counts)


@given(st.integers(1, 30), st.integers(0, 8), st.integers(0, 8))
def test_saturation_is_the_limit(n_c, n_n, n_o) -> None:
    """C_c H_h N_n O_o has at most 2c + n + 2 hydrogens, and that many it can have."""
    most = 2 * n_c + n_n + 2
    counts = {symbol: n for symbol, n in (("C", n_c), ("H", most), ("N", n_n), ("O", n_o)) if n}
    check_formula(counts)
    with pytest.raises(FormulaError, match="valences"):
        check_formula(counts | {"H": most + 2})
    with pytest.raises(FormulaError, match="odd"):
        check_formula(counts | {"H": most - 1})
