"""Which partial formulas a neutral closed-shell molecule can still complete: electrons and valences, counted ahead.

    reach[k, r, e, o] = the most bonds that r atoms of elements k, k+1, ... can make with an electron count of parity e,
                        o telling whether oxygen or fluorine is among the elements before k
    reach[k, r, e, o] = max over n of  n valence_k(o) + reach[k + 1, r - n, e - n Z_k mod 2, o or (k in O, F and n > 0)]

A formula of N atoms is possible when its electrons are even and its valences add up to 2(N - 1) or more: the conditions
of `molscore.molecules.elements.check_formula`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molscore.molecules.elements import atomic_number, max_valence

__all__ = ["Support"]

IMPOSSIBLE = -(10**6)


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

    def possible(self, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether there is a formula of so many atoms, (B,)."""
        return self.reach[0, sizes, 0, 0] >= 2 * (sizes - 1)

    def allowed(self, before: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether later elements can complete each number of atoms of element k, (B, max_atoms + 1).

        `before` (B, k) are the atoms of the elements before it, of `sizes` (B,) in all.
        """
        k, n = before.shape[1], np.arange(self.max_atoms + 1)
        oxidised = before[:, self.oxidiser[:k]].any(1).astype(int)
        left = (sizes - before.sum(1))[:, None] - n
        odd = ((before @ self.odd_electrons[:k])[:, None] + n * self.odd_electrons[k]) % 2
        bonds = (before * self.valence[:k, oxidised].T).sum(1)[:, None] + n * self.valence[k, oxidised][:, None]
        oxidised_after = oxidised[:, None] | (self.oxidiser[k] & (n > 0))
        reach = self.reach[k + 1, np.maximum(left, 0), odd, oxidised_after]
        return (left >= 0) & (bonds + reach >= 2 * (sizes - 1)[:, None])
