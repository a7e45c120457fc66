"""ASE ``Atoms`` in and out; what any source of a geometry states of charge and spin, and the periodic box it is in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from molscore.errors import PositionError
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import REACH

__all__ = ["charge_and_spin", "from_ase", "to_ase", "unwrapped"]


def from_ase(atoms: Atoms) -> Molecule:
    """Molecule of the atoms, Å, without the box that they are in; ``info`` becomes the properties, and its ``name`` the
    name.

    Charge and unpaired electrons are those of ``info``, else the sums of initial charges and magnetic moments.
    """
    info = dict(atoms.info)
    sums = {"charge": atoms.get_initial_charges().sum(), "unpaired": abs(atoms.get_initial_magnetic_moments().sum())}
    given = charge_and_spin(
        {name: total for name, value in sums.items() if (total := round(value, 3))} | info, atoms.numbers
    )
    molecule = Molecule(atoms.numbers, atoms.positions, name=str(info.pop("name", "")), properties=info, **given)
    return unwrapped(molecule, atoms.cell, atoms.pbc)


def to_ase(molecule: Molecule) -> Atoms:
    """Atoms with the name and the properties in ``info``."""
    info = {"name": molecule.name} if molecule.name else {}
    return Atoms(numbers=molecule.numbers, positions=molecule.positions, info=info | molecule.properties)


def charge_and_spin(fields: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, int]:
    """``charge`` and ``unpaired`` of a `Molecule` with these atomic numbers (N,), under the names that programs use.

    What is no single whole number, such as a list of partial charges, is left aside. ``spin`` is 2S to some, 2S + 1 to
    others; the number of electrons tells which.
    """
    said = {str(name).lower(): value for name, value in fields.items()}

    def first(*names: str) -> int | None:
        return next((value for name in names if (value := _whole(said.get(name))) is not None), None)

    charge = first("charge", "total_charge", "net_charge", "formal_charge") or 0
    unpaired = first("unpaired", "uhf", "n_unpaired")
    if unpaired is None and (multiplicity := first("multiplicity", "spin_multiplicity", "mult")) is not None:
        unpaired = multiplicity - 1
    if unpaired is None and (spin := first("spin")) is not None:
        unpaired = spin - (sum(map(int, numbers)) - charge - spin) % 2
    return {"charge": charge, "unpaired": max(0, unpaired or 0)}


def _whole(value: Any) -> int | None:
    try:
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return int(number) if number.is_integer() else None


def unwrapped(molecule: Molecule, cell: ArrayLike, pbc: ArrayLike = True) -> Molecule:
    """The molecule put together where the walls of a box `cell` (3, 3) Å cut it, which is periodic along `pbc`.

    Bonds are pairs within `molscore.molecules.neighbours.REACH`; each piece stays where its first atom is. Raises
    `PositionError` for bonds that run through the whole box, as those of a crystal do.
    """
    atoms = Atoms(numbers=molecule.numbers, positions=molecule.positions, cell=cell, pbc=pbc)
    atoms.pbc &= atoms.cell.any(axis=1)
    if not atoms.pbc.any():
        return molecule
    from ase.neighborlist import natural_cutoffs, neighbor_list  # half a second, for boxes alone

    first, second, walls = neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=REACH))
    if not walls.any():
        return molecule
    images = np.zeros((len(atoms), 3), dtype=np.int64)
    seen = np.zeros(len(atoms), dtype=bool)
    for start in range(len(atoms)):
        waiting = [] if seen[start] else [start]
        seen[start] = True
        while waiting:
            for bond in np.flatnonzero(first == waiting.pop()):
                if not seen[second[bond]]:
                    seen[second[bond]] = True
                    images[second[bond]] = images[first[bond]] + walls[bond]
                    waiting.append(second[bond])
    if (images[second] != images[first] + walls).any():
        raise PositionError("the bonds run through the whole periodic box: a crystal, and not a molecule")
    return replace(molecule, positions=molecule.positions + images @ atoms.cell.array)
