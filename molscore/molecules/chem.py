"""RDKit: SMILES to graph and back, geometry to graph, and what chemists read off a graph.

RDKit's search for rings grows with the cube of their number and cannot be interrupted: 1,000 rings take minutes. So
strings that are too long and graphs with too many rings are refused before it begins, which gives the same answer on
every machine. What is left takes well under a second, and ordinary molecules a fifth of a millisecond.
"""

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit import __version__ as RDKIT_VERSION
from rdkit.Chem import rdDetermineBonds, rdMolDescriptors

from molscore.errors import InputError, MolscoreError, ParseError, PatternError, PositionError, TooLargeError
from molscore.molecules.bonds import Bonds, bare_mol, perceive_bonds
from molscore.molecules.molecule import Molecule
from molscore.molecules.resonance import BOND_TYPES

__all__ = [
    "AROMATIC", "ISOTOPE", "MAX_RINGS", "RDKIT_VERSION", "Contents", "atoms_of_ring_systems", "bond_array",
    "bonds_over", "check_bonds", "check_no_pattern", "contents_of", "descriptors", "fragments", "from_smiles",
    "graph_counts", "has_geometry", "missing_hydrogens", "mol_from_bonds", "mol_from_molecule", "mol_from_smiles",
    "molecule_from_mol", "pattern_of", "placed", "ring_count", "ring_systems", "shown", "smiles_of", "smiles_of_ring",
    "unlabelled", "with_isotopes", "without_hydrogens",
]  # fmt: skip

AROMATIC = 4  # the order of an aromatic bond beside 1, 2 and 3 in an array of bonds
ISOTOPE = re.compile(r"\[\d")
MAX_RINGS = 100  # independent ones; C60 has 31

_MAX_SMILES_LENGTH = 10_000
_MAX_ATOMS = 1000  # whose bonds are looked into: the canonical SMILES of 9,000 atoms takes a minute
_MATCHES = 1000  # of a graph in itself that are tried
_SHOWN = 80  # characters of a string in a message
_LONGEST_REASON = 200
_AS_WRITTEN = Chem.SmilesParserParams()
_AS_WRITTEN.sanitize = False
_AS_WRITTEN.removeHs = False
# Two atoms are joined below so many times the sum of their covalent radii; where one value gives another graph than a
# SMILES string, the next may not.
_COVALENT_FACTORS = (1.3, 1.2, 1.15, 1.4)
_TERM = re.compile(r"([A-Z][a-z]?|\*)(\d*)")
_KINDS = {*BOND_TYPES.values(), Chem.BondType.AROMATIC, Chem.BondType.DATIVE}
_NUMBERS = {kind: order for order, kind in BOND_TYPES.items()}


def from_smiles(smiles: str) -> Chem.Mol:
    """Sanitised molecular graph without explicit hydrogens, as ``Chem.MolFromSmiles`` makes it.

    Raises `ParseError` that says what is wrong, `PatternError` for dummy atoms and queries, and `TooLargeError` for
    what RDKit would take too long over.
    """
    text = smiles.strip()
    head, _, tail = text.partition(" ")
    if not head:
        raise ParseError("the SMILES string is empty")
    if len(text) > _MAX_SMILES_LENGTH:
        raise TooLargeError(f"a SMILES string of {len(text)} characters; {_MAX_SMILES_LENGTH} at most are read")
    if not (head.isascii() and head.isprintable()):  # RDKit skips control characters at the beginning
        raise ParseError(f"{shown(text)} is not a SMILES string: it has a character that none has")
    if tail and not tail.lstrip().startswith("|"):
        raise ParseError(f"{shown(text)} is not a SMILES string: there is a space in it")
    with rdBase.BlockLogs():
        try:
            mol = Chem.MolFromSmiles(text, _AS_WRITTEN)
        except (UnicodeError, RuntimeError, ValueError) as error:
            raise ParseError(f"{shown(text)} is not a SMILES string: {_first_line(error)}") from None
        if mol is None:
            raise ParseError(f"{shown(text)} is not a molecule: the SMILES does not parse")
        if mol.GetNumBonds() > MAX_RINGS and (rings := ring_count(mol)) > MAX_RINGS:
            raise TooLargeError(f"{shown(text)} has {rings} rings; {MAX_RINGS} at most are looked into")
        try:
            mol = Chem.RemoveHs(mol)
            Chem.AssignStereochemistry(mol, cleanIt=True)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"{shown(text)} is not a molecule: {_first_line(error)}") from None
    check_no_pattern(mol, shown(text))
    for bond in mol.GetBonds():
        if (kind := bond.GetBondType()) not in _KINDS or (kind == Chem.BondType.AROMATIC and not bond.IsInRing()):
            reason = "an aromatic bond outside any ring" if kind in _KINDS else f"a bond of the kind {kind}".lower()
            raise ParseError(f"{shown(text)} is not a molecule: it has {reason}")
    return mol


