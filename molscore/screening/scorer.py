"""`Scorer`: records in, a judgement for each out. The core of ranking, picklable for any kind of worker.

It holds no state but the model, which it only reads: threads can share one, and a copy in another process gives the
same numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from molscore.errors import InputError, MismatchError, MolscoreError, PositionError
from molscore.molecules.chem import from_smiles, mol_from_molecule
from molscore.molecules.conformers import ConformerPool, embed
from molscore.molecules.convert import as_list
from molscore.molecules.descriptors import pattern_of
from molscore.molecules.files.record import Record
from molscore.molecules.molecule import Molecule
from molscore.screening.criteria import DIGITS, ORDERS, WITH_REFERENCES, check_order, criterion, has_tables
from molscore.screening.ensemble import together
from molscore.screening.frames import is_frame
from molscore.screening.judgements import Judgements
from molscore.screening.model import Model, load
from molscore.screening.passes import check_sigma
from molscore.screening.records import records_of
from molscore.screening.reference import MMFF
from molscore.screening.triage import Triage, triage

__all__ = ["COLUMNS", "ETKDG", "GIVEN", "OUTSIDE", "Embed", "Scored", "Scorer"]

GIVEN, ETKDG = "given", "etkdg"  # where a geometry comes from
OUTSIDE = "outside"  # status of a molecule beyond what the model has learnt: numbers without a percentile
AUTO = "auto"

ALWAYS = ("log_likelihood", "log_density", "percentile")
COLUMNS = (
    "status",
    *ALWAYS,
    "n_atoms",
    "resolution",
    "geometry",
    "reference",
    "error",
    *(by for by in ORDERS if by not in ALWAYS),
)

Embed = Callable[[Sequence[str]], Sequence[Sequence[Molecule] | MolscoreError]]
"""Geometries of SMILES strings, or why there are none."""

_MOST_CONFORMERS = 1000
_SMALL = 40  # atoms of molecules over which RDKit keeps to its time limit by itself
_SHORT = 0.5  # seconds; it counts whole ones


class Scored(NamedTuple):
    """What is said of one record."""

    record: Record
    molecule: Molecule | None
    """The geometry that was judged, the likeliest where there were several."""
    columns: dict[str, Any]
    """`COLUMNS` by name; of the last ones only what the order is by."""
    key: str = ""
    """The same for the same molecule: the same canonical SMILES for rows without geometry, the same elements and
    positions for rows with one. Empty where the row is not a molecule that the model can judge."""


@dataclass(frozen=True)
class Scorer:
    """Judges records. A record that cannot be judged gets a status and an error; none is ever dropped or moved.

    `model` is a `Model`, or what `molscore.load` takes, such as ``"qm9"``, and then holds the `Model` of that name.
    Geometries that are given are compared with reference molecules in geometries of the kind `geometry`, such as
    ``dft`` or ``mmff``; with ``auto`` with those of the kind that they are, which a tag that `rank` wrote says, else
    the forces on their atoms.
    With references to be `like` (a file, or molecules of any kind, see `Model.given`) there are the columns
    log_likelihood_given and log_ratio, by how many nats a molecule is likelier among these than in general.
    With several `conformers` the log-density of a molecule without geometry is that of `molscore.screening.ensemble`.
    Raises `InputError` for a resolution or an order that the model does not have, and for numbers out of range.
    """

    model: Model
    resolution: float = 0.05  # Å
    by: str = "percentile"
    seed: int = 0  # of geometries for records that have none
    time_limit: float = 30.0  # seconds for those of one molecule
    conformers: int = 1  # of such a molecule
    geometry: str = AUTO  # kind of those that are given
    smarts: str | None = None  # only molecules with this pattern are judged
    like: Any = None  # references, or the model that was given them

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", load(self.model))
        check_sigma(self.resolution)
        if self.like is not None and not isinstance(self.like, Model):
            object.__setattr__(self, "like", self.model.given(self.like))
        check_order(self.model, self.by, self.resolution, self.like is not None)
        if not self.time_limit > 0:
            raise InputError(f"the time limit of a molecule must be above zero, not {self.time_limit}")
        if not 1 <= self.conformers <= _MOST_CONFORMERS:
            raise InputError(f"a molecule is judged in 1 to {_MOST_CONFORMERS} conformers, not {self.conformers}")
        if self.geometry != AUTO:
            if self.model.references is None:
                raise InputError(f"model {self.model.name} has no references of {self.geometry} geometries")
            self.model.references.check_kind(self.geometry)
        if self.smarts is not None:
            pattern_of(self.smarts)

    def __call__(self, records: Sequence[Record], embed_all: Embed | None = None) -> list[Scored]:
        """One judgement a record, in order; `embed_all` makes the geometries, here and now unless given."""
        known = [self._triaged(record) if record.ok else Triage() for record in records]
        fine = [row for row, record in enumerate(records) if record.ok and known[row].error is None]
        flat = [row for row in fine if records[row].molecule is None]
        geometries = (embed_all or self.embed_here)([records[row].smiles for row in flat])
        found: dict[int, Sequence[Molecule] | MolscoreError] = {row: [records[row].molecule] for row in fine}
        found |= dict(zip(flat, geometries, strict=True))
        late = {row: held for row, held in found.items() if isinstance(held, MolscoreError)}
        judged = self._judged(records, {row: held for row, held in found.items() if row not in late})
        return [
            self._scored(record, known[row], known[row].error or late.get(row), *judged.get(row, (None, {})))
            for row, record in enumerate(records)
        ]

    def judge(self, molecules: Any, embed_all: Embed | None = None) -> Judgements:
        """Molecules in, arrays out: SMILES, RDKit, PyG, ASE or our molecules, one string, or a DataFrame of SMILES
        or geometries.

        Nothing is read from a file. What cannot be judged has NaN and a status.
        """
        source = molecules if is_frame(molecules) else as_list(molecules)
        return Judgements.of([scored.columns for scored in self(list(records_of(source)), embed_all)])

    def embed_here(self, smiles: Sequence[str]) -> list[list[Molecule] | MolscoreError]:
        """Geometries made in this process, or in one that can be killed where RDKit may not keep to the time limit."""
        if self.model.max_atoms > _SMALL or self.time_limit < _SHORT:
            with self.pool(1) as pool:
                return pool.embed(smiles)
        found: list[list[Molecule] | MolscoreError] = []
        for text in smiles:
            try:
                found.append(embed(text, self.conformers, self.seed, self.time_limit))
            except MolscoreError as error:
                found.append(error)
        return found

    def pool(self, workers: int) -> ConformerPool:
        """Processes that make the geometries which `embed_here` makes; their ``embed`` is for `judge` and the rest."""
        return ConformerPool(workers, self.seed, self.time_limit, self.conformers)

    def _triaged(self, record: Record) -> Triage:
        """Whether the model can judge a record, and is asked to."""
        found = triage(record, self.model.distribution)
        if self.smarts is None or found.error is not None:
            return found
        try:
            graph = from_smiles(record.smiles) if record.smiles else mol_from_molecule(record.molecule)
            if not graph.HasSubstructMatch(pattern_of(self.smarts)):
                raise MismatchError(f"the molecule does not have the pattern {self.smarts}")
        except MolscoreError as error:
            return found._replace(error=error)
        return found

    def _judged(
        self, records: Sequence[Record], molecules: dict[int, Sequence[Molecule]]
    ) -> dict[int, tuple[Molecule, dict[str, Any]]]:
        """Geometry and numbers of the molecules that can be judged, by row."""
        if not molecules:
            return {}
        coarse = self.by.startswith("difference")
        case = together(self.model, list(molecules.values()), self.resolution, coarse, self.like)
        references, names = self.model.references, list(dict.fromkeys((*ALWAYS, *self._given, self.by)))
        if references is not None:
            pairs = zip(molecules, case.molecules, strict=True)
            case = case._replace(kinds=[self._kind(records[row], molecule) for row, molecule in pairs])
        if not has_tables(self.model, "percentile", self.resolution):
            names.remove("percentile")
        numbers = {name: criterion(case, name).round(DIGITS.get(name, 2)).tolist() for name in names}
        found: dict[int, tuple[Molecule, dict[str, Any]]] = {}
        for place, (row, molecule) in enumerate(zip(molecules, case.molecules, strict=True)):
            values: dict[str, Any] = {name: column[place] for name, column in numbers.items()}
            if references is not None:
                values["reference"] = references.nearest(case.kinds[place])
                values["outside"] = references.outside(molecule)
            found[row] = molecule, values
        return found

    @property
    def _given(self) -> tuple[str, ...]:
        """Names of the columns that references give."""
        return () if self.like is None else WITH_REFERENCES

    def _kind(self, record: Record, molecule: Molecule) -> str:
        """Kind of geometry that a molecule is compared with."""
        if record.molecule is None:
            return MMFF
        if self.geometry != AUTO:
            return self.geometry
        return MMFF if record.columns.get("geometry") == ETKDG else self.model.references.kind_of(molecule)

    def _scored(
        self,
        record: Record,
        known: Triage,
        problem: MolscoreError | None,
        molecule: Molecule | None,
        values: dict[str, Any],
    ) -> Scored:
        status, error = record.status, record.error
        if problem is not None:
            status, error = problem.status, str(problem)
        elif values and not np.isfinite(values["log_density"]):
            status, error, values = PositionError.status, "the log-density of this geometry is not finite", {}
        elif values.get("outside"):
            status, error = OUTSIDE, values["outside"]
            values = {name: None if name.endswith("percentile") else value for name, value in values.items()}
        geometry = None if molecule is None else ETKDG if record.molecule is None else GIVEN
        columns = {
            "status": status,
            **{name: values.get(name) for name in (*ALWAYS, *self._given)},
            "n_atoms": known.n_atoms,
            "resolution": self.resolution,
            "geometry": geometry,
            "reference": values.get("reference"),
            "error": " ".join(error.split()),
        }
        if self.by not in columns:
            columns[self.by] = values.get(self.by)
        return Scored(record, molecule, columns, known.key)
