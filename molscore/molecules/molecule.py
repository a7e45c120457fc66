"""What a molecule is: atoms and where they are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molscore.arguments import type_of
from molscore.errors import ElementError, InputError, PositionError, SizeError, TooSmallError
from molscore.molecules.elements import SYMBOLS, hill_formula

__all__ = ["Molecule", "checked_molecules", "label_among"]


@dataclass(frozen=True, eq=False)
class Molecule:
    """Atoms in space, with no bonds: bonds are a reading of the geometry, made when they are asked for.

    What the source of a geometry states of its electrons and bonds is kept in `charge`, `unpaired` and `pieces`.

    Raises `SizeError` without atoms, `ElementError` for what is no atomic number, and `PositionError` for
    positions of the wrong shape or not finite. Arrays are copied, so that no caller can change a molecule.
    """

    numbers: NDArray[np.int64]
    """Atomic numbers, shape ``(N,)``."""
    positions: NDArray[np.float64]
    """Cartesian coordinates in Å, shape ``(N, 3)``; not necessarily centred."""
    name: str = ""
    """What messages and files call it."""
    properties: dict[str, Any] = field(default_factory=dict)
    """Whatever else is known, by name."""
    charge: int = 0
    """Net charge that the source states, in elementary charges."""
    unpaired: int = 0
    """Unpaired electrons that the source states."""
    pieces: int = 1
    """Parts that no bond joins, where the source has bonds."""

    def __post_init__(self) -> None:
        numbers = _whole_numbers(self.numbers, self.label)
        try:
            positions = np.array(self.positions, dtype=np.float64)
        except (TypeError, ValueError):
            raise PositionError(f"{self.label}: positions are not numbers") from None
        if positions.shape != (len(numbers), 3):
            raise PositionError(f"{self.label}: positions have shape {positions.shape}, not ({len(numbers)}, 3)")
        bad = ~np.isfinite(positions).all(axis=1)
        if bad.any():
            raise PositionError(f"{self.label}: the position of atom {int(bad.argmax())} is not finite")
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "properties", dict(self.properties))

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return len(self.numbers)

    @property
    def symbols(self) -> list[str]:
        """Element symbols in atom order."""
        return [SYMBOLS[number] for number in self.numbers]

    @property
    def counts(self) -> dict[str, int]:
        """Atoms of each element."""
        return dict(Counter(self.symbols))

    @property
    def formula(self) -> str:
        """Formula in Hill order, such as ``C7H10O2``."""
        return hill_formula(self.numbers)

    @property
    def label(self) -> str:
        """How a message names this molecule."""
        return f"molecule {self.name!r}" if self.name else "molecule"

    def __len__(self) -> int:
        return self.n_atoms

    def __repr__(self) -> str:
        return f"Molecule({self.formula}{f', name={self.name!r}' if self.name else ''})"


def checked_molecules(molecules: Iterable[Any]) -> list["Molecule"]:
    """The molecules; raises `InputError` where one is anything else, such as a SMILES string."""
    if not isinstance(molecules, Iterable):
        raise InputError(f"{type_of(molecules)} is not several molecules: give a list of them")
    found = list(molecules)
    for index, molecule in enumerate(found):
        if not isinstance(molecule, Molecule):
            raise InputError(f"molecules[{index}]: {type_of(molecule)} is not a Molecule, with a geometry")
    return found


def label_among(name: str, index: int) -> str:
    """How a message names one of several molecules."""
    return f"molecules[{index}]{f' ({name!r})' if name else ''}"


def _whole_numbers(values: Any, label: str) -> NDArray[np.int64]:
    """Atomic numbers as a fresh ``(N,)`` int64 array."""
    given = np.asarray(values)
    if given.ndim != 1 or given.size == 0:
        kind = TooSmallError if given.shape == (0,) else SizeError
        raise kind(f"{label}: atomic numbers have shape {given.shape}, not (N,) with N of at least 1")
    if given.dtype.kind not in "iuf":
        raise ElementError(f"{label}: atomic numbers are of type {given.dtype}, not whole numbers")
    outside = ~((given >= 1) & (given < len(SYMBOLS)) & (given == np.floor(given)))
    if outside.any():
        raise ElementError(f"{label}: {given[outside.argmax()]} is not an atomic number")
    return given.astype(np.int64)
