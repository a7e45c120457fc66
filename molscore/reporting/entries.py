"""Molecules as a report shows them: geometry, bonds, picture, numbers, and what each atom contributes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molscore.arguments import check_whole, type_of
from molscore.errors import InputError, MolscoreError, ParseError
from molscore.evaluation.checks import strain
from molscore.molecules.chem import descriptors, from_smiles, mol_from_molecule, pattern_of, smiles_of
from molscore.molecules.conformers import ConformerPool
from molscore.molecules.convert import records_of
from molscore.molecules.files.record import Record, as_row, is_smiles_name, smiles_among
from molscore.molecules.molecule import Molecule
from molscore.molecules.workers import cores
from molscore.screening.explain import explain_all
from molscore.screening.predictor import Predictor
from molscore.screening.scorer import Scorer
from molscore.screening.validation import validated

__all__ = ["Entry", "entries_of"]

_JUDGED = ("log_likelihood", "percentile", "codimension")


@dataclass(eq=False)
class Entry:
    """One row of a report."""

    columns: dict[str, Any]  # everything said of it, by name
    molecule: Molecule | None = None
    bonds: Chem.Mol | None = None  # graph on the atoms of `molecule`; None where no neutral bonds fit its geometry
    graph: Chem.Mol | None = None  # graph to draw and describe: that of the SMILES, else `bonds`
    # (N,) nats below what is expected of such an atom; None where the model cannot say
    missing: NDArray[np.float64] | None = field(default=None, repr=False)


def entries_of(
    source: Any, model: Predictor | None, smiles_column: str | None, smarts: str | None, most: int, resolution: float
) -> tuple[list[Entry], int]:
    """The first `most` rows of a source (those with the pattern `smarts`) and how many rows it has.

    A source is what `rank` takes, or rows as `write` takes them. Numbers that a row has are kept; log-likelihood,
    percentile and codimension are added where no row has them and there is a model, and descriptors and strain always.
    Raises `InputError` for a source without rows, or none with the pattern.
    """
    check_whole("most", most, 1)
    pattern = None if smarts is None else pattern_of(smarts)
    total, entries, records = 0, [], []
    for record, bonds in _records(source, smiles_column):
        total += 1
        if len(entries) >= most:
            continue
        entry = _entry(record, bonds)
        if pattern is None or (entry.graph is not None and entry.graph.HasSubstructMatch(pattern)):
            entries.append(entry)
            records.append(record)
    if not entries:
        raise InputError("there are no molecules to show" if not total else f"no molecule of {total} has {smarts!r}")
    _place(entries, records)
    for entry in entries:
        _describe(entry)
    if model is not None:
        _judge(entries, records, model, resolution)
    return entries, total


def _records(source: Any, smiles_column: str | None) -> Iterator[tuple[Record, Chem.Mol | None]]:
    """Records of files and of molecules of any kind; those made here may know their bonds already."""
    if isinstance(source, str) or hasattr(source, "__fspath__") or hasattr(source, "to_dict"):
        yield from ((record, None) for record in records_of(source, smiles_column))
        return
    if not isinstance(source, (Molecule, Iterable)):
        raise InputError(f"{type_of(source)} is not a file, a DataFrame or an iterable of molecules")
    for index, item in enumerate([source] if isinstance(source, Molecule) else source):
        if isinstance(item, (Molecule, tuple)):
            row = as_row(item)
            named = {"name": row.name} if row.name and "name" not in row.columns else {}
            yield Record(index, row.molecule, smiles_among(row.columns), {**named, **row.columns}), row.mol
        else:
            yield next(records_of([item])), None


def _entry(record: Record, bonds: Chem.Mol | None) -> Entry:
    entry = Entry(dict(record.columns), record.molecule, bonds)
    if not record.ok:
        entry.columns |= {"status": record.status, "error": record.error}
        return entry
    try:
        if entry.molecule is not None and bonds is None:
            entry.bonds = mol_from_molecule(entry.molecule)
    except ParseError:
        pass  # an ion, or no molecule: shown without bonds
    try:
        entry.graph = from_smiles(record.smiles) if record.smiles else entry.bonds
    except MolscoreError as error:
        entry.graph = entry.bonds
        entry.columns.setdefault("error", str(error))
    return entry


def _place(entries: Sequence[Entry], records: list[Record]) -> None:
    """Geometries for those that have none, as `rank` makes them."""
    flat = [row for row, entry in enumerate(entries) if entry.molecule is None and entry.graph is not None]
    if not flat:
        return
    with ConformerPool(min(cores(), len(flat))) as pool:
        made = pool.embed([records[row].smiles for row in flat], [entries[row].graph for row in flat])
    for row, found in zip(flat, made, strict=True):
        entry, record = entries[row], records[row]
        if isinstance(found, MolscoreError):
            entry.columns.setdefault("error", str(found))
            continue
        entry.molecule = found[0]
        entry.bonds = Chem.AddHs(entry.graph)  # whose order of atoms the geometry has
        records[row] = replace(record, molecule=found[0])


def _describe(entry: Entry) -> None:
    """Add SMILES, descriptors and strain."""
    if entry.graph is None:
        return
    known = {name.lower() for name in entry.columns}
    added: dict[str, Any] = {}
    if not any(is_smiles_name(name) for name in known):
        added["smiles"] = smiles_of(entry.graph)
    if entry.molecule is not None:
        added["formula"] = entry.molecule.formula
    added |= descriptors(entry.graph)
    if entry.molecule is not None and not any(name.startswith("strain") for name in known):
        added["strain"] = strain(entry.molecule)
    entry.columns |= {name: value for name, value in added.items() if name not in known}


def _judge(entries: Sequence[Entry], records: Sequence[Record], model: Predictor, resolution: float) -> None:
    """Add what the model says of each molecule that it can judge, and of its atoms."""
    if not any("log_likelihood" in entry.columns for entry in entries):
        for entry, scored in zip(entries, Scorer(model, resolution, "codimension")(records), strict=True):
            entry.columns |= {name: scored.columns.get(name) for name in _JUDGED}
            if scored.columns["status"] != "ok":
                entry.columns |= {name: scored.columns[name] for name in ("status", "error")}
    fit = [
        entry
        for entry, record in zip(entries, records, strict=True)
        if record.ok and entry.molecule is not None and validated(record, model.distribution).error is None
    ]
    if fit and model.references is not None:
        for entry, explanation in zip(fit, explain_all(model, [e.molecule for e in fit], resolution), strict=True):
            entry.missing = explanation.missing
