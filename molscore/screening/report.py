"""What is written about candidates: rows for files, and a summary in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from molscore.molecules.descriptors import descriptors
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.screening.checks import Candidate
from molscore.screening.generate import Request, generate
from molscore.screening.predictor import Predictor

__all__ = ["Draws", "candidate_rows", "candidate_summary"]

FileRow = tuple[Molecule | None, dict[str, Any], Any]


class Draws:
    """Rows of a request's candidates, those that passed or all; drawn when iterated, once the output is open."""

    def __init__(self, model: Predictor, request: Request, rejected: bool = False) -> None:
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
        return candidate_summary(self.candidates, self.model.training_index) + short


def candidate_rows(candidates: Iterable[Candidate], rejected: bool = False) -> Iterator[FileRow]:
    """Rows to write: the candidates that passed, or all of them, with what chemists read off their graphs."""
    for c in candidates:
        if c.passed or rejected:
            yield c, c.columns() | ({} if c.mol is None else descriptors(c.mol)), c.mol


def candidate_summary(candidates: Sequence[Candidate], listed: TrainingIndex | None = None) -> str:
    """One line: how many were drawn and passed, how many of these are not `listed`, what turned down the rest."""
    reasons = Counter(c.verdict.check for c in candidates if not c.passed)
    down = ", ".join(f"{check} {n}" for check, n in sorted(reasons.items()))
    passed = sum(c.passed for c in candidates)
    known = [c for c in candidates if c.passed and c.novel is not None]
    novel = f", {sum(bool(c.novel) for c in known)} of them novel (not in {listed})" if known else ""
    outside = sum(c.passed and bool(c.outside) for c in candidates)
    novel += f", {outside} outside the data, without a percentile" if outside else ""
    return f"{len(candidates)} drawn, {passed} passed{novel}" + (f"; turned down by check: {down}" if down else "")
