"""SDF: records with bonds, coordinates and tags, read one at a time; the bytes written depend on the content alone."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from rdkit import Chem, rdBase

from molscore.errors import MolscoreError, ParseError, PatternError, TooLargeError
from molscore.molecules.bonds import bare_mol
from molscore.molecules.chem import (
    MAX_RINGS,
    bond_array,
    check_bonds,
    has_geometry,
    missing_hydrogens,
    mol_from_molecule,
    placed,
    smiles_of,
    with_isotopes,
)
from molscore.molecules.files.record import (
    Make,
    Record,
    Row,
    bad_record,
    is_smiles_name,
    one_line,
    smiles_among,
    text_of,
    with_smiles_of,
)
from molscore.molecules.files.text import Lines

__all__ = ["scan_sdf", "sdf_record"]

_COUNTS = re.compile(r"[ \d]{6}[\d\s]*V[23]000\s*$")
_TAG = re.compile(r">.*?<(.*)>")
_END = re.compile(r"M\s+END\b")
_HEADER = 4  # lines, of which the first three may be blank
_MAX_LINES = 500_000
_EMPTY = "\n     RDKit          2D\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n"


def scan_sdf(lines: Lines) -> Iterator[Make]:
    """One row for every molecule, whether or not a ``$$$$`` closes it.

    A 3D record with all its hydrogens gives a geometry; a flat one, one at the origin and one that lacks hydrogens,
    which says so, give a SMILES string only, which is a column ``smiles``. A data field ``smiles`` of another molecule
    than the structure becomes ``input_smiles``; that of a record without atoms is its molecule.
    """
    return (partial(_record, row, block) for row, block in enumerate(_blocks(lines)))


def _record(row: int, block: list[str]) -> Record:
    """Record of the lines of one molecule."""
    title = block[0].strip()
    end = next((i for i, line in enumerate(block) if _END.match(line)), None)
    columns = _tags(block[end + 1 :] if end is not None else block)
    if title:
        columns = {"name": title} | columns
    try:
        if end is None:
            raise ParseError("the record is cut short: it has no 'M  END'")
        kept = [line.rstrip() for i, line in enumerate(block[:end]) if i < _HEADER or line.strip()]
        return _usable(row, "\n".join([*kept, "M  END\n"]), title, columns)
    except MolscoreError as error:
        return bad_record(row, error, columns)


def _usable(row: int, text: str, name: str, columns: dict[str, Any]) -> Record:
    """Record of one molblock; raises what makes it unusable."""
    mol, fault = _parse(text)
    if not mol.GetNumAtoms():
        if smiles := smiles_among(columns):
            return Record(row, None, smiles, columns)
        raise ParseError("the record has no atoms")
    bare = mol.GetNumAtoms() > 1 and not mol.GetNumBonds()
    solid = has_geometry(mol)
    lacking = solid and not bare and missing_hydrogens(mol) > 0
    molecule = placed(mol, mol.GetConformer().GetPositions(), name) if solid and not lacking else None
    if molecule is None and (bare or fault):
        raise fault or ParseError("the record has neither bonds nor 3D positions")
    if bare or fault:
        return Record(row, molecule, None, columns)
    smiles = smiles_of(mol, imines=molecule is None)
    said, given = smiles_among(columns), columns
    if molecule is None or any(map(is_smiles_name, columns)):
        columns = with_smiles_of(smiles, columns)
    other = said if said is not None and columns.keys() - given.keys() - {"smiles"} else ""  # it has another name now
    bonds = None if molecule is None else bond_array(mol)
    return Record(row, molecule, smiles, columns, bonds=bonds, lacks_hydrogens=lacking, other_smiles=other)


def _parse(text: str) -> tuple[Chem.Mol, MolscoreError | None]:
    """Molecule of a molblock and why its bonds are of no use, if so; raises where it has no atoms to read."""
    with rdBase.BlockLogs():
        try:
            mol = Chem.MolFromMolBlock(text, sanitize=False, removeHs=False)
        except (RuntimeError, ValueError) as error:
            raise ParseError(f"the record does not parse: {str(error).strip()}") from None
        if mol is None:
            raise ParseError("the record does not parse")
        if any(atom.GetAtomicNum() == 0 or atom.HasQuery() for atom in mol.GetAtoms()):
            raise PatternError("the record has an atom that is no element, or any of several")
        try:
            if mol.GetNumBonds() > MAX_RINGS:
                check_bonds(mol)
            if whole := Chem.MolFromMolBlock(text, removeHs=False):
                return whole, None
            Chem.SanitizeMol(Chem.Mol(mol))
            return mol, ParseError("the bonds are not a molecule")
        except TooLargeError as error:  # RDKit would take too long over them
            return mol, error
        except (RuntimeError, ValueError) as error:
            return mol, ParseError(f"the bonds are not a molecule: {str(error).strip()}")


def _blocks(lines: Lines) -> Iterator[list[str]]:
    """Lines of each record: up to ``$$$$``, and apart where a second header shows that the line is missing."""
    block: list[str] = []
    overflow = False
    for line in lines:
        if line.startswith("$$$$"):
            yield from _split(block)
            block, overflow = [], False
        elif not overflow:
            block.append(line)
            overflow = len(block) >= _MAX_LINES
    if any(line.strip() for line in block):
        yield from _split(block)


def _split(block: list[str]) -> Iterator[list[str]]:
    """Records within a block, one for each counts line; lines that belong to none are one (bad) record."""
    starts: list[int] = []
    previous = -1
    for i, line in enumerate(block):
        if _COUNTS.match(line):
            if i - 3 > previous:
                starts.append(i - 3)
            previous = i
    if not starts or any(line.strip() for line in block[: starts[0]]):
        starts.insert(0, 0)
    for start, stop in zip(starts, [*starts[1:], len(block)], strict=True):
        yield block[start:stop] or [""]


def _tags(lines: list[str]) -> dict[str, Any]:
    """Data fields: a line ``>  <name>``, then the value up to a blank line."""
    tags: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        text = line.rstrip("\r\n")
        if current is None and (match := _TAG.match(text)):
            current = tags.setdefault(match.group(1), [])
            current.clear()
        elif not text.strip():
            current = None
        elif current is not None:
            current.append(text)
    return {name: "\n".join(value) for name, value in tags.items()}


def sdf_record(row: Row, tags: Mapping[str, Any]) -> str:
    """Text of one record: bonds of ``row.mol``, else perceived, else none; then columns and `tags` as data fields.

    Positions keep four decimals (Å). A row without a molecule is a record without atoms.
    """
    block = _EMPTY if row.molecule is None else _molblock(row)
    title = one_line(row.name).removeprefix("$$$$")
    fields = {**row.columns, **tags}
    if text_of(fields.get("name")) == row.name:
        fields.pop("name", None)
    data = "".join(_field(name, text_of(value)) for name, value in fields.items())
    return f"{title}{block[block.index(chr(10)) :]}{data}$$$$\n"


def _field(name: str, value: str) -> str:
    """One data field on one line; nothing in it can end the field, the name or the record."""
    name, value = one_line(name).replace("<", "(").replace(">", ")"), one_line(value)
    return f">  <{name}>\n{' ' if value.startswith('$$$$') else ''}{value}\n\n"


def _molblock(row: Row) -> str:
    """Molblock in the geometry of the row's molecule, with its bonds or else without any."""
    bare = bare_mol(row.molecule)
    known = row.mol
    if known is None or [atom.GetAtomicNum() for atom in known.GetAtoms()] != row.molecule.numbers.tolist():
        try:
            known = mol_from_molecule(row.molecule)
        except ParseError:
            known = bare
    placed = Chem.Mol(known)
    placed.RemoveAllConformers()
    placed.AddConformer(bare.GetConformer())
    placed = with_isotopes(placed, smiles_among(row.columns))
    with rdBase.BlockLogs():
        try:
            return Chem.MolToMolBlock(placed)
        except (RuntimeError, ValueError):
            return Chem.MolToMolBlock(bare)
