"""`evaluate` on a file: figures of all, and of each molecule where they are to be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError, MolscoreError
from molscore.evaluation.checks import check_all, summary
from molscore.evaluation.fidelity import Fidelity, fidelity
from molscore.evaluation.library import judgeable, reference_of
from molscore.evaluation.metrics import PerMolecule, judge
from molscore.molecules.chem import mol_from_molecule, smiles_of
from molscore.molecules.descriptors import descriptors
from molscore.molecules.files import Record, Row
from molscore.molecules.files.record import is_smiles_name

__all__ = ["Evaluation", "evaluate_file"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is said of the molecules of a file."""

    records: list[Record]
    left_out: Counter[str]
    """Rows that cannot be judged, by status."""
    judged: PerMolecule
    fidelity: Fidelity | None
    """Beside the reference, where there is one."""
    checks: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        found = self.judged.metrics.to_dict()
        if self.fidelity is not None:
            found["fidelity"] = self.fidelity.to_dict()
        return found | ({"checks": self.checks} if any(self.checks) else {})

    def to_text(self) -> str:
        """Tables for people."""
        lines = [self.judged.metrics.to_text(), *summary(self.checks)]
        return "\n".join([*lines, "", self.fidelity.to_text()] if self.fidelity is not None else lines)

    def rows(self) -> Iterator[Row]:
        """Each molecule with the columns of its file (``input_``, where they have a name of ours), then ours."""
        for number, (record, checks) in enumerate(zip(self.records, self.checks, strict=True)):
            ours = self.judged.columns(number) | checks
            columns = {f"input_{name}" if name in ours else name: value for name, value in record.columns.items()}
            try:
                mol = mol_from_molecule(record.molecule)
                if not any(is_smiles_name(name) for name in columns):
                    columns["smiles"] = smiles_of(mol)
                columns |= {"formula": record.molecule.formula, **descriptors(mol)}
            except MolscoreError:
                mol = None
            yield Row(record.molecule, columns | ours, mol)


def evaluate_file(path: str, reference: str | None = None, workers: int = 1, **checks: bool) -> Evaluation:
    """Judge the molecules of a file with geometries; `checks` are ``mmff``, ``xtb`` and ``poses`` of `check_all`.

    Raises `InputError` for a file that cannot be read or that has no such molecule.
    """
    records, left_out = judgeable(path)
    known = None if reference is None else reference_of(reference)
    found = MoleculeSet.from_molecules(record.molecule for record in records)
    checked = list(check_all([record.molecule for record in records], workers=workers, **checks))
    table = None
    with suppress(InputError):  # of a reference too small to compare with
        table = None if known is None else fidelity(found, known)
    return Evaluation(records, left_out, judge(found, known), table, checked)
