"""`evaluate` on a file: figures of all, and of each molecule where they are to be written."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError, MolscoreError, PositionError
from molscore.evaluation.checks import check_all, summary
from molscore.evaluation.edm import allowed_valences
from molscore.evaluation.fidelity import Fidelity, fidelity
from molscore.evaluation.metrics import PerMolecule, judge
from molscore.molecules.bonds import doubts
from molscore.molecules.chem import descriptors, mol_from_molecule, smiles_of, with_isotopes
from molscore.molecules.files import Record, Row, read
from molscore.molecules.files.record import label_of, text_of, with_smiles_of
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import check_geometry, overlap

__all__ = ["Evaluation", "evaluate_file", "geometries_of"]

_NAMED = 5  # rows of each status


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is said of the molecules of a file."""

    records: list[Record]
    left_out: dict[str, list[str]]  # rows that cannot be judged, as messages name them, by status
    judged: PerMolecule
    fidelity: Fidelity | None  # beside the reference, where there is one
    checks: list[dict[str, Any]]
    note: str = ""  # why there is no such table although there is a reference

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        found = self.judged.metrics.to_dict()
        if self.fidelity is not None:
            found["fidelity"] = self.fidelity.to_dict()
        return found | ({"checks": self.checks} if any(self.checks) else {})

    def to_text(self) -> str:
        """Tables for people."""
        lines = [self.judged.metrics.to_text(), *summary(self.checks), *filter(None, [self.note])]
        return "\n".join([*lines, "", self.fidelity.to_text()] if self.fidelity is not None else lines)

    def left_out_lines(self) -> list[str]:
        """How many rows of each status are left out, and the first of them."""
        lines = []
        for status, rows in sorted(self.left_out.items()):
            more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
            lines.append(f"left out: {status} {len(rows)}: {'; '.join(rows[:_NAMED])}{more}")
        return lines

    def rows(self) -> Iterator[Row]:
        """Each molecule with the columns of its file, then ours.

        A column of the file that has a name of ours, in any case, and says other things is called ``input_`` and that.
        """
        judged = [
            self._judged(record, self.judged.columns(number) | checks)
            for number, (record, checks) in enumerate(zip(self.records, self.checks, strict=True))
        ]
        named = {name.lower(): name for _, ours in judged for name in ours}
        renamed = {
            name
            for record, (_, ours) in zip(self.records, judged, strict=True)
            for name, value in record.columns.items()
            if name.lower() in named and _differ(value, ours.get(named[name.lower()]))
        }
        for record, (mol, ours) in zip(self.records, judged, strict=True):
            columns = {
                f"input_{name}" if name in renamed else name: value
                for name, value in record.columns.items()
                if name in renamed or name.lower() not in named
            }
            if mol is not None:
                columns = with_smiles_of(smiles_of(mol), columns)
            yield Row(record.molecule, columns | ours, mol)

    @staticmethod
    def _judged(record: Record, ours: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The graph of a molecule, None where no bonds fit, and all our columns."""
        formula = {"formula": record.molecule.formula}
        try:
            mol = with_isotopes(mol_from_molecule(record.molecule), record.smiles)
            read, found = formula | descriptors(mol), doubts(mol, record.molecule.positions)
            if record.molecule.charge:
                found["charges"] = f"the file says {record.molecule.charge:+d}"
        except MolscoreError as error:
            near = overlap(record.molecule)
            mol, read, found = None, formula, {"clash": near} if near else {"bonds": str(error)}
        return mol, read | ours | {"doubts": "; ".join(f"{check}: {value}" for check, value in found.items())}


def evaluate_file(path: str, reference: str | None = None, workers: int = 1, **checks: bool) -> Evaluation:
    """Judge the molecules of a file with geometries; `checks` are ``mmff``, ``xtb`` and ``poses`` of `check_all`.

    `reference` is a data set, of which the training split counts, or any file with geometries.
    Raises `InputError` for a file that cannot be read or that has no such molecule.
    """
    records, left_out = _judgeable(path)
    known = None if reference is None else _reference(reference)
    found = MoleculeSet.from_molecules(record.molecule for record in records)
    checked = list(check_all([record.molecule for record in records], workers=workers, **checks))
    table, note = None, ""
    try:
        table = None if known is None else fidelity(found, known)
    except InputError as error:
        note = f"not compared with {reference}: {error}"
    return Evaluation(records, left_out, judge(found, known), table, checked, note)


def geometries_of(path: str | os.PathLike[str]) -> MoleculeSet:
    """The molecules of a file that can be judged; raises as `evaluate_file`."""
    return MoleculeSet.from_molecules(record.molecule for record in _judgeable(path)[0])


def _judgeable(path: str | os.PathLike[str]) -> tuple[list[Record], dict[str, list[str]]]:
    """Records with a whole geometry and elements that the metrics know; the others by status, as messages name them."""
    known = allowed_valences().any(axis=1)
    records, left_out = [], defaultdict(list)
    for record in read(path):
        status = record.status
        if record.ok and record.molecule is not None and not known[record.molecule.numbers].all():
            status = ElementError.status
        elif record.ok and (record.molecule is None or _lacks_hydrogens(record.molecule)):
            status = PositionError.status
        if status == "ok":
            records.append(record)
        else:
            left_out[status].append(", ".join(filter(None, [f"row {record.row + 1}", label_of(record)])))
    if not records:
        reasons = ", ".join(f"{status} {len(rows)}" for status, rows in sorted(left_out.items())) or "no rows"
        raise InputError(
            f"{path}: no molecule has a geometry that can be judged ({reasons}); take a file with positions, such as "
            ".sdf or .xyz; `rank -o made.sdf` makes those of SMILES"
        )
    return records, left_out


def _differ(given: Any, ours: Any) -> bool:
    """Whether a value of the file is there and another than ours; numbers count as numbers."""
    text, said = text_of(given).strip(), text_of(ours).strip()
    try:
        return bool(text) and text != said and float(text) != float(said)
    except ValueError:
        return True


def _lacks_hydrogens(molecule: Molecule) -> bool:
    """Whether these are the heavy atoms alone of a molecule, which the lenient metrics would call valid."""
    if (molecule.numbers == 1).any():
        return False
    try:
        check_geometry(molecule)
    except MolscoreError as error:
        return isinstance(error, PositionError)
    return False


def _reference(path: str) -> MoleculeSet:
    """The training split of a data set with a split, else all geometries of a file."""
    return MoleculeSet.load(path).split("train") if path.endswith(".parquet") else geometries_of(path)
