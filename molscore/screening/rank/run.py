"""Ranking a file: rows judged in parts, duplicates found, order made, one result written.

The parts lie in a folder that outlives a crash; once there is one result, the folder is gone. The rows of a part depend
on nothing but the job, so that a run that was killed and resumed, one in shards, and one by another engine give the
same bytes.
"""

import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from molscore import __version__
from molscore.errors import InputError, OutputError
from molscore.molecules.chem import RDKIT_VERSION
from molscore.molecules.files import Scan, check_place, content_hash, format_of, scan, write
from molscore.molecules.files.record import Make
from molscore.molecules.molecule import Molecule
from molscore.screening.rank.merge import Merge, Summary, passing, shows_shapes
from molscore.screening.rank.parts import (
    WHOLE,
    PartFolder,
    Shard,
    complete_parts,
    output_name,
    read_part,
    rows_of,
    table_of,
)
from molscore.screening.scorer import Embed, Scorer

__all__ = [
    "CHUNK_ROWS", "Chunk", "Extent", "Job", "Plan", "Progress", "chunks_of", "judge_locally", "part_of", "run",
]  # fmt: skip

CHUNK_ROWS = 2048  # judged at a time: enough molecules of each size to fill the batches of the network


@dataclass(frozen=True)
class Job:
    """A file to judge and how."""

    scorer: Scorer
    path: str  # the file, - for standard input
    smiles_column: str | None = None
    shapes: bool = False  # whether geometries that are made here are kept
    part_rows: int = CHUNK_ROWS

    @property
    def repeatable(self) -> bool:
        """Whether the input can be read again."""
        return self.path != "-"

    @property
    def optional(self) -> bool:
        """Whether a row of the input may lack a column, which is not the same as an empty value there."""
        return self.repeatable and format_of(self.path)[0] in ("sdf", "xyz")

    def scan(self) -> Scan:
        """The rows of the input."""
        return scan(self.path, self.smiles_column)

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """Type of each column of the output that the input has a type for; the others are text."""
        if not self.repeatable or format_of(self.path)[0] != "parquet":
            return {}
        return {output_name(field.name): field.type for field in pq.read_schema(self.path)}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that the rows depend on, by name.

        The input is known by its content, not by its time: jobs on other machines see other times for the same file,
        and a copy or a touch changes nothing. Reading it once more costs little beside judging it.
        """
        model = self.scorer.model
        options = {field.name.replace("_", " "): getattr(self.scorer, field.name) for field in fields(self.scorer)}
        return {
            **options,
            "model": model.weights,
            "like": None if self.scorer.like is None else _digest_of(self.scorer.like.like),
            "distribution": model.distribution.name,
            "device": model.device.type,
            "input": content_hash(self.path),
            "SMILES column": self.smiles_column,
            "geometries": "kept" if self.shapes else "not kept",
            "rows a part": self.part_rows,
            "molscore": __version__,
            "rdkit": RDKIT_VERSION,
            "torch": version("torch"),
        }

    def manifest(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """What a folder says of the parts in it."""
        return {
            "identity": self.identity,
            "provenance": dict(provenance),
            "by": self.scorer.by,
            "tells_kinds": self.scorer.tells_kinds,
            "optional": self.optional,
        }


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


def part_of(chunk: Chunk, job: Job, embed: Embed) -> pa.Table:
    """The part that a chunk becomes."""
    return table_of(job.scorer([make() for make in chunk.rows], embed), chunk.start, job.types, job.shapes)


class Progress:
    """A bar on standard error, on a terminal alone, so that a log is not mixed with it: rows a second, the time left.

    Args:
        shown: whether there is a bar at all.
        total: rows of the input, where known; else it is estimated from `share`, the part of the file read, 0 to 1.
        of: one row in so many is this process's to judge.
    """

    def __init__(
        self, shown: bool, total: int | None = None, share: Callable[[], float | None] = lambda: None, of: int = 1
    ) -> None:
        self.total, self.share, self.of = total, share, of
        self.seen = self.judged = 0
        self.bar = tqdm(unit="row", desc="rank", disable=None if shown else True, leave=False, mininterval=0.5)

    def advance(self, rows: int, judged: bool) -> None:
        """Rows have been read, and judged or passed over: the rate is of those judged alone."""
        self.seen += rows
        self.judged += rows if judged else 0
        self.bar.total = self.expected()
        self.bar.update(rows if judged else 0)

    def expected(self) -> int | None:
        """Rows that this process will have judged in the end, as far as can be told."""
        share = self.share() if self.total is None else None
        total = self.total if self.total is not None else round(self.seen / share) if share else None
        return None if total is None else self.judged + max(0, total - self.seen) // self.of

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def judge_locally(job: Job, folder: PartFolder, workers: int | None, progress: bool) -> Extent:
    """Make the parts of the folder's share that are not there, one after another in this process.

    Geometries come from worker processes. Raises `InputError` for an input without rows.
    """
    found, done, rows = job.scan(), folder.done(), 0
    with job.scorer.embedding(workers) as embed, Progress(progress, found.total, found.share, folder.shard.of) as bar:
        for chunk in chunks_of(found, job.part_rows):
            wanted = folder.shard.owns(chunk.number) and chunk.number not in done
            if wanted:
                folder.save(chunk.number, part_of(chunk, job, embed))
            rows += len(chunk.rows)
            bar.advance(len(chunk.rows), wanted)
    if not rows:
        raise InputError(f"{'standard input' if job.path == '-' else job.path} holds no molecules")
    return Extent(rows, -(-rows // job.part_rows))


@dataclass(frozen=True)
class Plan:
    """How a job is done, which its rows do not depend on; raises `InputError` for what does not go together."""

    # a file, - for CSV on standard output, or a folder (it is there, or its name ends in a slash) for parts
    output: str = "-"
    beside: Sequence[str] = ()  # files of the same rows beside a file
    sort: bool = False
    resume: bool = False
    shard: Shard = WHOLE
    workers: int | None = None
    progress: bool = False
    # what makes the parts that a folder lacks, by so many workers, with a bar or without: see `rank.ray`
    engine: Callable[[Job, PartFolder, int | None, bool], Extent] = judge_locally

    def __post_init__(self) -> None:
        if self.sort and self.is_folder:
            raise InputError("a folder keeps the order of the input: sort when it is merged (molscore merge --sort)")
        if self.resume and self.output == "-":
            raise InputError("what goes to standard output cannot be resumed: name a file or a folder with -o")
        if self.shard != WHOLE and not self.is_folder:
            raise InputError(f"a shard writes its parts into a folder: -o {self.output.rstrip('/-') or 'ranked'}/")
        for path in self.files:
            if path != "-":
                format_of(path, OutputError)
                check_place(path)
        if self.is_folder:
            check_place(self.output, True)

    @property
    def is_folder(self) -> bool:
        """Whether the parts themselves are the result."""
        return self.output != "-" and (self.output.endswith(("/", os.sep)) or Path(self.output).is_dir())

    @property
    def files(self) -> list[str]:
        """The files that are written from the parts, ``-`` being standard output."""
        return [] if self.is_folder else [self.output, *self.beside]

    @property
    def parts(self) -> str:
        """The folder that parts of a file are kept in."""
        return self.output if self.is_folder else f"{self.output}.parts"

    @property
    def keeps_shapes(self) -> bool:
        """Whether parts hold the geometries that are made; a folder does for what it may be merged into."""
        return self.is_folder or any(map(shows_shapes, self.files))


def run(job: Job, plan: Plan, provenance: Mapping[str, Any]) -> Summary:
    """Do the job; says what became of the rows, for a shard as far as that is known before shards are merged.

    Raises `InputError` for an input or a folder that cannot be used, `OutputError` for what cannot be written.
    """
    if not job.repeatable and (plan.resume or plan.shard != WHOLE):
        raise InputError("standard input cannot be read twice: resume and share out a file")
    for path in plan.files if job.repeatable else ():
        if Path(path).resolve() == Path(job.path).resolve():
            raise OutputError(f"{path}: it is the input, which would be lost; give another name")
    with _folder(job, plan, provenance) as folder:
        extent = plan.engine(job, folder, plan.workers, plan.progress)
        folder.finish(*extent)
        summary = Summary()
        if plan.shard != WHOLE:
            numbers = range(plan.shard.index - 1, extent.parts, plan.shard.of)
            deque(summary.counting(read_part(folder.part(number)) for number in numbers), maxlen=0)
            return summary
        with Merge(complete_parts([folder.path])) as merge:
            if plan.is_folder:
                for number, table in enumerate(summary.counting(merge.in_order())):
                    folder.mend(number, table)
            else:
                for path in plan.files:
                    summary = Summary()
                    tables = summary.counting(merge.sorted(job.scorer.by) if plan.sort else merge.in_order())
                    tables = passing(tables, extent.rows, plan.progress)
                    rows = (row for table in tables for row in rows_of(table, job.optional, shows_shapes(path)))
                    write(path, rows, provenance, merge.types)
                folder.remove()
    return summary


@contextmanager
def _folder(job: Job, plan: Plan, provenance: Mapping[str, Any]) -> Iterator[PartFolder]:
    """The output itself, one beside it, or one for the time being where there is nothing to resume."""
    manifest = job.manifest(provenance)
    if plan.is_folder or (job.repeatable and plan.output != "-"):
        yield PartFolder(Path(plan.parts), manifest, plan.resume, plan.shard)
    else:
        with tempfile.TemporaryDirectory(prefix="molscore-") as folder:
            yield PartFolder(Path(folder), manifest)


def _digest_of(molecules: Sequence[Molecule]) -> str:
    content = hashlib.sha256()
    for molecule in molecules:
        content.update(molecule.numbers.tobytes() + molecule.positions.tobytes())
    return content.hexdigest()
