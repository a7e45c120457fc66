"""What is written about candidates and rankings: rows for files, where they come from, and a summary in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from molscore import __version__
from molscore.molecules.descriptors import descriptors
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.screening.candidate import Candidate
from molscore.screening.duplicates import DUPLICATE
from molscore.screening.generate import Request, generate
from molscore.screening.model import Model
from molscore.screening.reference import MMFF
from molscore.screening.scorer import OUTSIDE

__all__ = [
    "Draws",
    "candidate_rows",
    "candidate_summary",
    "provenance",
    "ranking_summary",
]

FileRow = tuple[Molecule | None, dict[str, Any], Any]


def provenance(model: Model, command: str, seed: int, sigma: float) -> dict[str, Any]:
    """What made a file. There is no time in it, so that the same seed gives the same bytes."""
    return {
        "model": model.name,
        "distribution": model.distribution.name,
        "weights": f"sha256:{model.weights}",
        "version": __version__,
        "command": command,
        "seed": seed,
        "sigma": sigma,
    }


class Draws:
    """Rows of a request's candidates, those that passed or all; drawn when iterated, once the output is open."""

    def __init__(self, model: Model, request: Request, rejected: bool = False) -> None:
        self.model, self.request, self.rejected = model, request, rejected
        self.candidates: list[Candidate] = []

    def __iter__(self) -> Iterator[FileRow]:
        self.candidates = generate(self.model, self.request, progress=True)
        yield from candidate_rows(self.candidates, self.rejected)

    @property
    def missing(self) -> int:
        """How many fewer have passed than were asked for."""
        return self.request.n - sum(candidate.passed for candidate in self.candidates)

    def summary(self) -> str:
        """One line about all that were drawn."""
        short = f"; the search was given up {self.missing} short of {self.request.n}" if self.missing else ""
        return candidate_summary(self.candidates, self.model.known) + short


def candidate_rows(candidates: Iterable[Candidate], rejected: bool = False) -> Iterator[FileRow]:
    """Rows to write: the candidates that passed, or all of them, with what chemists read off their graphs."""
    for c in candidates:
        if c.passed or rejected:
            yield c, c.columns() | ({} if c.mol is None else descriptors(c.mol)), c.mol


def candidate_summary(candidates: Sequence[Candidate], listed: TrainingIndex | None = None) -> str:
    """One line: how many were drawn and passed, how many of these are not `listed`, which checks turned down the rest.
    """
    reasons = Counter(c.verdict.check for c in candidates if not c.passed)
    down = ", ".join(f"{check} {n}" for check, n in sorted(reasons.items()))
    passed = sum(c.passed for c in candidates)
    known = [c for c in candidates if c.passed and c.novel is not None]
    novel = f", {sum(bool(c.novel) for c in known)} of them novel (not in {listed})" if known else ""
    return f"{len(candidates)} drawn, {passed} passed{novel}" + (f"; turned down by check: {down}" if down else "")


def ranking_summary(
    statuses: Mapping[str, int],
    kinds: Mapping[str, int],
    renamed: Mapping[str, str],
    by: str,
    resolution: float,
) -> list[str]:
    """Lines: how many rows, how many of each status, and of each kind of geometry that was given and compared with
    made ones; what the order is; which input columns have another name; in how many rows bytes were not UTF-8."""
    total, ok, again = sum(statuses.values()), statuses.get("ok", 0), statuses.get(DUPLICATE, 0)
    judged = ("ok", DUPLICATE, OUTSIDE)
    bad = ", ".join(f"{status} {n}" for status, n in sorted(statuses.items()) if status not in judged)
    lines = [f"{total} rows, {ok} judged at a resolution of {resolution:g} Å"]
    lines[0] += f", {again} more of the same molecules" if again else ""
    lines[0] += f", {statuses[OUTSIDE]} outside the data, without a percentile" if OUTSIDE in statuses else ""
    lines[0] += f"; not judged: {bad}" if bad else ""
    if n := kinds.get(MMFF, 0):
        lines.append(
            f"{n} given geometries are compared with those of a force field ({MMFF}), whose minima they are; "
            "--geometry compares them with others"
        )
    lines.append(f"order: {by}")
    if renamed:
        lines.append("input columns renamed: " + ", ".join(f"{old} -> {new}" for old, new in renamed.items()))
    return lines
