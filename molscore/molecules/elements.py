"""Chemical elements and formulas: symbols, atomic numbers, Hill strings, and formulas that no molecule can have."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping

from ase.data import chemical_symbols

from molscore.errors import ElementError, FormulaError

__all__ = [
    "SYMBOLS", "VALENCES", "atomic_number", "check_formula", "hill_formula", "hill_string", "max_valence",
    "parse_formula", "symbol_of",
]  # fmt: skip

#: ``SYMBOLS[Z]`` is the symbol of atomic number Z; index 0 stands for no element.
SYMBOLS: tuple[str, ...] = tuple(chemical_symbols)
#: Bonds of a neutral atom, by atomic number, where no more are asked for.
VALENCES = {1: 1, 5: 3, 6: 4, 7: 3, 8: 2, 9: 1, 14: 4, 15: 3, 16: 2, 17: 1, 35: 1, 53: 1}

_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS) if number}
_TERM = re.compile(r"([A-Z][a-z]?)([0-9]*)")
_MAX_ATOMS_DIGITS = 6

# The most bonds that an atom of each element makes in any neutral molecule, dative bonds included (B in H3N·BH3).
_MAX_VALENCE = {
    "H": 1, "F": 1, "O": 2, "N": 3, "C": 4, "Si": 4, "B": 5, "P": 5, "As": 5, "S": 6, "Se": 6, "He": 0, "Ne": 0,
}  # fmt: skip
_HALOGENS = ("Cl", "Br", "I", "At")
_HYPERVALENT_HALOGEN = 7
_ANY_OTHER = 8


def atomic_number(symbol: str) -> int:
    """Atomic number of a symbol such as ``"C"`` or ``"Cl"``; raises `ElementError` for anything else."""
    try:
        return _NUMBERS[symbol]
    except (KeyError, TypeError):
        raise ElementError(f"{symbol!r} is not a chemical element") from None


def symbol_of(number: int) -> str:
    """Symbol of an atomic number from 1 to 118; raises `ElementError` for anything else."""
    if not 1 <= number < len(SYMBOLS):
        raise ElementError(f"{number} is not an atomic number between 1 and {len(SYMBOLS) - 1}")
    return SYMBOLS[number]


def parse_formula(formula: str) -> dict[str, int]:
    """Count the elements of a plain formula: ``"C7H10O2"`` gives ``{"C": 7, "H": 10, "O": 2}``.

    Repeated elements add up (``"CH3CH3"``). Raises `FormulaError` for charges, brackets, unknown elements,
    zero counts and anything else that is not a sequence of symbols and counts.
    """
    text = formula.strip()
    terms = list(_TERM.finditer(text))
    if not text or "".join(term.group() for term in terms) != text:
        raise FormulaError(f"{formula!r} is not a formula such as C7H10O2 (symbols and counts, no charge, no brackets)")
    counts: Counter[str] = Counter()
    for symbol, digits in (term.groups() for term in terms):
        if symbol not in _NUMBERS:
            raise FormulaError(f"{formula!r}: {symbol!r} is not a chemical element")
        if len(digits) > _MAX_ATOMS_DIGITS or digits.startswith("0"):
            raise FormulaError(f"{formula!r}: {digits} is not a usable count of {symbol}")
        counts[symbol] += int(digits or 1)
    return dict(counts)


def hill_string(counts: Mapping[str, int]) -> str:
    """Formula in Hill order: C, H, then alphabetical; wholly alphabetical without carbon."""
    present = {symbol: n for symbol, n in counts.items() if n}
    head = [symbol for symbol in ("C", "H") if symbol in present] if "C" in present else []
    order = head + sorted(symbol for symbol in present if symbol not in head)
    return "".join(symbol + (str(present[symbol]) if present[symbol] > 1 else "") for symbol in order)


def hill_formula(numbers: Iterable[int]) -> str:
    """Hill formula of a collection of atomic numbers."""
    return hill_string(Counter(symbol_of(int(number)) for number in numbers))


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
