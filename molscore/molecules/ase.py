"""ASE ``Atoms`` in and out. A molecule that the walls of a periodic box cut is put together; the box is left aside."""

from ase import Atoms

from molscore.molecules.molecule import Molecule
from molscore.molecules.periodic import unwrapped
from molscore.molecules.stated import stated

__all__ = ["from_ase", "to_ase"]


def from_ase(atoms: Atoms) -> Molecule:
    """Molecule of the atoms, Å; ``info`` becomes the properties, and its ``name`` the name.

    Charge and unpaired electrons are those of ``info``, else the sums of initial charges and magnetic moments. Raises
    `PositionError` for a crystal.
    """
    info = dict(atoms.info)
    sums = {"charge": atoms.get_initial_charges().sum(), "unpaired": abs(atoms.get_initial_magnetic_moments().sum())}
    positions = unwrapped(atoms.numbers, atoms.positions, atoms.cell, atoms.pbc)
    given = stated({name: total for name, value in sums.items() if (total := round(value, 3))} | info, atoms.numbers)
    return Molecule(atoms.numbers, positions, name=str(info.pop("name", "")), properties=info, **given)


def to_ase(molecule: Molecule) -> Atoms:
    """Atoms with the name and the properties in ``info``."""
    info = {"name": molecule.name} if molecule.name else {}
    return Atoms(numbers=molecule.numbers, positions=molecule.positions, info=info | molecule.properties)
