"""A scorer that has its geometries made in worker processes."""

import os
from collections.abc import Sequence
from types import TracebackType

from molscore.errors import InputError
from molscore.molecules.files.record import Record
from molscore.screening.scorer import Scored, Scorer

__all__ = ["PooledScorer", "cores"]

POOL_ROWS = 64  # fewer geometries than this are made sooner than worker processes start


class PooledScorer:
    """Records in, a judgement for each out, as the scorer alone would give it; a molecule that hangs costs itself.

    Args:
        scorer: what judges.
        workers: processes for the geometries, one thread each; None is one a core.
    """

    def __init__(self, scorer: Scorer, workers: int | None = None) -> None:
        workers = cores() if workers is None else workers
        if workers < 1:
            raise InputError(f"workers must be at least 1, not {workers}")
        self.scorer = scorer
        self.pool = scorer.pool(workers)

    def __call__(self, records: Sequence[Record]) -> list[Scored]:
        """One judgement a record, in order."""
        flat = sum(record.ok and record.molecule is None for record in records)
        return self.scorer(records, self.pool.embed if flat >= POOL_ROWS else None)

    def __enter__(self) -> "PooledScorer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.pool.close()


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
