"""Ranking a file: parts by an engine in a folder that outlives a crash, then one result, and the folder is gone.

The rows of a part depend on nothing but the job, so that a run that was killed and resumed, one in shards, and one by
another engine give the same bytes.
"""

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molscore.errors import InputError, OutputError
from molscore.molecules.files import write
from molscore.molecules.files.source import format_of
from molscore.screening.rank.engines import judge_locally, judge_with_ray
from molscore.screening.rank.folder import PartFolder, complete_parts
from molscore.screening.rank.job import WHOLE, Job, Shard
from molscore.screening.rank.merge import Merge, shows_shapes
from molscore.screening.rank.parts import Summary, read_part, rows_of
from molscore.screening.rank.progress import passing

__all__ = ["ENGINES", "Plan", "run"]

ENGINES = {"local": judge_locally, "ray": judge_with_ray}


@dataclass(frozen=True)
class Plan:
    """How a job is done, which its rows do not depend on; raises `InputError` for what does not go together."""

    output: str = "-"
    """A file, ``-`` for CSV on standard output, or a folder (it is there, or its name ends in a slash) for parts."""
    sort: bool = False
    resume: bool = False
    shard: Shard = WHOLE
    engine: str = "local"
    workers: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if self.sort and self.is_folder:
            raise InputError("a folder keeps the order of the input: sort when it is merged (molscore merge --sort)")
        if self.resume and self.output == "-":
            raise InputError("what goes to standard output cannot be resumed: name a file or a folder with -o")
        if self.shard != WHOLE and not self.is_folder:
            raise InputError(f"a shard writes its parts into a folder: -o {self.output.rstrip('/-') or 'ranked'}/")
        if self.output != "-":
            _check_place(Path(self.output), self.is_folder)

    @property
    def is_folder(self) -> bool:
        """Whether the parts themselves are the result."""
        return self.output != "-" and (self.output.endswith(("/", os.sep)) or Path(self.output).is_dir())

    @property
    def keeps_shapes(self) -> bool:
        """Whether parts hold the geometries that are made; a folder does for what it may be merged into."""
        return self.is_folder or shows_shapes(self.output)


def run(job: Job, plan: Plan, provenance: Mapping[str, Any]) -> Summary:
    """Do the job; says what became of the rows, for a shard as far as that is known before shards are merged.

    Raises `InputError` for an input or a folder that cannot be used, `OutputError` for what cannot be written.
    """
    if not job.repeatable and (plan.resume or plan.shard != WHOLE):
        raise InputError("standard input cannot be read twice: resume and share out a file")
    with _folder(job, plan, provenance) as folder:
        extent = ENGINES[plan.engine](job, folder, plan.workers, plan.progress)
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
                tables = summary.counting(merge.sorted(job.scorer.by) if plan.sort else merge.in_order())
                tables = passing(tables, extent.rows, plan.progress)
                rows = (row for table in tables for row in rows_of(table, job.optional, job.shapes))
                write(plan.output, rows, provenance, merge.types)
                folder.remove()
    return summary


@contextmanager
def _folder(job: Job, plan: Plan, provenance: Mapping[str, Any]) -> Iterator[PartFolder]:
    """The output itself, one beside it, or one for the time being where there is nothing to resume."""
    if plan.is_folder:
        yield PartFolder(Path(plan.output), job, provenance, plan.resume, plan.shard)
    elif job.repeatable and plan.output != "-":
        yield PartFolder(Path(f"{plan.output}.parts"), job, provenance, plan.resume)
    else:
        with tempfile.TemporaryDirectory(prefix="molscore-") as folder:
            yield PartFolder(Path(folder), job, provenance)


def _check_place(path: Path, is_folder: bool) -> None:
    """Raise `OutputError` for a file or folder that cannot be written, before any work is done."""
    if not is_folder:
        try:
            format_of(str(path))
        except InputError as error:
            raise OutputError(str(error)) from None
    parent = path.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        reason = "permission denied" if parent.is_dir() else "there is no such folder"
        raise OutputError(f"{path}: cannot be written ({reason})")
    if path.exists() and not (path.is_dir() if is_folder else path.is_file()):
        raise OutputError(f"{path}: cannot be written (it is not a {'folder' if is_folder else 'regular file'})")
