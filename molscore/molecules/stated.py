"""Charge and unpaired electrons that a source states beside a geometry, under the names that programs give them."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["stated"]

_CHARGE = ("charge", "total_charge", "net_charge", "formal_charge")
_MULTIPLICITY = ("multiplicity", "spin_multiplicity", "mult")
_UNPAIRED = ("unpaired", "uhf", "n_unpaired")
_SPIN = ("spin",)  # 2S to some, 2S + 1 to others; the number of electrons tells which


def stated(fields: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, int]:
    """``charge`` and ``unpaired`` of a `Molecule` with these atomic numbers (N,).

    What is no single whole number, such as a list of partial charges, is left aside.
    """
    known = {str(name).lower(): value for name, value in fields.items()}
    charge = _first(known, _CHARGE) or 0
    unpaired = _first(known, _UNPAIRED)
    if unpaired is None and (multiplicity := _first(known, _MULTIPLICITY)) is not None:
        unpaired = multiplicity - 1
    if unpaired is None and (spin := _first(known, _SPIN)) is not None:
        unpaired = spin - (sum(map(int, numbers)) - charge - spin) % 2
    return {"charge": charge, "unpaired": max(0, unpaired or 0)}


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """The first of these fields that is a whole number."""
    return next((value for name in names if (value := _whole(fields.get(name))) is not None), None)


def _whole(value: Any) -> int | None:
    try:
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return int(number) if number.is_integer() else None
