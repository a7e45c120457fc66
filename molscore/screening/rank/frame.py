"""`rank`: a library in, every row judged: read, conformers, the network, out, chunk by chunk."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from molscore.errors import InputError
from molscore.molecules.files.record import Record
from molscore.screening.bundled import resolved
from molscore.screening.columns import columns_of, output_name
from molscore.screening.criteria import choose_order
from molscore.screening.duplicates import DUPLICATE, mark_duplicates
from molscore.screening.frames import is_frame
from molscore.screening.model import Model, load
from molscore.screening.pooled import PooledScorer
from molscore.screening.rank.job import CHUNK_ROWS
from molscore.screening.records import records_of
from molscore.screening.scorer import COLUMNS, Scored, Scorer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ranking", "rank", "sort_scored"]


class Ranking:
    """The rows of a library in memory or on disk, judged while one iterates, in order; or all of them as a DataFrame.

    Raises `InputError` for no rows. For a large file, `molscore.screening.rank.run` keeps what has been done.
    """

    def __init__(
        self,
        scorer: Scorer,
        source: Any,
        smiles_column: str | None = None,
        workers: int | None = None,
        progress: bool = False,
    ) -> None:
        self.scorer, self.source, self.progress = scorer, source, progress
        self._judge = PooledScorer(scorer, workers)
        records = records_of(source, smiles_column)
        first = next(records, None)
        if first is None:
            raise InputError(f"{source if isinstance(source, (str, Path)) else 'the library'} holds no molecules")
        self._records = _prepend(first, records)

    def __iter__(self) -> Iterator[Scored]:
        return mark_duplicates(self._judged())

    def _judged(self) -> Iterator[Scored]:
        # None shows the bar on a terminal alone, so that a log or an error is not mixed with it
        shown = None if self.progress else True
        with tqdm(unit="molecule", desc="rank", disable=shown, leave=False) as bar, self._judge as judge:
            while chunk := list(islice(self._records, CHUNK_ROWS)):
                yield from judge(chunk)
                bar.update(len(chunk))

    def to_dataframe(self, sort: bool = False) -> "pd.DataFrame":
        """What `rank` returns: a row for each row of the library, best first where `sort` says so."""
        frame = _frame_of(sort_scored(self, self.scorer.by) if sort else list(self), self.source)
        frame.attrs["by"] = self.scorer.by
        return frame


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
    geometry: str = "auto",
    like: Any = None,
) -> "pd.DataFrame":
    """Judge a library: one row of the DataFrame for each row of it, in order unless `sort`.

    Args:
        model: a `Model`, or what `load` takes.
        source: a file, ``-`` for standard input, a DataFrame, or an iterable of molecules of any kind.
        smiles_column: of a table; found by its name unless given.
        resolution: Å, at which densities are read.
        by: one of `molscore.screening.criteria.ORDERS`; None is the default there where the model has its tables.
        sort: best first, then duplicates, then rows that cannot be judged.
        seed: of geometries for rows that have none (ETKDGv3 and MMFF94s).
        workers: processes for those; None is one a core.
        geometry: kind of those that are given, see `Scorer`.
        like: references, a file or molecules of any kind: adds log_likelihood_given and log_ratio, the default order.

    The columns of the input are kept, and the index of a DataFrame or Series: each row has its own label. Those of
    `molscore.screening.scorer.COLUMNS` are added; ``attrs["by"]`` says which order was used. A bad row has a status and
    an error; one with a molecule seen before has the status ``duplicate`` and its numbers. Raises `InputError` for a
    source, resolution or order that cannot be used.
    """
    if _is_model(source) and not _is_model(model):
        raise InputError("the model comes first, then the library: rank(model, library)")
    model = load(model)
    order = choose_order(model, by, resolution, like is not None)
    scorer = Scorer(model, resolution, order, seed, geometry=geometry, like=like)
    return Ranking(scorer, source, smiles_column, workers, progress).to_dataframe(sort)


def _is_model(given: Any) -> bool:
    """Whether this is a `Model`, or names a bundled one or a model folder."""
    if isinstance(given, (str, Path)):
        return (resolved(given)[0] / "config.json").is_file()
    return isinstance(given, Model)


def sort_scored(judged: Iterable[Scored], by: str) -> list[Scored]:
    """Best first; ties by log-likelihood, then in order; then duplicates likewise, then rows without a number."""

    def key(scored: Scored) -> tuple[int, float, float]:
        value, whole = scored.columns[by], scored.columns["log_likelihood"]
        group = 2 if value is None else int(scored.columns["status"] == DUPLICATE)
        return (group, -(value or 0.0), -(whole or 0.0))

    return sorted(judged, key=key)


def _frame_of(judged: Sequence[Scored], source: Any) -> "pd.DataFrame":
    """A row for each that was judged. With a DataFrame or Series as source its index stays, and each row has its own
    label; with a DataFrame its columns stay as they are too, values, types and all.
    """
    import pandas as pd

    rows = [scored.record.row for scored in judged]
    if is_frame(source):
        given = source.iloc[rows]
        given.columns = [output_name(name) if isinstance(name, str) else name for name in source.columns]
        return pd.concat([given, pd.DataFrame([scored.columns for scored in judged], index=given.index)], axis=1)
    told = [columns_of(scored) for scored in judged]
    names = dict.fromkeys(name for columns in told for name in columns)
    columns = {name: _exact([columns.get(name) for columns in told], name) for name in names}
    return pd.DataFrame(columns, index=source.index[rows] if isinstance(source, pd.Series) else None)


def _exact(values: list[Any], name: str) -> Any:
    """Whole numbers of the input stay whole where some are missing: as floats, those above 2^53 would change."""
    import pandas as pd

    if name not in COLUMNS and None in values and {type(value) for value in values} == {int, type(None)}:
        try:
            return pd.array(values, dtype="Int64")
        except (OverflowError, TypeError):
            return pd.Series(values, dtype=object)
    return values


def _prepend(first: Record, rest: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rest
