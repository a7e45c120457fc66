"""The statistics of a named data distribution that a model carries with it."""

from dataclasses import dataclass
from functools import cached_property

from molscore.errors import InputError
from molscore.molecules.elements import atomic_number

__all__ = ["Distribution"]


@dataclass(frozen=True)
class Distribution:
    """Sizes, formulas and spread of the molecules of one data set.

    Raises `InputError` when the parts do not fit together.
    """

    name: str  # short name, such as qm9
    elements: tuple[str, ...]  # element symbols, in the order of the counts below
    formula_counts: dict[tuple[int, ...], int]  # molecules of each formula, which is the count of each of `elements`
    sigma_N: dict[int, float]  # Å: sqrt(E[‖x‖² | N] / 3(N-1)), smoothed over N, for every N from 2 to `max_atoms`

    def __post_init__(self) -> None:
        if len(set(self.elements)) != len(self.elements) or not self.elements:
            raise InputError(f"distribution {self.name!r}: elements {self.elements} are empty or repeat")
        for symbol in self.elements:
            atomic_number(symbol)
        for formula, n in self.formula_counts.items():
            if len(formula) != len(self.elements) or min(formula) < 0 or sum(formula) < 1 or n < 1:
                raise InputError(f"distribution {self.name!r}: formula {formula} × {n} does not fit {self.elements}")
        for size, sigma in self.sigma_N.items():
            if size < 2 or not 0 < sigma < float("inf"):
                raise InputError(f"distribution {self.name!r}: σ_N of {sigma} Å at N = {size} is not usable")
        missing = [size for size in range(2, self.max_atoms + 1) if size not in self.sigma_N]
        if missing:
            raise InputError(f"distribution {self.name!r}: no σ_N for N = {missing[0]}")

    def __repr__(self) -> str:
        counted = f"{self.n_molecules:,} molecules of {len(self.formula_counts):,} formulas"
        return f"Distribution({self.name!r}, {' '.join(self.elements)}, {counted}, up to {self.max_atoms} atoms)"

    @cached_property
    def max_atoms(self) -> int:
        """Atoms in the largest molecule."""
        return max((sum(formula) for formula in self.formula_counts), default=0)

    @property
    def n_molecules(self) -> int:
        """Molecules counted."""
        return sum(self.formula_counts.values())
