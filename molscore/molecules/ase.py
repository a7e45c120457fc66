"""ASE ``Atoms`` in and out. Cell and periodicity are left aside: a molecule has none."""

from ase import Atoms

from molscore.molecules.molecule import Molecule

__all__ = ["from_ase", "to_ase"]


def from_ase(atoms: Atoms) -> Molecule:
    """Molecule of the atoms, Å; ``info`` becomes the properties, and its ``name`` the name."""
    info = dict(atoms.info)
    return Molecule(atoms.numbers, atoms.positions, name=str(info.pop("name", "")), properties=info)


def to_ase(molecule: Molecule) -> Atoms:
    """Atoms with the name and the properties in ``info``."""
    info = {"name": molecule.name} if molecule.name else {}
    return Atoms(numbers=molecule.numbers, positions=molecule.positions, info=info | molecule.properties)
