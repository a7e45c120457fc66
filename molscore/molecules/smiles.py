"""SMILES strings in: a whole graph, or only the outline that shows whether the graph is worth making.

RDKit's search for rings grows with the cube of their number and cannot be interrupted: 1,000 rings take minutes. So
strings that are too long and graphs with too many rings are refused before it begins, which gives the same answer on
every machine. What is left takes well under a second, and ordinary molecules a tenth of a millisecond.
"""

import re
from typing import NamedTuple

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from molscore.errors import ParseError, PatternError, TooLargeError

__all__ = ["MAX_RINGS", "Outline", "check_bonds", "from_smiles", "outline", "outline_of", "ring_count", "shown"]

MAX_RINGS = 100  # independent ones; C60 has 31

_MAX_SMILES_LENGTH = 10_000
_SHOWN = 80  # characters of a string in a message
_LONGEST_REASON = 200
_MAX_ATOMS = 1000  # whose bonds are looked into: the canonical SMILES of 9,000 atoms takes a minute
_RAW = Chem.SmilesParserParams()
_RAW.sanitize = False
_RAW.removeHs = False
# Valences, alternating bonds and radicals, in two thirds of the time of all steps.
_STEPS = (
    Chem.SanitizeFlags.SANITIZE_CLEANUP
    | Chem.SanitizeFlags.SANITIZE_PROPERTIES
    | Chem.SanitizeFlags.SANITIZE_SYMMRINGS
    | Chem.SanitizeFlags.SANITIZE_KEKULIZE
    | Chem.SanitizeFlags.SANITIZE_FINDRADICALS
)
_TERM = re.compile(r"([A-Z][a-z]?|\*)(\d*)")


class Outline(NamedTuple):
    """What can be said of a molecule without its geometry."""

    counts: dict[str, int]
    """Atoms of each element, hydrogens included."""
    charge: int
    """Net, in elementary charges."""
    pieces: int
    """Parts that no bond joins."""
    unpaired: int = 0
    """Unpaired electrons."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return sum(self.counts.values())


def from_smiles(smiles: str) -> Chem.Mol:
    """Sanitised molecular graph without explicit hydrogens.

    Raises `ParseError` that says what is wrong, `PatternError` for dummy atoms and queries, and `TooLargeError` for
    what RDKit would take too long over.
    """
    text = _checked(smiles)
    with rdBase.BlockLogs():
        raw = _raw(text)
        try:
            mol = Chem.MolFromSmiles(text)
        except (UnicodeError, RuntimeError, ValueError) as error:
            raise ParseError(f"{shown(text)} is not a SMILES string: {_first_line(error)}") from None
        if mol is None:
            raise ParseError(f"{shown(text)} is not a molecule: {_fault(raw)}")
    if any(atom.GetAtomicNum() == 0 or atom.HasQuery() for atom in mol.GetAtoms()):
        raise PatternError(f"{shown(text)} is not a molecule: it has a dummy atom or a query")
    if any(bond.HasQuery() for bond in mol.GetBonds()):
        raise PatternError(f"{shown(text)} is not a molecule: it has a bond of any order")
    return mol


def outline(smiles: str) -> Outline:
    """Outline of a string that RDKit can sanitise, in half the time that the graph takes; raises as `from_smiles`.

    Queries other than dummy atoms and bonds of any order pass.
    """
    text = _checked(smiles)
    with rdBase.BlockLogs():
        mol = _raw(text)
        try:
            Chem.SanitizeMol(mol, _STEPS)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"{shown(text)} is not a molecule: {_first_line(error)}") from None
    if "~" in text.partition(" ")[0]:
        raise PatternError(f"{shown(text)} is not a molecule: it has a bond of any order")
    found = outline_of(mol, 1 if "." not in text and "|" not in text else None)
    if "*" in found.counts:
        raise PatternError(f"{shown(text)} is not a molecule: it has a dummy atom")
    return found


def outline_of(mol: Chem.Mol, pieces: int | None = None) -> Outline:
    """Outline of a graph whose valences are known; `pieces` where they have been counted. Dummy atoms are ``*``."""
    counts: dict[str, int] = {}
    formula = rdMolDescriptors.CalcMolFormula(mol).partition("+")[0].partition("-")[0]
    for symbol, digits in _TERM.findall(formula):
        counts[symbol] = counts.get(symbol, 0) + int(digits or 1)
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    return Outline(
        counts, Chem.GetFormalCharge(mol), len(Chem.GetMolFrags(mol)) if pieces is None else pieces, unpaired
    )


def check_bonds(mol: Chem.Mol) -> None:
    """Raise `TooLargeError` for a graph over whose canonical form RDKit would take too long."""
    if mol.GetNumAtoms() > _MAX_ATOMS:
        raise TooLargeError(f"{mol.GetNumAtoms()} atoms; the bonds of {_MAX_ATOMS} at most are looked into")
    if mol.GetNumBonds() > MAX_RINGS and (rings := ring_count(mol)) > MAX_RINGS:
        raise TooLargeError(f"{rings} rings; bonds with {MAX_RINGS} at most are looked into")


def ring_count(mol: Chem.Mol) -> int:
    """Number of independent rings, counted without looking for them."""
    return mol.GetNumBonds() - mol.GetNumAtoms() + len(Chem.GetMolFrags(mol))


def shown(smiles: str) -> str:
    """A string as messages quote it: the beginning of a long one."""
    return repr(smiles if len(smiles) <= _SHOWN else f"{smiles[: _SHOWN - 1]}…")


def _checked(smiles: str) -> str:
    """The text of a string that can be given to RDKit's parser."""
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
    return text


def _raw(text: str) -> Chem.Mol:
    """Graph as written, valences and rings unknown."""
    try:
        mol = Chem.MolFromSmiles(text, _RAW)
    except (UnicodeError, RuntimeError, ValueError) as error:
        raise ParseError(f"{shown(text)} is not a SMILES string: {_first_line(error)}") from None
    if mol is None:
        raise ParseError(f"{shown(text)} is not a molecule: the SMILES does not parse")
    if mol.GetNumBonds() > MAX_RINGS and (rings := ring_count(mol)) > MAX_RINGS:
        raise TooLargeError(f"{shown(text)} has {rings} rings; {MAX_RINGS} at most are looked into")
    return mol


def _fault(raw: Chem.Mol) -> str:
    """Why RDKit refuses a graph."""
    try:
        Chem.SanitizeMol(raw)
    except (RuntimeError, ValueError) as error:
        return _first_line(error)
    return "RDKit refuses it"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:_LONGEST_REASON]