def check_no_pattern(mol: Chem.Mol, label: str = "this") -> None:
    """Raise `PatternError` for a graph that stands for many molecules."""
    if any(atom.GetAtomicNum() == 0 or atom.HasQuery() for atom in mol.GetAtoms()):
        raise PatternError(f"{label} is not a molecule: it has a dummy atom or a query")
    if any(bond.HasQuery() for bond in mol.GetBonds()):
        raise PatternError(f"{label} is not a molecule: it has a bond of any order")


def smiles_of(mol: Chem.Mol | Molecule, stereo: bool = True, imines: bool = False) -> str:
    """Canonical SMILES with hydrogens implicit; bonds of a `Molecule` are perceived first.

    On which side an imine's hydrogen is takes an explicit atom to say (``[H]/N=C/C``), so that it is left out unless
    `imines` asks for it. Raises `ParseError` when there is no such string, `TooLargeError` when it would take minutes.
    """
    graph = mol_from_molecule(mol) if isinstance(mol, Molecule) else Chem.Mol(mol)
    check_bonds(graph)
    check_no_pattern(graph)
    with rdBase.BlockLogs():
        try:
            if not stereo:  # before the hydrogens go: a stereo bond would hold on to its hydrogen
                Chem.RemoveStereochemistry(graph)
            graph = Chem.RemoveHs(graph) if imines else without_hydrogens(graph)
            if not stereo:
                Chem.RemoveStereochemistry(graph)
            return Chem.MolToSmiles(graph)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"no SMILES for this molecule: {str(error).strip()}") from None


def shown(smiles: str) -> str:
    """A string as messages quote it: the beginning of a long one."""
    return repr(smiles if len(smiles) <= _SHOWN else f"{smiles[: _SHOWN - 1]}…")


def check_bonds(mol: Chem.Mol) -> None:
    """Raise `TooLargeError` for a graph over whose canonical form RDKit would take too long."""
    if mol.GetNumAtoms() > _MAX_ATOMS:
        raise TooLargeError(f"{mol.GetNumAtoms()} atoms; the bonds of {_MAX_ATOMS} at most are looked into")
    if mol.GetNumBonds() > MAX_RINGS and (rings := ring_count(mol)) > MAX_RINGS:
        raise TooLargeError(f"{rings} rings; bonds with {MAX_RINGS} at most are looked into")


def ring_count(mol: Chem.Mol) -> int:
    """Number of independent rings, counted without looking for them."""
    return mol.GetNumBonds() - mol.GetNumAtoms() + fragments(mol)


def fragments(mol: Chem.Mol) -> int:
    """Number of pieces that no bond joins."""
    return len(Chem.GetMolFrags(mol))


class Contents(NamedTuple):
    """What a graph says of a molecule, as a `Molecule` does, without a geometry."""

    counts: dict[str, int]  # atoms of each element, hydrogens included
    charge: int  # net, in elementary charges
    pieces: int  # parts that no bond joins
    unpaired: int  # unpaired electrons

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return sum(self.counts.values())


def contents_of(mol: Chem.Mol) -> Contents:
    """Elements, charge, pieces and unpaired electrons of a sanitised graph."""
    counts: dict[str, int] = {}
    formula = rdMolDescriptors.CalcMolFormula(mol).partition("+")[0].partition("-")[0]
    for symbol, digits in _TERM.findall(formula):
        counts[symbol] = counts.get(symbol, 0) + int(digits or 1)
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    return Contents(counts, Chem.GetFormalCharge(mol), fragments(mol), unpaired)


def ring_systems(graph: Chem.Mol) -> set[str]:
    """Ring systems of a molecule as SMILES: the atoms of rings that share an atom, and the bonds between them.

    They are those of its Murcko framework without what hangs on them: no substituents, hydrogens, charges, nor
    stereochemistry, so that pyrrole and its N-alkyl derivatives have the same.
    """
    return {smiles_of_ring(graph, atoms) for atoms in atoms_of_ring_systems(graph)}


