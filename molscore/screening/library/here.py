"""The engine for one process: parts one after another, geometries in worker processes, the network here."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from molscore.errors import InputError
from molscore.molecules.files import Scan
from molscore.molecules.files.record import Make, Record
from molscore.screening.library.folder import PartFolder
from molscore.screening.library.job import Job
from molscore.screening.library.parts import table_of
from molscore.screening.library.progress import Progress
from molscore.screening.pooled import PooledScorer
from molscore.screening.scorer import Scored

__all__ = ["Chunk", "Extent", "chunks_of", "judge_here", "part_of"]

Judge = Callable[[Sequence[Record]], list[Scored]]


class Chunk(NamedTuple):
    """The rows of one part, before any chemistry."""

    number: int
    start: int
    rows: list[Make]


class Extent(NamedTuple):
    """The size of an input."""

    rows: int
    parts: int


def chunks_of(found: Scan, size: int) -> Iterator[Chunk]:
    """The rows of each part, in order."""
    number = 0
    while rows := list(islice(found.rows, size)):
        yield Chunk(number, number * size, rows)
        number += 1


def part_of(chunk: Chunk, job: Job, judge: Judge) -> pa.Table:
    """The part that a chunk becomes."""
    return table_of(judge([make() for make in chunk.rows]), chunk.start, job.types, job.shapes)


def judge_here(job: Job, folder: PartFolder, workers: int | None, progress: bool) -> Extent:
    """Make the parts of the folder's share that are not there; raises `InputError` for an input without rows."""
    found, done, rows = job.scan(), folder.done(), 0
    with (
        PooledScorer(job.scorer, workers) as judge,
        Progress(progress, found.total, found.share, folder.shard.of) as bar,
    ):
        for chunk in chunks_of(found, job.part_rows):
            wanted = folder.shard.owns(chunk.number) and chunk.number not in done
            if wanted:
                folder.save(chunk.number, part_of(chunk, job, judge))
            rows += len(chunk.rows)
            bar.advance(len(chunk.rows), wanted)
    if not rows:
        raise InputError(f"{'standard input' if job.path == '-' else job.path} holds no molecules")
    return Extent(rows, -(-rows // job.part_rows))
