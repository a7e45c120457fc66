"""`Scorer`: records in, a result for each out. The one evaluator behind ranking, servers and estimators.

It holds no state but the model, which it only reads: threads can share one, and a copy in another process gives the
same numbers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molscore.arguments import check_number, check_whole
from molscore.errors import InputError, MolscoreError, PositionError
from molscore.molecules.chem import pattern_of
from molscore.molecules.conformers import ConformerPool
from molscore.molecules.convert import as_list, is_frame, records_of
from molscore.molecules.files.record import Record
from molscore.molecules.molecule import Molecule
from molscore.molecules.workers import cores
from molscore.screening.columns import ALWAYS, DIGITS, ETKDG, GIVEN, MMFF, OUTSIDE, WITH_REFERENCES
from molscore.screening.criteria import Case, choose_order
from molscore.screening.predictor import RESOLUTION, Judgeable, Predictor, Terms, check_resolution
from molscore.screening.reference import COARSER
from molscore.screening.validation import Validation, validated

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Embed", "Result", "Results", "Scorer"]

AUTO = "auto"

Embed = Callable[[Sequence[str], Sequence[Chem.Mol]], Sequence[Sequence[Molecule] | MolscoreError]]
"""Geometries of SMILES strings and their graphs, or why there are none."""

_MOST_CONFORMERS = 1000
_FEW = 64  # geometries that one process makes sooner than others start


class Result(NamedTuple):
    """What is said of one record."""

    record: Record
    molecule: Molecule | None  # the geometry that was judged, the likeliest where there were several
    columns: dict[str, Any]  # `COLUMNS` by name; of the last ones only what the order is by
    # the same for the same molecule: the same canonical SMILES for rows without geometry, the same elements and
    # positions for rows with one. Empty where the row is not a molecule that the model can judge.
    key: str = ""


class Results(NamedTuple):
    """One entry a molecule, in the order given; a molecule that cannot be judged has NaN and a status that says why."""

    status: NDArray[np.str_]
    """(M,) ok or a short reason."""
    log_likelihood: NDArray[np.float64]
    """(M,) nats."""
    log_density: NDArray[np.float64]
    """(M,) nats."""
    percentile: NDArray[np.float64]
    """(M,) 0 to 100; NaN for a model without reference or at a resolution that it does not hold."""
    n_atoms: NDArray[np.int64]
    """(M,), 0 where it is not known."""
    error: NDArray[np.object_]
    """(M,) strings: the reason in words, empty where there is none."""
    log_ratio: NDArray[np.float64] | None = None
    """(M,) nats; None where no references were given."""

    @property
    def ok(self) -> NDArray[np.bool_]:
        """(M,) whether each molecule was judged."""
        return self.status == "ok"

    def __repr__(self) -> str:
        return f"Results({len(self.status)} molecules, {self.ok.sum()} ok; to_dataframe() shows them)"

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each molecule, a column for each array."""
        import pandas as pd

        return pd.DataFrame({name: values for name, values in self._asdict().items() if values is not None})

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> "Results":
        """Arrays of the columns of each result."""

        def numbers(name: str) -> NDArray[np.float64]:
            return np.array([row[name] for row in rows], dtype=np.float64)  # None becomes NaN

        return cls(
            np.array([row["status"] for row in rows], dtype=np.str_),
            numbers("log_likelihood"),
            numbers("log_density"),
            numbers("percentile"),
            np.array([row["n_atoms"] or 0 for row in rows], dtype=np.int64),
            np.array([row["error"] for row in rows], dtype=object),
            numbers("log_ratio") if rows and "log_ratio" in rows[0] else None,
        )