def atoms_of_ring_systems(graph: Chem.Mol) -> list[list[int]]:
    """The atoms of each ring system, in order."""
    systems: list[set[int]] = []
    for ring in map(set, graph.GetRingInfo().AtomRings()):
        joined = [system for system in systems if system & ring]
        systems = [system for system in systems if not system & ring] + [ring.union(*joined)]
    return [sorted(system) for system in systems]


def smiles_of_ring(graph: Chem.Mol, atoms: list[int]) -> str:
    """Atoms of a ring system, and the bonds between them, as SMILES."""
    ring, place = Chem.RWMol(), {atom: index for index, atom in enumerate(atoms)}
    for number in atoms:
        atom = graph.GetAtomWithIdx(number)
        bare = Chem.Atom(atom.GetAtomicNum())
        bare.SetIsAromatic(atom.GetIsAromatic())
        ring.AddAtom(bare)
    for bond in graph.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if bond.IsInRing() and ends[0] in place and ends[1] in place:
            ring.AddBond(place[ends[0]], place[ends[1]], bond.GetBondType())
    ring.UpdatePropertyCache(strict=False)
    return Chem.MolToSmiles(ring)


def without_hydrogens(mol: Chem.Mol) -> Chem.Mol:
    """The graph with every hydrogen implicit that can be, those that hold a double bond's stereo included."""
    rules = Chem.RemoveHsParameters()
    rules.removeDefiningBondStereo = True
    return Chem.RemoveHs(mol, rules)


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
        mol.AddBond(first, second, BOND_TYPES[order])
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(mol)
            Chem.AssignStereochemistryFrom3D(mol)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"{molecule.label}: {str(error).strip()}") from None
    return mol.GetMol()


def bonds_over(smiles: str, molecule: Molecule) -> NDArray[np.uint16] | None:
    """Bonds ``(E, 3)`` of `smiles` between the atoms of `molecule`, as `bond_array` has them; None if they do not fit.

    They fit where the graph of atoms that are near each other is that of the SMILES string, orders and charges aside.
    Raises `ParseError` for a bad SMILES string.
    """
    graph = Chem.AddHs(from_smiles(smiles))
    if graph.GetNumAtoms() != molecule.n_atoms or (bonds := bond_array(graph)) is None:
        return None
    skeleton = Chem.RWMol()
    for atom in graph.GetAtoms():
        skeleton.AddAtom(Chem.Atom(atom.GetAtomicNum()))
    for first, second, _ in bonds.tolist():
        skeleton.AddBond(first, second, Chem.BondType.SINGLE)
    atoms = bare_mol(molecule)
    for factor in _COVALENT_FACTORS:
        near = Chem.RWMol(atoms)
        with rdBase.BlockLogs():
            rdDetermineBonds.DetermineConnectivity(near, useVdw=True, covFactor=factor)
        if near.GetNumBonds() == len(bonds) and (match := near.GetSubstructMatch(skeleton)):
            place = np.array(match, dtype=np.uint16)
            return np.column_stack([place[bonds[:, 0]], place[bonds[:, 1]], bonds[:, 2]])
    return None


def mol_from_smiles(molecule: Molecule, smiles: str) -> Chem.Mol:
    """RDKit molecule of a geometry that was made of a SMILES string: its bonds, charges and isotopes.

    Raises `ParseError` where the atoms of the string, hydrogens last, are not those of the geometry.
    """
    mol = Chem.AddHs(from_smiles(smiles))
    if [atom.GetAtomicNum() for atom in mol.GetAtoms()] != molecule.numbers.tolist():
        raise ParseError(f"{molecule.label}: its atoms are not those of {shown(smiles)}")
    mol.AddConformer(bare_mol(molecule).GetConformer())
    Chem.AssignStereochemistryFrom3D(mol)
    return mol


def with_isotopes(mol: Chem.Mol, smiles: str | None) -> Chem.Mol:
    """A molecule in 3D with the isotopes that a SMILES string of it has, where it has some."""
    if not smiles or not ISOTOPE.search(smiles):
        return mol
    try:
        graph = Chem.AddHs(from_smiles(smiles))
    except MolscoreError:
        return mol
    for match in mol.GetSubstructMatches(unlabelled(graph), uniquify=False, maxMatches=_MATCHES):
        found = Chem.Mol(mol)
        for place, atom in zip(match, graph.GetAtoms(), strict=True):
            found.GetAtomWithIdx(place).SetIsotope(atom.GetIsotope())
        Chem.AssignStereochemistryFrom3D(found)
        if found.HasSubstructMatch(graph, useChirality=True):
            return found
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


