"""Ranking: rows judged in parts, duplicates found, order made; `rank` for what fits into memory, `run` for files.

A file's parts lie in a folder that outlives a crash; once there is one result, the folder is gone. The rows of a part
depend on nothing but the job, so that a run that was killed and resumed, one in shards, and one by another engine give
the same bytes.
"""

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from molscore.errors import InputError, OutputError
from molscore.molecules.convert import is_frame, scan_of
from molscore.molecules.files import check_place, format_of, write
from molscore.screening.info import resolved
from molscore.screening.predictor import RESOLUTION, Predictor
from molscore.screening.rank.job import CHUNK_ROWS, Job, Progress, chunks_of, judge_locally
from molscore.screening.rank.merge import Merge, Summary, passing, shows_shapes
from molscore.screening.rank.parts import (
    HIDDEN,
    ROW,
    WHOLE,
    PartFolder,
    Shard,
    complete_parts,
    input_columns,
    numbers_of,
    output_name,
    read_part,
    rows_of,
)
from molscore.screening.rank.ray import judge_with_ray
from molscore.screening.scorer import Scorer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plan", "rank", "run"]

_ENGINES = {"local": judge_locally, "ray": judge_with_ray}


def rank(
    model: Predictor | str | Path,
    source: Any,
    smiles_column: str | None = None,
    resolution: float = RESOLUTION,
    by: str | None = None,
    sort: bool = False,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = False,
    geometry: str = "auto",
    like: Any = None,
) -> "pd.DataFrame":
    """Judge a library: one row of the DataFrame for each row of it, in order unless `sort`.

    Args:
        model: a `Model`, or what `load` takes.
        source: a file, ``-`` for standard input, a DataFrame, or an iterable of molecules of any kind.
        smiles_column: of a table; found by its name unless given.
        resolution: Å, at which densities are read.
        by: one of `molscore.screening.columns.ORDERS`; None is the default there where the model has its tables.
        sort: best first, then duplicates, then rows that cannot be judged.
        seed: of geometries for rows that have none (ETKDGv3 and MMFF94s).
        workers: processes for those; None is one a core.
        progress: whether a bar shows how far it has come.
        geometry: kind of those that are given, see `Scorer`.
        like: references, a file or molecules of any kind: adds log_likelihood_given and log_ratio, the default order.

    The columns of the input are kept, and the index of a DataFrame or Series: each row has its own label. Those of
    `molscore.screening.columns.COLUMNS` are added; ``attrs["by"]`` says which order was used. A bad row has a status,
    an error; one with a molecule seen before has the status ``duplicate`` and its numbers. Raises `InputError` for a
    source, resolution or order that cannot be used.
    """
    if _is_model(source) and not _is_model(model):
        raise InputError("the model comes first, then the library: rank(model, library)")
    scorer = Scorer(model, resolution, by, seed, geometry=geometry, like=like)
    found, parts, given = scan_of(source, smiles_column), [], []
    with scorer.embedding(workers) as embed, Progress(progress, found.total, found.share) as bar:
        for chunk in chunks_of(found, CHUNK_ROWS):
            results = scorer([make() for make in chunk.rows], embed)
            parts.append(numbers_of(results, chunk.start))
            given += [{} if is_frame(source) else input_columns(result) for result in results]
            bar.advance(len(results), True)
    if not parts:
        raise InputError(f"{source if isinstance(source, (str, Path)) else 'the library'} holds no molecules")
    with Merge(parts) as merge:
        table = pa.concat_tables(merge.sorted(scorer.by) if sort else merge.in_order())
    frame = _frame_of(table, source, given)
    frame.attrs["by"] = scorer.by
    return frame


def _is_model(given: Any) -> bool:
    """Whether this is a model, or names a bundled one or a model folder."""
    if isinstance(given, (str, Path)):
        return (resolved(given)[0] / "config.json").is_file()
    return isinstance(given, Predictor)


def _frame_of(table: pa.Table, source: Any, given: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """The columns of the input, and ours. With a DataFrame or Series as source its index stays, and each row has its
    own label; with a DataFrame its columns stay as they are too, values, types and all.
    """
    import pandas as pd

    rows = table[ROW].to_numpy()
    ours = table.drop_columns([name for name in HIDDEN if name in table.column_names]).to_pandas()
    if is_frame(source):
        kept = source.iloc[rows]
        kept.columns = [output_name(name) if isinstance(name, str) else name for name in source.columns]
    else:
        names = dict.fromkeys(name for columns in given for name in columns)
        kept = pd.DataFrame(
            {name: _exact([given[row].get(name) for row in rows]) for name in names},
            index=source.index[rows] if isinstance(source, pd.Series) else ours.index,
        )
    return pd.concat([kept, ours.set_index(kept.index)], axis=1)


def _exact(values: list[Any]) -> Any:
    """Whole numbers stay whole where some are missing: as floats, those above 2^53 would change."""
    import pandas as pd

    if None in values and {type(value) for value in values} == {int, type(None)}:
        try:
            return pd.array(values, dtype="Int64")
        except (OverflowError, TypeError):
            return pd.array(values, dtype=object)
    return values


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
            if not self.is_folder:
                format_of(self.output, OutputError)
            check_place(self.output, self.is_folder)

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
    if job.repeatable and Path(plan.output).resolve() == Path(job.path).resolve():
        raise OutputError(f"{plan.output}: it is the input, which would be lost; give another name")
    with _folder(job, plan, provenance) as folder:
        extent = _ENGINES[plan.engine](job, folder, plan.workers, plan.progress)
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
    manifest = job.manifest(provenance)
    if plan.is_folder:
        yield PartFolder(Path(plan.output), manifest, plan.resume, plan.shard)
    elif job.repeatable and plan.output != "-":
        yield PartFolder(Path(f"{plan.output}.parts"), manifest, plan.resume)
    else:
        with tempfile.TemporaryDirectory(prefix="molscore-") as folder:
            yield PartFolder(Path(folder), manifest)
