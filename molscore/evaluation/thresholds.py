"""Bond lengths and valences of the EDM stability metric (Hoogeboom et al. 2022), as data.

The numbers are those of ``qm9/bond_analyze.py`` in https://github.com/ehoogeboom/e3_diffusion_for_molecules (MIT),
taken there from http://www.wiredchemist.com/chemistry/data/bond_energies_lengths.html. They are symmetric in the two
elements; the original misses the S–C double bond beside its C–S one, which its order of elements hides.
"""

from functools import cache

import numpy as np

from molscore.molecules.elements import SYMBOLS, atomic_number

__all__ = ["ALLOWED_VALENCES", "BOND_LENGTHS_PM", "MARGINS_PM", "allowed_valences", "threshold_tables"]


def _lengths(text: str) -> dict[tuple[str, str], int]:
    """``"C-C 154, C-H 109"`` as ``{("C", "C"): 154, ("C", "H"): 109}``."""
    terms = (term.split(" ") for term in text.split(", "))
    return {tuple(pair.split("-")): int(length) for pair, length in terms}


#: Length of a bond of order 1, 2 and 3, in pm.
BOND_LENGTHS_PM: dict[int, dict[tuple[str, str], int]] = {
    1: _lengths(
        "As-H 152, B-Cl 175, B-H 119, Br-Br 228, Br-C 194, Br-Cl 214, Br-F 178, Br-H 141, Br-N 214, Br-O 172, "
        "Br-P 222, Br-S 225, Br-Si 215, C-C 154, C-Cl 177, C-F 135, C-H 109, C-I 214, C-N 147, C-O 143, C-P 184, "
        "C-S 182, C-Si 185, Cl-Cl 199, Cl-F 166, Cl-H 127, Cl-N 175, Cl-O 164, Cl-P 203, Cl-S 207, Cl-Si 202, "
        "F-F 142, F-H 92, F-I 187, F-N 136, F-O 142, F-P 156, F-S 158, F-Si 160, H-H 74, H-I 161, H-N 101, "
        "H-O 96, H-P 144, H-S 134, H-Si 148, I-I 266, I-N 222, I-O 194, I-S 234, I-Si 243, N-N 145, N-O 140, "
        "N-P 177, N-S 168, O-O 148, O-P 163, O-S 151, O-Si 163, P-P 221, P-S 210, S-S 204, S-Si 200, Si-Si 233"
    ),
    2: _lengths("C-C 134, C-N 129, C-O 120, C-S 160, N-N 125, N-O 121, O-O 121, O-P 150, P-S 186"),
    3: _lengths("C-C 120, C-N 116, C-O 113, N-N 110"),
}

#: A pair has a bond of an order when it is closer than the length plus this, in pm.
MARGINS_PM: dict[int, int] = {1: 10, 2: 5, 3: 3}

#: Sums of bond orders at which an atom is stable. Sulphur's is 4 alone, as in the original.
ALLOWED_VALENCES: dict[str, tuple[int, ...]] = {
    "H": (1,),
    "C": (4,),
    "N": (3,),
    "O": (2,),
    "F": (1,),
    "B": (3,),
    "Al": (3,),
    "Si": (4,),
    "P": (3, 5),
    "S": (4,),
    "Cl": (1,),
    "As": (3,),
    "Br": (1,),
    "I": (1,),
    "Hg": (1, 2),
    "Bi": (3, 5),
}


@cache
def threshold_tables() -> np.ndarray:
    """``(3, 119, 119)`` pm by order and atomic numbers: a distance below it makes the bond; 0 where there is none."""
    tables = np.zeros((3, len(SYMBOLS), len(SYMBOLS)))
    for order, lengths in BOND_LENGTHS_PM.items():
        for (a, b), length in lengths.items():
            tables[order - 1, atomic_number(a), atomic_number(b)] = length + MARGINS_PM[order]
            tables[order - 1, atomic_number(b), atomic_number(a)] = length + MARGINS_PM[order]
    tables.flags.writeable = False
    return tables


@cache
def allowed_valences() -> np.ndarray:
    """``(119, V)`` bool: whether an element is stable with a sum of bond orders; the last, for more yet, never is."""
    highest = max(valence for valences in ALLOWED_VALENCES.values() for valence in valences)
    table = np.zeros((len(SYMBOLS), highest + 2), dtype=bool)
    for symbol, valences in ALLOWED_VALENCES.items():
        table[atomic_number(symbol), list(valences)] = True
    table.flags.writeable = False
    return table