def molecule_from_mol(mol: Chem.Mol) -> Molecule:
    """Molecule of the first conformer; raises `PositionError` without 3D positions or with hydrogens missing."""
    name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
    label = f"molecule {name!r}" if name else "molecule"
    if not has_geometry(mol):
        raise PositionError(f"{label}: the RDKit molecule has no 3D positions")
    if missing := missing_hydrogens(mol):
        raise PositionError(f"{label}: {missing} hydrogens have no positions; add them, or drop the conformer")
    return placed(mol, mol.GetConformer().GetPositions(), name)


def placed(mol: Chem.Mol, positions: NDArray[np.floating], name: str = "", **properties: Any) -> Molecule:
    """Molecule of the atoms of a graph at `positions` (N, 3) Å, with what the graph says of charge, unpaired electrons
    and pieces; a graph without any bond says only the charge."""
    atoms = list(mol.GetAtoms())
    said: dict[str, int] = {"charge": Chem.GetFormalCharge(mol)}
    if mol.GetNumBonds():
        said |= {"unpaired": sum(atom.GetNumRadicalElectrons() for atom in atoms), "pieces": fragments(mol)}
    return Molecule([atom.GetAtomicNum() for atom in atoms], positions, name, properties, **said)


def has_geometry(mol: Chem.Mol) -> bool:
    """Whether there is a conformer in 3D whose atoms are not all at one point."""
    if not mol.GetNumConformers() or not mol.GetNumAtoms():
        return False
    positions = mol.GetConformer().GetPositions()
    return mol.GetConformer().Is3D() and (len(positions) == 1 or bool((positions != positions[0]).any()))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:_LONGEST_REASON]


def descriptors(mol: Chem.Mol) -> dict[str, str | float | int]:
    """InChIKey, weight (g/mol), Crippen logP, TPSA (Å²), QED (0 to 1), rotatable bonds (RDKit's strict rule), rings.

    The InChIKey is that of the SMILES string, as databases have it: in a geometry InChI would see stereocentres that
    invert, such as nitrogen's. It is empty where there is none.

    References:
        Wildman and Crippen 1999, https://doi.org/10.1021/ci990307l (logP)
        Ertl, Rohde, Selzer 2000, https://doi.org/10.1021/jm000942e (TPSA)
        Bickerton et al. 2012, https://doi.org/10.1038/nchem.1243 (QED)
    """
    from rdkit.Chem.Descriptors import MolWt  # slow imports
    from rdkit.Chem.QED import qed

    with rdBase.BlockLogs():
        flat = without_hydrogens(mol)
        named = Chem.MolFromSmiles(Chem.MolToSmiles(flat))
        return {
            "inchikey": "" if named is None else Chem.MolToInchiKey(named),
            "mol_weight": round(MolWt(flat), 3),
            "logp": round(rdMolDescriptors.CalcCrippenDescriptors(flat)[0], 3),
            "tpsa": round(rdMolDescriptors.CalcTPSA(flat), 2),
            "qed": round(qed(flat), 3),
            "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds(flat),
            "rings": rdMolDescriptors.CalcNumRings(flat),
        }


def graph_counts(mol: Chem.Mol) -> tuple[int, int, int, int, int]:
    """Atoms, heavy atoms, rings, rotatable bonds, and whether there is an aromatic ring, of a graph with hydrogens."""
    flat = without_hydrogens(mol)
    rings, turns = rdMolDescriptors.CalcNumRings(flat), rdMolDescriptors.CalcNumRotatableBonds(flat)
    aromatic = int(rdMolDescriptors.CalcNumAromaticRings(flat) > 0)
    return mol.GetNumAtoms(), mol.GetNumHeavyAtoms(), rings, turns, aromatic


def pattern_of(smarts: str) -> Chem.Mol:
    """Query of a SMARTS string; raises `InputError` for what is none."""
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(smarts) if isinstance(smarts, str) else None
    if pattern is None or not pattern.GetNumAtoms():
        raise InputError(f"{smarts!r} is not a SMARTS pattern")
    return pattern
