"""Formulas that no neutral closed-shell molecule can have, found by counting electrons and valences."""

from collections.abc import Container, Mapping

from molscore.errors import ElementError, FormulaError
from molscore.molecules.elements import atomic_number, hill_string

__all__ = ["check_formula", "max_valence"]

# The most bonds that an atom of each element makes in any neutral molecule, dative bonds included (B in H3N·BH3).
_MAX_VALENCE = {
    "H": 1,
    "F": 1,
    "B": 5,
    "C": 4,
    "Si": 4,
    "N": 3,
    "P": 5,
    "O": 2,
    "S": 6,
    "Se": 6,
    "As": 5,
    "He": 0,
    "Ne": 0,
}
_HALOGENS = ("Cl", "Br", "I", "At")
_HYPERVALENT_HALOGEN = 7
_ANY_OTHER = 8


def check_formula(counts: Mapping[str, int]) -> None:
    """Raise `FormulaError`, naming the reason, for what no connected neutral closed-shell molecule can be.

    Two necessary conditions: an even number of electrons; and enough valences to join N atoms with N-1 bonds. A formula
    that passes need not exist. Halogens beyond fluorine count as hypervalent only beside oxygen or fluorine.
    """
    formula = hill_string(counts) or "an empty formula"
    if not counts or any(n < 1 for n in counts.values()):
        raise FormulaError(f"{formula}: every element needs at least one atom")
    try:
        electrons = sum(atomic_number(symbol) * n for symbol, n in counts.items())
    except ElementError as error:
        raise FormulaError(f"{formula}: {error}") from None
    n_atoms = sum(counts.values())
    valences = {symbol: max_valence(symbol, counts) for symbol in counts}
    if sum(valences[symbol] * n for symbol, n in counts.items()) < 2 * (n_atoms - 1):
        ends = sum(n for symbol, n in counts.items() if valences[symbol] == 1)
        room = 2 + sum((valences[symbol] - 2) * n for symbol, n in counts.items() if valences[symbol] > 1)
        raise FormulaError(
            f"{formula}: its valences cannot join {n_atoms} atoms into one molecule "
            f"({ends} hydrogen or halogen atoms, room for {room})"
        )
    if electrons % 2:
        raise FormulaError(f"{formula} has an odd number of electrons ({electrons}): a radical or an ion")


def max_valence(symbol: str, company: Container[str]) -> int:
    """Most bonds that an atom of one element makes in the company of others."""
    if symbol in _HALOGENS:
        return _HYPERVALENT_HALOGEN if "O" in company or "F" in company else 1
    return _MAX_VALENCE.get(symbol, _ANY_OTHER)