@dataclass(frozen=True)
class Scorer:
    """Judges records. A record that cannot be judged gets a status and an error; none is ever dropped or moved.

    `model` is a `Model`, or what `molscore.load` takes, such as ``"qm9"``, and then holds the model of that name.
    Geometries that are given are compared with reference molecules in geometries of the kind `geometry`, such as
    ``dft`` or ``mmff``; with ``auto`` with those of the kind that they are, which a tag that `rank` wrote says, else
    the forces on their atoms. With references to be `like` there are log_likelihood_given and log_ratio: how much a
    molecule is likelier among these than in general.
    With several `conformers` of a molecule without geometry, its density is the mean over them:

        log_density = ln( 1/k sum_j p_sigma(x_j | elements) ),   j = 1 ... k

    an estimate of the density that it has on average over the conformers that ETKDGv3 and MMFF94s make of it. None is
    left out, also where several relax into one minimum: how often a minimum is found is its weight. It is a mean and no
    sum, so that more conformers do not make a molecule likelier, and percentiles, which are of one geometry a molecule,
    go on holding. Few conformers give too little on average, as with any logarithm of a mean.
    Raises `InputError` for a resolution or an order that the model does not have, and for numbers out of range.
    """

    model: Predictor
    resolution: float = RESOLUTION  # Å
    by: str | None = "percentile"  # None: the best that the model has tables for
    seed: int = 0  # of geometries for records that have none
    time_limit: float = 30.0  # seconds for those of one molecule
    conformers: int = 1  # of such a molecule
    geometry: str = AUTO  # kind of those that are given
    smarts: str | None = None  # only molecules with this pattern are judged
    like: Any = None  # references, or the model that was given them

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", Predictor.load(self.model))
        check_resolution(self.resolution)
        check_whole("seed", self.seed)
        check_number("time_limit", self.time_limit, "seconds")
        check_whole("conformers", self.conformers)
        order = choose_order(self.model, self.by, self.resolution, self.like is not None)
        object.__setattr__(self, "by", order)
        if self.like is not None and not isinstance(self.like, Predictor):
            object.__setattr__(self, "like", self.model.given(self.like))
        elif self.like is not None and self.like.plain is None:
            raise InputError("the model to be like was given no references: take model.given(references), or these")
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

    def __call__(self, records: Sequence[Record], embed_all: Embed | None = None) -> list[Result]:
        """One result a record, in order; `embed_all` makes the geometries, one process for all scorers unless given."""
        distribution = self.model.distribution
        known = [validated(record, distribution, self.smarts) if record.ok else Validation() for record in records]
        found: dict[int, Sequence[Molecule] | MolscoreError] = {
            row: [record.molecule] for row, record in enumerate(records) if record.ok and known[row].error is None
        }
        flat = [row for row in found if records[row].molecule is None]
        geometries = (embed_all or self.pool().embed)(
            [records[row].smiles for row in flat], [known[row].graph for row in flat]
        )
        found |= dict(zip(flat, geometries, strict=True))
        late = {row: held for row, held in found.items() if isinstance(held, MolscoreError)}
        judged = self._judged(records, {row: held for row, held in found.items() if row not in late})
        return [
            self._result(record, known[row], known[row].error or late.get(row), *judged.get(row, (None, {})))
            for row, record in enumerate(records)
        ]

    def judge(self, molecules: Any, embed_all: Embed | None = None) -> Results:
        """Molecules in, arrays out: SMILES, RDKit, PyG, ASE or our molecules, one string, or a DataFrame of SMILES
        or geometries.

        Nothing is read from a file. What cannot be judged has NaN and a status.
        """
        source = molecules if is_frame(molecules) else as_list(molecules)
        return Results.of([result.columns for result in self(list(records_of(source)), embed_all)])

    def pool(self, workers: int | None = None) -> ConformerPool:
        """Processes that make geometries, `workers` or the one for all; their ``embed`` is for `judge` and the rest."""
        return ConformerPool(workers, self.seed, self.time_limit, self.conformers)

    @contextmanager
    def embedding(self, workers: int | None = None) -> Iterator[Embed]:
        """What makes geometries in worker processes, one a core unless said, where there are enough to be worth it."""
        workers = cores() if workers is None else workers
        check_whole("workers", workers, 1)
        with self.pool(workers) as pool:
            yield lambda smiles, graphs: (pool if len(smiles) >= _FEW else self.pool()).embed(smiles, graphs)

    def _judged(
        self, records: Sequence[Record], molecules: dict[int, Sequence[Molecule]]
    ) -> dict[int, tuple[Molecule, dict[str, Any]]]:
        """Geometry and numbers of the molecules that can be judged, by row."""
        if not molecules:
            return {}
        coarse = self.by.startswith("difference")
        case = together(self.model, list(molecules.values()), self.resolution, coarse, self.like)
        references = self.model.references
        if references is not None:
            pairs = zip(molecules, case.molecules, strict=True)
            case = case._replace(kinds=[self._kind(records[row], molecule) for row, molecule in pairs])
        outside = case.outside
        numbers = {
            name: [None if np.isnan(value) else value for value in values.round(DIGITS.get(name, 2)).tolist()]
            for name, values in case.numbers((*ALWAYS, *self._given, self.by), outside).items()
        }
        found: dict[int, tuple[Molecule, dict[str, Any]]] = {}
        for place, (row, molecule) in enumerate(zip(molecules, case.molecules, strict=True)):
            values: dict[str, Any] = {name: column[place] for name, column in numbers.items()}
            values["outside"] = outside[place]
            if references is not None:
                values["reference"] = references.nearest(case.kinds[place])
            found[row] = molecule, values
        return found

    @property
    def _given(self) -> tuple[str, ...]:
        """Names of the columns that references give."""
        return () if self.like is None else WITH_REFERENCES

    @property
    def tells_kinds(self) -> bool:
        """Whether the kind that a given geometry is compared with is told by itself, of several that the model has."""
        return self.geometry == AUTO and self.model.references is not None and len(self.model.references.tables) > 1

    def _kind(self, record: Record, molecule: Molecule) -> str:
        """Kind of geometry that a molecule is compared with."""
        if record.molecule is None:
            return MMFF
        if self.geometry != AUTO:
            return self.geometry
        return MMFF if record.columns.get("geometry") == ETKDG else self.model.references.kind_of(molecule)

    def _result(
        self,
        record: Record,
        known: Validation,
        problem: MolscoreError | None,
        molecule: Molecule | None,
        values: dict[str, Any],
    ) -> Result:
        status, error = record.status, record.error
        if problem is not None:
            status, error = problem.status, str(problem)
        elif values and not np.isfinite(np.nan if values["log_density"] is None else values["log_density"]):
            status, error, values = PositionError.status, "the log-density of this geometry is not finite", {}
        elif values.get("outside"):
            status, error = OUTSIDE, values["outside"]
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
        return Result(record, molecule, columns, known.key)


