"""`rank`: a library in, every row judged, in bounded memory: read, conformers, the network, out, chunk by chunk."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from molscore.errors import InputError
from molscore.molecules.conformer_pool import ConformerPool
from molscore.molecules.files.columns import is_smiles_name
from molscore.molecules.files.record import Record
from molscore.screening.criteria import choose_order
from molscore.screening.model import Model, load
from molscore.screening.records import records_of
from molscore.screening.scorer import COLUMNS, Embed, Scored, Scorer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ranking", "columns_of", "cores", "rank", "sort_scored"]

CHUNK_ROWS = 2048
POOL_ROWS = 64  # fewer geometries than this are made sooner than worker processes start
INPUT = "input_"


class Ranking:
    """The judgements of a library, made while one iterates.

    `statuses` counts them; `renamed` holds the input columns that gave way to ours. Raises `InputError` for no rows.
    """

    def __init__(
        self,
        scorer: Scorer,
        source: Any,
        smiles_column: str | None = None,
        workers: int | None = None,
        progress: bool = False,
    ) -> None:
        self.scorer, self.progress = scorer, progress
        self.workers = cores() if workers is None else workers
        if self.workers < 1:
            raise InputError(f"workers must be at least 1, not {self.workers}")
        self.statuses: Counter[str] = Counter()
        self.renamed: dict[str, str] = {}
        records = records_of(source, smiles_column)
        first = next(records, None)
        if first is None:
            raise InputError(f"{source if isinstance(source, (str, Path)) else 'the library'} holds no molecules")
        self._records = _prepend(first, records)

    def __iter__(self) -> Iterator[Scored]:
        scorer = self.scorer
        # None shows the bar on a terminal alone, so that a log or an error is not mixed with it
        shown = None if self.progress else True
        bar = tqdm(unit="molecule", desc="rank", disable=shown, leave=False, mininterval=0.5)
        with bar, ConformerPool(self.workers, scorer.seed, scorer.time_limit) as pool:
            while chunk := list(islice(self._records, CHUNK_ROWS)):
                for scored in scorer(chunk, self._embedding(chunk, pool)):
                    self.statuses[scored.columns["status"]] += 1
                    self.renamed |= {name: f"{INPUT}{name}" for name in scored.record.columns if _clashes(name)}
                    yield scored
                bar.update(len(chunk))

    def _embedding(self, chunk: list[Record], pool: ConformerPool) -> Embed:
        flat = sum(record.ok and record.molecule is None for record in chunk)
        return pool.embed if self.workers > 1 and flat >= POOL_ROWS else self.scorer.embed_here


def rank(
    model: Model | str | Path,
    source: Any,
    smiles_column: str | None = None,
    resolution: float = 0.05,
    by: str | None = None,
    sort: bool = False,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = False,
) -> "pd.DataFrame":
    """Judge a library: one row of the DataFrame for each row of it, in order unless `sort`.

    Args:
        model: a `Model`, or what `load` takes.
        source: a file, ``-`` for standard input, a DataFrame, or an iterable of molecules of any kind.
        smiles_column: of a table; found by its name unless given.
        resolution: Å, at which densities are read.
        by: percentile, log_likelihood or difference; None is percentile where the model has it, else log_likelihood.
        sort: best first, rows that cannot be judged last.
        seed: of geometries for rows that have none (ETKDGv3 and MMFF94s).
        workers: processes for those; None is one a core.

    The columns of the input are kept, those of `molscore.screening.scorer.COLUMNS` added; ``attrs["by"]`` says which
    order was used. A bad row has a status and an error. Raises `InputError` for a source, resolution or order that
    cannot be used.
    """
    import pandas as pd

    model = model if isinstance(model, Model) else load(model)
    scorer = Scorer(model, resolution, choose_order(model, by, resolution), seed)
    judged: Iterable[Scored] = Ranking(scorer, source, smiles_column, workers, progress)
    frame = pd.DataFrame([columns_of(scored) for scored in (sort_scored(judged, scorer.by) if sort else judged)])
    frame.attrs["by"] = scorer.by
    return frame


def columns_of(scored: Scored) -> dict[str, Any]:
    """The input's columns, renamed where they clash with ours; the SMILES of a record that has bonds; our columns."""
    record = scored.record
    given = {f"{INPUT}{name}" if _clashes(name) else name: value for name, value in record.columns.items()}
    if record.molecule is not None and record.smiles and not any(is_smiles_name(name) for name in given):
        given["smiles"] = record.smiles
    return given | scored.columns


def _clashes(name: str) -> bool:
    """Whether an input column has a name of ours, or one that a renamed column would get."""
    bare = name
    while bare.startswith(INPUT):
        bare = bare.removeprefix(INPUT)
    return bare in COLUMNS or bare.startswith("molscore_")


def sort_scored(judged: Iterable[Scored], by: str) -> list[Scored]:
    """Best first; ties by log-likelihood, then in order; rows without a number last, in order."""

    def key(scored: Scored) -> tuple[bool, float, float]:
        value, whole = scored.columns[by], scored.columns["log_likelihood"]
        return (value is None, -(value or 0.0), -(whole or 0.0))

    return sorted(judged, key=key)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepend(first: Record, rest: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rest
