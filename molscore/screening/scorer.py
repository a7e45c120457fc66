"""`Scorer`: records in, a judgement for each out. The core of ranking, picklable for any kind of worker.

It holds no state but the model, which it only reads: threads can share one, and a copy in another process gives the
same numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from molscore.errors import FormulaError, MolscoreError, ParseError, PositionError
from molscore.molecules.chem import atomic_numbers, charge, from_smiles
from molscore.molecules.conformers import embed
from molscore.molecules.convert import as_list
from molscore.molecules.elements import hill_formula, parse_formula
from molscore.molecules.files.record import Record
from molscore.molecules.formula import check_formula
from molscore.molecules.identity import geometry_key, graph_key
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admit, check_extent
from molscore.screening.criteria import DIGITS, ORDERS, Case, check_order, criterion
from molscore.screening.judgements import Judgements
from molscore.screening.model import Model
from molscore.screening.passes import check_sigma
from molscore.screening.records import records_of

__all__ = ["COLUMNS", "Embed", "Scored", "Scorer"]

ALWAYS = ("log_likelihood", "log_density", "percentile")
COLUMNS = (
    "status",
    *ALWAYS,
    "n_atoms",
    "resolution",
    "geometry",
    "error",
    *(by for by in ORDERS if by not in ALWAYS),
)

Embed = Callable[[Sequence[str]], Sequence[Molecule | MolscoreError]]


class Scored(NamedTuple):
    """What is said of one record."""

    record: Record
    molecule: Molecule | None
    """The geometry that was judged."""
    columns: dict[str, Any]
    """`COLUMNS` by name; of the last ones only what the order is by."""
    key: str = ""
    """The same for the same molecule: the same canonical SMILES for rows without geometry, the same elements and
    positions for rows with one. Empty where the row is not a molecule that the model can judge."""


@dataclass(frozen=True)
class Scorer:
    """Judges records. A record that cannot be judged gets a status and an error; none is ever dropped or moved.

    Raises `InputError` for a resolution or an order that the model does not have.
    """

    model: Model
    resolution: float = 0.05  # Å
    by: str = "percentile"
    seed: int = 0  # of geometries for records that have none
    time_limit: float = 30.0  # seconds for such a geometry

    def __post_init__(self) -> None:
        check_sigma(self.resolution)
        check_order(self.model, self.by, self.resolution)

    def __call__(self, records: Sequence[Record], embed_all: Embed | None = None) -> list[Scored]:
        """One judgement a record, in order; `embed_all` makes the geometries, here and now unless given."""
        found: dict[int, Molecule | MolscoreError] = {}
        sizes: dict[int, int] = {}
        keys: dict[int, str] = {}
        for row, record in enumerate(records):
            if record.ok:
                try:
                    graph = None if record.molecule is not None else _graph(record)
                    numbers = record.molecule.numbers.tolist() if graph is None else atomic_numbers(graph)
                    sizes[row] = len(numbers)
                    self._check(numbers, record)
                    keys[row] = geometry_key(record.molecule) if graph is None else graph_key(graph)
                except MolscoreError as error:
                    found[row] = error
        fine = [row for row, record in enumerate(records) if record.ok and row not in found]
        flat = [row for row in fine if records[row].molecule is None]
        geometries = (embed_all or self.embed_here)([records[row].smiles for row in flat])
        found |= dict(zip(flat, geometries, strict=True))
        found |= {row: records[row].molecule for row in fine if row not in found}
        values = self._values({row: found[row] for row in fine if isinstance(found[row], Molecule)})
        return [
            self._scored(record, found.get(row), values.get(row), sizes.get(row), keys.get(row, ""))
            for row, record in enumerate(records)
        ]

    def judge(self, molecules: Any, embed_all: Embed | None = None) -> Judgements:
        """Molecules in, arrays out: SMILES, RDKit, PyG, ASE or our molecules, one string, or a DataFrame of SMILES.

        Nothing is read from a file. What cannot be judged has NaN and a status.
        """
        source = molecules if hasattr(molecules, "to_dict") and hasattr(molecules, "columns") else as_list(molecules)
        return Judgements.of([scored.columns for scored in self(list(records_of(source)), embed_all)])

    def embed_here(self, smiles: Sequence[str]) -> list[Molecule | MolscoreError]:
        """Geometries made in this process."""
        found: list[Molecule | MolscoreError] = []
        for text in smiles:
            try:
                found.append(embed(text, seed=self.seed, time_limit=self.time_limit)[0])
            except MolscoreError as error:
                found.append(error)
        return found

    def _check(self, numbers: list[int], record: Record) -> None:
        """Raise why the model cannot judge these atoms, before any geometry is made of them."""
        admit(numbers, self.model.distribution, repr(record.smiles) if record.smiles else record.molecule.label)
        if record.molecule is not None:
            check_extent(record.molecule)
        check_formula(parse_formula(hill_formula(numbers)))

    def _values(self, molecules: dict[int, Molecule]) -> dict[int, dict[str, Any]]:
        """Numbers of the molecules that can be judged, by row."""
        if not molecules:
            return {}
        members = list(molecules.values())
        case = Case(self.model, members, self.model.terms(members, self.resolution), self.resolution)
        reference = self.model.reference
        known = reference is not None and np.isclose(reference.resolutions, self.resolution, rtol=1e-4).any()
        names = [name for name in dict.fromkeys((*ALWAYS, self.by)) if known or name != "percentile"]
        numbers = {name: criterion(case, name).round(DIGITS.get(name, 2)).tolist() for name in names}
        rows = zip(*numbers.values(), strict=True)
        return {row: dict(zip(names, values, strict=True)) for row, values in zip(molecules, rows, strict=True)}

    def _scored(
        self,
        record: Record,
        held: Molecule | MolscoreError | None,
        values: dict[str, Any] | None,
        n_atoms: int | None,
        key: str,
    ) -> Scored:
        status, error = record.status, record.error
        if isinstance(held, MolscoreError):
            status, error = held.status, str(held)
        elif values is not None and not np.isfinite(values["log_density"]):
            status, error, values = PositionError.status, "the log-density of this geometry is not finite", None
        molecule = held if isinstance(held, Molecule) else None
        geometry = None if molecule is None else "etkdg" if record.molecule is None else "given"
        columns = {
            "status": status,
            **{name: (values or {}).get(name) for name in ALWAYS},
            "n_atoms": n_atoms,
            "resolution": self.resolution,
            "geometry": geometry,
            "error": " ".join(error.split()),
        }
        if self.by not in columns:
            columns[self.by] = (values or {}).get(self.by)
        return Scored(record, molecule, columns, key)


def _graph(record: Record) -> Any:
    """Graph of a record without geometry; raises for one with a charge or with nothing in it."""
    if not record.smiles:
        raise ParseError("the row has neither a geometry nor a SMILES string")
    mol = from_smiles(record.smiles)
    if net := charge(mol):
        raise FormulaError(f"{record.smiles!r} has a net charge of {net:+d}: the model knows neutral molecules")
    return mol
