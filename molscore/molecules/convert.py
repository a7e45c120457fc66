"""Whatever a user holds a molecule in, as a `Molecule`."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from molscore.errors import InputError, MolscoreError
from molscore.molecules.molecule import Molecule

__all__ = ["as_list", "as_molecule", "as_molecules", "each"]

_RDKIT, _ASE = ("rdkit", "Mol"), ("ase", "Atoms")
_PYG, _PYG_BATCH = ("torch_geometric", "Data"), ("torch_geometric", "Batch")

Made = TypeVar("Made")


def as_molecule(obj: Any, seed: int = 0) -> Molecule:
    """Molecule of a SMILES string, RDKit ``Mol``, PyG ``Data``, ASE ``Atoms`` or `Molecule`.

    SMILES and an RDKit molecule without conformers get a geometry (ETKDGv3 and MMFF94s, from `seed`); one with a
    conformer keeps it. Raises `InputError` for other types, and what the conversion itself raises.
    """
    if isinstance(obj, Molecule):
        return obj
    kinds = _kinds(obj)
    if isinstance(obj, str) or _RDKIT in kinds:
        from molscore.molecules.chem import molecule_from_mol
        from molscore.molecules.conformers import embed

        if isinstance(obj, str) or not obj.GetNumConformers() or not obj.GetConformer().Is3D():
            return embed(obj, seed=seed)[0]
        return molecule_from_mol(obj)
    if _PYG in kinds:
        from molscore.molecules.pyg import from_pyg

        return from_pyg(obj)
    if _ASE in kinds:
        from molscore.molecules.ase import from_ase

        return from_ase(obj)
    accepted = "a Molecule, a SMILES string, an RDKit Mol, a PyG Data or an ASE Atoms"
    raise InputError(f"a {type(obj).__name__} is not {accepted}")


def _kinds(obj: Any) -> set[tuple[str, str]]:
    """Home package and name of every class of an object, so that no package is imported just to ask."""
    return {(base.__module__.partition(".")[0], base.__name__) for base in type(obj).__mro__}


def as_list(objs: Any) -> list[Any]:
    """The molecules of a batch one by one, whatever they are; one molecule alone is a list of one."""
    kinds = _kinds(objs)
    if kinds & {_PYG, _PYG_BATCH}:
        from molscore.molecules.pyg import separate

        return separate(objs)
    if isinstance(objs, (str, Molecule)) or kinds & {_RDKIT, _PYG, _ASE} or not isinstance(objs, Iterable):
        return [objs]
    return list(objs)


def each(objs: Any, make: Callable[[Any], Made]) -> list[Made]:
    """What `make` makes of each of several molecules, or of one; of several, an error names the row, from 0."""
    made = []
    for row, obj in enumerate(as_list(objs)):
        try:
            made.append(make(obj))
        except MolscoreError as error:
            if obj is objs:
                raise
            raise type(error)(f"row {row}: {error}") from None
    return made


def as_molecules(objs: Any, seed: int = 0) -> list[Molecule]:
    """Molecules of several objects, or of one. The first that cannot be used is raised, as `each` says."""
    return each(objs, lambda obj: as_molecule(obj, seed))
