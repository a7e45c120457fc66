"""Formal charges that a reading of bonds invents where a hydrogen is missing or too many."""

from rdkit import Chem

__all__ = ["unlikely_charges"]

_CARBON, _OXYGEN = 6, 8


def unlikely_charges(mol: Chem.Mol) -> list[str]:
    """Charged carbons and oxonium atoms without a neighbour of opposite charge, such as ``C+``, in atom order.

    Of the 130,831 SMILES of QM9 none has C+ or O+, and C- only beside N+. Of 2,013 of its geometries one reads this
    way, as another resonance form.
    """
    return [
        f"{atom.GetSymbol()}{'+' if atom.GetFormalCharge() > 0 else '-'}"
        for atom in mol.GetAtoms()
        if _is_odd(atom) and not any(_opposite(atom, other) for other in atom.GetNeighbors())
    ]


def _is_odd(atom: Chem.Atom) -> bool:
    charge = atom.GetFormalCharge()
    return (atom.GetAtomicNum() == _CARBON and charge != 0) or (atom.GetAtomicNum() == _OXYGEN and charge > 0)


def _opposite(atom: Chem.Atom, other: Chem.Atom) -> bool:
    return atom.GetFormalCharge() * other.GetFormalCharge() < 0
