"""The gate to RDKit: SMILES to graph, geometry to bonds, bonds to SMILES, and what can be said of a graph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit import __version__ as RDKIT_VERSION

from molscore.errors import ParseError, PositionError
from molscore.molecules.bonds import Bonds, perceive_bonds
from molscore.molecules.molecule import Molecule
from molscore.molecules.smiles import check_bonds, from_smiles

__all__ = [
    "AROMATIC",
    "RDKIT_VERSION",
    "atomic_numbers",
    "bare_mol",
    "bond_array",
    "charge",
    "connected",
    "fragments",
    "from_smiles",
    "has_geometry",
    "missing_hydrogens",
    "mol_from_bonds",
    "mol_from_molecule",
    "molecule_from_mol",
    "placed",
    "radicals",
    "sanitises",
    "smiles_of",
    "unlabelled",
]

#: The order of an aromatic bond beside 1, 2 and 3 in an array of bonds.
AROMATIC = 4

_ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
_NUMBERS = {kind: order for order, kind in _ORDERS.items()}


def atomic_numbers(smiles_or_mol: str | Chem.Mol) -> list[int]:
    """Atomic numbers with the hydrogens that the valences ask for, those last; raises `ParseError` for a bad SMILES."""
    mol = from_smiles(smiles_or_mol) if isinstance(smiles_or_mol, str) else smiles_or_mol
    return [atom.GetAtomicNum() for atom in mol.GetAtoms()] + [1] * missing_hydrogens(mol)


def mol_from_molecule(molecule: Molecule, max_iterations: int = 10_000, time_limit: float = 5.0) -> Chem.Mol:
    """RDKit molecule with explicit hydrogens, the given geometry and bonds and stereochemistry read off it.

    Neutral closed-shell molecules only; raises `ParseError` when no bonds fit within the limits (see `bonds`).
    """
    return mol_from_bonds(molecule, perceive_bonds(molecule, max_iterations, time_limit))


def mol_from_bonds(molecule: Molecule, bonds: Bonds) -> Chem.Mol:
    """RDKit molecule with these bonds and stereochemistry read off the geometry; raises `ParseError` if it is none."""
    mol = bare_mol(molecule)
    for atom, formal in zip(mol.GetAtoms(), bonds.charges.tolist(), strict=True):
        atom.SetFormalCharge(formal)
    for (first, second), order in zip(bonds.pairs.tolist(), bonds.orders.tolist(), strict=True):
        mol.AddBond(first, second, _ORDERS[order])
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(mol)
            Chem.AssignStereochemistryFrom3D(mol)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"{molecule.label}: {str(error).strip()}") from None
    return mol.GetMol()


def bare_mol(molecule: Molecule) -> Chem.RWMol:
    """RDKit molecule of the atoms in their geometry, without bonds and without implicit hydrogens."""
    mol = Chem.RWMol()
    for number in molecule.numbers.tolist():
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    conformer = Chem.Conformer(molecule.n_atoms)
    conformer.Set3D(True)
    conformer.SetPositions(molecule.positions)
    mol.AddConformer(conformer)
    if molecule.name:
        mol.SetProp("_Name", molecule.name)
    return mol


def bond_array(mol: Chem.Mol) -> NDArray[np.uint16] | None:
    """``(E, 3)``: first atom, second atom and order (1, 2, 3, 4 for aromatic) of each bond of a sanitised graph.

    None for a graph with bonds of other kinds, such as dative ones.
    """
    bonds = np.zeros((mol.GetNumBonds(), 3), dtype=np.uint16)
    for bond in mol.GetBonds():
        order = AROMATIC if bond.GetIsAromatic() else _NUMBERS.get(bond.GetBondType())
        if order is None:
            return None
        bonds[bond.GetIdx()] = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), order
    return bonds


def molecule_from_mol(mol: Chem.Mol, conformer: int = -1, name: str | None = None) -> Molecule:
    """Molecule of one conformer; raises `PositionError` without 3D positions or with hydrogens missing."""
    name = (mol.GetProp("_Name") if mol.HasProp("_Name") else "") if name is None else name
    label = f"molecule {name!r}" if name else "molecule"
    if not has_geometry(mol, conformer):
        raise PositionError(f"{label}: the RDKit molecule has no 3D positions")
    if missing := missing_hydrogens(mol):
        raise PositionError(f"{label}: {missing} hydrogens have no positions; add them, or drop the conformer")
    return placed(mol, mol.GetConformer(conformer).GetPositions(), name)


def placed(mol: Chem.Mol, positions: NDArray[np.floating], name: str = "", **properties: Any) -> Molecule:
    """Molecule of the atoms of a graph at `positions` (N, 3) Å, with what the graph says of charge, unpaired electrons
    and pieces; a graph without any bond says only the charge."""
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    bonded = mol.GetNumBonds() > 0
    return Molecule(
        numbers,
        positions,
        name,
        properties,
        charge=charge(mol),
        unpaired=radicals(mol) if bonded else 0,
        pieces=fragments(mol) if bonded else 1,
    )


def has_geometry(mol: Chem.Mol, conformer: int = -1) -> bool:
    """Whether there is a conformer in 3D whose atoms are not all at one point."""
    if not mol.GetNumConformers() or not mol.GetNumAtoms():
        return False
    held = mol.GetConformer(conformer)
    positions = held.GetPositions()
    return held.Is3D() and (len(positions) == 1 or bool((positions != positions[0]).any()))


def missing_hydrogens(mol: Chem.Mol) -> int:
    """Number of hydrogens that the valences ask for and that are not atoms of the graph."""
    counted = mol
    if mol.NeedsUpdatePropertyCache():
        counted = Chem.Mol(mol)
        counted.UpdatePropertyCache(strict=False)
    return counted.GetNumAtoms(onlyExplicit=False) - counted.GetNumAtoms()


def unlabelled(mol: Chem.Mol) -> Chem.Mol:
    """The graph without atom maps and isotopes, nor the stereochemistry that came of them."""
    plain = Chem.Mol(mol)
    for atom in plain.GetAtoms():
        atom.SetAtomMapNum(0)
        atom.SetIsotope(0)
    plain.UpdatePropertyCache(strict=False)
    Chem.AssignStereochemistry(plain, cleanIt=True, force=True)
    return plain


def smiles_of(mol: Chem.Mol | Molecule, stereo: bool = True, imines: bool = False) -> str:
    """Canonical SMILES with hydrogens implicit; bonds of a `Molecule` are perceived first.

    On which side an imine's hydrogen is takes an explicit atom to say (``[H]/N=C/C``), so that it is left out unless
    `imines` asks for it.
    Raises `ParseError` when there is no such string, `TooLargeError` when it would take minutes.
    """
    graph = mol_from_molecule(mol) if isinstance(mol, Molecule) else Chem.Mol(mol)
    check_bonds(graph)
    with rdBase.BlockLogs():
        try:
            if not stereo:  # before the hydrogens go: a stereo bond would hold on to its hydrogen
                Chem.RemoveStereochemistry(graph)
            parameters = Chem.RemoveHsParameters()
            parameters.removeDefiningBondStereo = not imines
            graph = Chem.RemoveHs(graph, parameters)
            if not stereo:
                Chem.RemoveStereochemistry(graph)
            return Chem.MolToSmiles(graph)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"no SMILES for this molecule: {str(error).strip()}") from None


def fragments(mol: Chem.Mol) -> int:
    """Number of pieces that no bond joins."""
    return len(Chem.GetMolFrags(mol))


def connected(mol: Chem.Mol) -> bool:
    """Whether the molecule is in one piece."""
    return fragments(mol) == 1


def charge(mol: Chem.Mol) -> int:
    """Net formal charge in elementary charges."""
    return Chem.GetFormalCharge(mol)


def radicals(mol: Chem.Mol) -> int:
    """Number of unpaired electrons."""
    return sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())


def sanitises(mol: Chem.Mol) -> bool:
    """Whether RDKit accepts the valences, rings and aromaticity; the molecule is left as it is."""
    with rdBase.BlockLogs():
        try:
            return Chem.SanitizeMol(Chem.Mol(mol)) == Chem.SanitizeFlags.SANITIZE_NONE
        except (RuntimeError, ValueError):
            return False
