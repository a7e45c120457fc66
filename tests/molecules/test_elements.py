"""Symbols, atomic numbers and formulas."""

import pytest
from ase.data import chemical_symbols
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import ElementError, FormulaError
from molscore.molecules.elements import SYMBOLS, atomic_number, check_formula, hill_string, parse_formula, symbol_of

COUNTS = st.dictionaries(st.sampled_from(SYMBOLS[1:]), st.integers(1, 99), min_size=1)


def test_symbols_and_atomic_numbers_are_the_periodic_tables() -> None:
    assert SYMBOLS[1:] == tuple(chemical_symbols[1:])
    assert all(symbol_of(atomic_number(symbol)) == symbol for symbol in SYMBOLS[1:])
    for symbol in ("X", "c", "CL", "", " C", None, 6):
        with pytest.raises(ElementError):
            atomic_number(symbol)
    for number in (0, -1, 119):
        with pytest.raises(ElementError):
            symbol_of(number)


@given(COUNTS)
def test_a_hill_string_parses_back(counts) -> None:
    assert parse_formula(hill_string(counts)) == counts


@pytest.mark.parametrize(
    ("formula", "hill"),
    [("O2H10C7", "C7H10O2"), ("CH3CH2OH", "C2H6O"), ("H2O", "H2O"), ("ClH", "ClH"), ("NaCl", "ClNa"), (" CH4 ", "CH4")],
)
def test_hill_order(formula, hill) -> None:
    assert hill_string(parse_formula(formula)) == hill


@pytest.mark.parametrize(
    "text", ["", " ", "c7h10", "C7H10O2+", "C(CH3)4", "C0H4", "C04", "Xx2", "C7 H10", "7C", "C1e3", "C9999999", "CH₄"]
)
def test_what_is_no_formula_is_refused_and_quoted(text) -> None:
    with pytest.raises(FormulaError, match="formula|element|count"):
        parse_formula(text)


REAL = "H2 CH4 C7H10O2 C60 CO N2O4 CH3NO2 BH6N B2H6 SF6 ClHO4 ClF3 CF4 CH3Cl C2H6OS C4H8N2O3 F6Xe AlCl3 Si5H12 PF5"


def test_real_molecules_pass() -> None:
    for formula in REAL.split():
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
        ({}, "at least one atom"),
        ({"C": 1, "H": -4}, "at least one atom"),
        ({"Q": 2}, "not a chemical element"),
    ],
)
def test_impossible_formulas_are_refused_with_the_reason(formula, reason) -> None:
    with pytest.raises(FormulaError, match=reason):
        check_formula(parse_formula(formula) if isinstance(formula, str) else formula)


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
