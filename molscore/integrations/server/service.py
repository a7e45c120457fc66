"""`Service`: what a server does for a request, within its limits, before there is any HTTP."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from rdkit import Chem

from molscore.errors import InputError, LimitError, MolscoreError, OvertimeError
from molscore.molecules.files.record import Record, bad_record
from molscore.molecules.molecule import Molecule
from molscore.screening.criteria import check_order
from molscore.screening.generate import Request, generate
from molscore.screening.model import Model
from molscore.screening.predictor import RESOLUTION, check_resolution
from molscore.screening.scorer import Scorer

__all__ = ["Deadline", "Geometry", "Limits", "Service"]

_CHUNK = 64  # rows between two looks at the clock
_FIELDS = {"rows": "molecules", "generated": "n"}  # of a request, by its limit, where they have different names

Answer = TypeVar("Answer")
Geometry = tuple[Sequence[int], Sequence[Sequence[float]], str]
"""Atomic numbers (N,), positions (N, 3) in Å, name."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds, for one request unless one says otherwise. Raises `InputError` for one that is not above zero."""

    body_bytes: int = 2_000_000  # of the request
    rows: int = 512  # molecules to judge
    smiles_characters: int = 500  # of one SMILES string; RDKit takes under 0.1 s for the worst of this length
    generated: int = 64  # molecules to draw
    steps: int = 200  # network evaluations a drawn molecule
    seconds: float = 60.0  # from the request's arrival to its answer
    conformer_seconds: float = 10.0  # for one geometry
    waiting: int = 8  # requests that wait while one is worked on, in the whole server

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"the limit {field.name} must be above zero, not {getattr(self, field.name)}")

    def check(self, **asked: int) -> None:
        """Raise `InputError` for more than a limit of that name; the message has the field's name in a request."""
        for name, value in asked.items():
            if value > getattr(self, name):
                raise InputError(f"{_FIELDS.get(name, name)}: at most {getattr(self, name)} a request, not {value}")


class Deadline:
    """The moment when a request must be answered."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._end = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, not below zero."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raise `LimitError` once it is over."""
        if not self.left:
            raise LimitError(f"the request took longer than {self.seconds:g} s")


class Service:
    """One model, chosen at the start; a request brings molecules or the wish for some, never a file or a path.

    With references to be `like`, see `Scorer`, rows are compared with them and molecules drawn in their manner.
    Requests may come from many threads; one is worked on at a time. Geometries are made in `workers` processes, which
    are killed when they overstay.
    """

    def __init__(
        self,
        model: Model,
        limits: Limits | None = None,
        resolution: float = RESOLUTION,
        seed: int = 0,
        workers: int = 1,
        conformers: int = 1,
        like: Any = None,
    ) -> None:
        self.model, self.limits, self.resolution = model, limits or Limits(), check_resolution(resolution)
        seconds = self.limits.conformer_seconds
        self._scorer = Scorer(model, resolution, "log_likelihood", seed, seconds, conformers, like=like)
        self.like: Model | None = self._scorer.like
        self._pool = self._scorer.pool(workers)
        self._turn, self._places = threading.Lock(), threading.BoundedSemaphore(1 + self.limits.waiting)
        self._closing = threading.Event()

    def work(self, job: Callable[[Deadline], Answer]) -> Answer:
        """What the job returns, which looks at its deadline itself; raises `LimitError` where too many wait."""
        deadline = Deadline(self.limits.seconds)
        if not self._places.acquire(blocking=False):
            raise LimitError("too many requests are waiting; try again later")
        try:
            with self._turn:
                deadline.check()
                return job(deadline)
        finally:
            self._places.release()

    def info(self) -> dict[str, Any]:
        """Facts about the model and the limits, JSON-able; a number that JSON cannot spell is None."""
        known = {
            "model": self.model.name,
            "weights": f"sha256:{self.model.weights}",
            "distribution": self.model.distribution.name,
            "elements": list(self.model.distribution.elements),
            "atoms": [2, self.model.max_atoms],
            "atoms_with_percentile": self.model.atoms_with_percentile,
            "percentiles_at": self.model.resolutions,
            "resolution": self.resolution,
            "references": 0 if self.like is None else len(self.like.like),
            "limits": asdict(self.limits),
        }
        return json.loads(json.dumps(known), parse_constant=lambda _: None)

    def judge(
        self, molecules: Sequence[str | Geometry | MolscoreError], resolution: float | None, deadline: Deadline
    ) -> list[dict[str, Any]]:
        """One row a molecule, in order, with the columns of `molscore.screening.scorer`; those out of time say so, and
        an error in a molecule's place is its row's.
        """
        self.limits.check(rows=len(molecules))
        scorer = replace(self._scorer, resolution=self.resolution if resolution is None else resolution)
        rows: list[dict[str, Any]] = []
        for start in range(0, len(molecules), _CHUNK):
            chunk = molecules[start : start + _CHUNK]
            records = [self._record(start + i, item, deadline) for i, item in enumerate(chunk)]
            rows += [scored.columns for scored in scorer(records, lambda *molecules: self._embed(*molecules, deadline))]
        return rows

    def note(self, resolution: float | None) -> str:
        """Why there are no percentiles at a resolution, in words; empty where there are."""
        try:
            check_order(self.model, "percentile", self.resolution if resolution is None else resolution)
        except InputError as error:
            return str(error)
        return ""

    def generate(self, request: Request, deadline: Deadline) -> list[dict[str, Any]]:
        """Candidates as `molscore.screening.generate` gives them, each with its atoms."""
        self.limits.check(generated=request.n, steps=request.sampling.steps)
        drawn = generate(self.like or self.model, request, tick=lambda: self._check(deadline))
        return [
            {**candidate.columns(), "numbers": candidate.numbers.tolist(), "positions": candidate.positions.tolist()}
            for candidate in drawn
        ]

    def close(self) -> None:
        """Bring the work to an early end, then stop the processes; from any thread. A later request starts anew."""
        self._closing.set()
        with self._turn:
            self._pool.close()
            self._closing.clear()

    def _check(self, deadline: Deadline) -> None:
        if self._closing.is_set():
            raise LimitError("the server is stopping")
        deadline.check()

    def _record(self, row: int, item: str | Geometry | MolscoreError, deadline: Deadline) -> Record:
        """Record of one molecule of a request."""
        try:
            self._check(deadline)
            if isinstance(item, MolscoreError):
                return bad_record(row, item)
            if not isinstance(item, str):
                return Record(row, Molecule(*item))
            if len(item) > self.limits.smiles_characters:
                raise LimitError(f"a SMILES string of {len(item)} characters; {self.limits.smiles_characters} at most")
        except MolscoreError as error:
            return bad_record(row, error)
        return Record(row, None, item)

    def _embed(
        self, smiles: Sequence[str], graphs: Sequence[Chem.Mol], deadline: Deadline
    ) -> list[list[Molecule] | MolscoreError]:
        """Geometries, a handful at a time, until the time is over."""
        found: list[list[Molecule] | MolscoreError] = []
        while len(found) < len(smiles):
            if self._closing.is_set() or not deadline.left:
                late = OvertimeError(f"no geometry within the {deadline.seconds:g} s of the request")
                return found + [late] * (len(smiles) - len(found))
            self._pool.time_limit = max(1.0, min(self.limits.conformer_seconds, deadline.left))
            part = slice(len(found), len(found) + self._pool.workers)
            found += self._pool.embed(smiles[part], graphs[part])
        return found