def together(
    model: Predictor,
    molecules: Sequence[Sequence[Molecule]],
    resolution: float,
    coarse: bool,
    given: Predictor | None = None,
) -> Case:
    """M molecules in one geometry or more each, each judged as one; `coarse` gives the log-densities at the coarser
    resolution as well, and `given`, a model that was given references, its own terms.

    ``molecules`` of the case are the likeliest geometry of each.
    """
    members = Judgeable(conformer for conformers in molecules for conformer in conformers)
    sizes = np.array([len(conformers) for conformers in molecules])
    terms = model.terms(members, resolution)
    starts = np.cumsum(sizes) - sizes
    best = starts + [int(part.argmax()) for part in np.split(terms.log_density, starts[1:])]

    def of_molecules(terms: Terms) -> Terms:
        density = log_mean_exp(terms.log_density, sizes)
        series = np.broadcast_to(terms.log_series, len(members))[best]
        return Terms(terms.log_composition[best], density, terms.log_permutations[best], series)

    return Case(
        model,
        Judgeable(members[i] for i in best),
        of_molecules(terms),
        resolution,
        log_mean_exp(model.log_density(members, COARSER * resolution), sizes) if coarse else None,
        given,
        None if given is None else of_molecules(given.terms_given(members, terms, resolution)),
    )


def log_mean_exp(values: NDArray[np.float64], sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """ln of the mean of exp of M runs of values, of `sizes` (M,) values each and at least one: (M,)."""
    return np.logaddexp.reduceat(values, np.cumsum(sizes) - sizes) - np.log(sizes)
