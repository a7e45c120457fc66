"""Which partial formulas a neutral closed-shell molecule can still complete: electrons and valences, counted ahead.

    reach[k, r, e, o] = the most bonds that r atoms of elements k, k+1, ... can make with an electron count of parity e,
                        o telling whether oxygen or fluorine is among the elements before k
    reach[k, r, e, o] = max over n of  n valence_k(o) + reach[k + 1, r - n, e - n Z_k mod 2, o or (k in O, F and n > 0)]

A formula of N atoms is possible when its electrons are even and its valences add up to 2(N - 1) or more: the conditions
of `molscore.molecules.elements.check_formula`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from molscore.molecules.elements import atomic_number, max_valence

__all__ = ["Partial", "Support"]

IMPOSSIBLE = -(10**6)


class Partial(NamedTuple):
    """B formulas whose first elements are decided, each field (B,) int64."""

    left: NDArray[np.int64]  # atoms that later elements share
    odd: NDArray[np.int64]  # parity of the electrons so far
    oxidised: NDArray[np.int64]  # 1 where oxygen or fluorine is there
    spare: NDArray[np.int64]  # bonds that the atoms so far can make, less the 2(N - 1) that N atoms need


class Support:
    """The formulas of up to `max_atoms` atoms of `elements`, decided in that order, that `check_formula` lets pass.

    Heavier halogens change their valence beside oxygen and fluorine, so those two must come before them.
    """

    def __init__(self, elements: Sequence[str], max_atoms: int) -> None:
        self.max_atoms = max_atoms
        self.odd_electrons = np.array([atomic_number(symbol) % 2 for symbol in elements])
        self.oxidiser = np.array([symbol in ("O", "F") for symbol in elements])
        self.valence = np.array([[max_valence(symbol, ()), max_valence(symbol, ("O",))] for symbol in elements])
        self.reach = np.full((len(elements) + 1, max_atoms + 1, 2, 2), IMPOSSIBLE)
        self.reach[-1, 0, 0] = 0
        for k in range(len(elements) - 1, -1, -1):
            for n in range(max_atoms + 1):
                for oxidised in (0, 1):
                    after = oxidised | int(self.oxidiser[k] and n > 0)
                    rest = self.reach[k + 1, : max_atoms + 1 - n, :, after] + n * self.valence[k, oxidised]
                    if n * self.odd_electrons[k] % 2:
                        rest = rest[:, ::-1]
                    best = self.reach[k, n:, :, oxidised]
                    np.maximum(best, rest, out=best)

    def start(self, sizes: NDArray[np.integer]) -> Partial:
        """Formulas of `sizes` (B,) atoms with nothing decided."""
        sizes = np.asarray(sizes, dtype=np.int64)
        nothing = np.zeros_like(sizes)
        return Partial(sizes, nothing, nothing, -2 * (sizes - 1))

    def add(self, k: int, n: NDArray[np.integer], partial: Partial) -> Partial:
        """Decide on n (B,) or (B, n) atoms of element k; what is left may become negative."""
        left, odd, oxidised, spare = partial if np.ndim(n) == 1 else (field[:, None] for field in partial)
        oxidised_after = oxidised | (self.oxidiser[k] & (n > 0))
        odd_after = (odd + n * self.odd_electrons[k]) % 2
        return Partial(left - n, odd_after, oxidised_after.astype(np.int64), spare + n * self.valence[k][oxidised])

    def possible(self, k: int, partial: Partial) -> NDArray[np.bool_]:
        """Whether elements k, k+1, ... can complete the formulas; same shape as the fields."""
        reach = self.reach[k, np.maximum(partial.left, 0), partial.odd, partial.oxidised]
        return (partial.left >= 0) & (partial.spare + reach >= 0)
