"""Ranking what fits into memory: a library in, a DataFrame out."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from molscore.errors import InputError
from molscore.molecules.convert import is_frame, scan_of
from molscore.molecules.files import format_of
from molscore.molecules.files.record import as_row, smiles_for
from molscore.screening.info import resolved
from molscore.screening.predictor import RESOLUTION, Predictor
from molscore.screening.rank.merge import Merge, row_of_file
from molscore.screening.rank.parts import HIDDEN, ROW, input_columns, numbers_of, output_name
from molscore.screening.rank.run import CHUNK_ROWS, Progress, chunks_of
from molscore.screening.scorer import Result, Scorer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rank"]


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
    conformers: int = 1,
    smarts: str | None = None,
) -> "pd.DataFrame":
    """Judge a library: one row of the DataFrame for each row of it, in order unless `sort`.

    Args:
        model: a `Model`, or what `load` takes.
        source: a file, ``-`` for standard input, a DataFrame, or an iterable of molecules of any kind.
        smiles_column: of a table; found by its name, else by its values, unless given.
        resolution: Å, at which densities are read.
        by: one of `molscore.screening.columns.ORDERS`; None is the default there where the model has its tables.
        sort: best first, then duplicates, then rows that cannot be judged.
        seed: of geometries for rows that have none (ETKDGv3 and MMFF94s).
        workers: processes for those; None is one a core.
        progress: whether a bar shows how far it has come.
        geometry: kind of those that are given, see `Scorer`.
        like: references, a file or molecules of any kind: adds log_likelihood_given and log_ratio, the default order.
        conformers: of each row without geometry, put together by log-mean-exp, see `Scorer`.
        smarts: judge only molecules with this pattern; the others have the status ``no_match``.

    The columns of the input are kept, and the index of a DataFrame or Series: each row has its own label. Molecules of
    an iterable have the column ``smiles``, read off the geometry of those that have no bonds. Those of
    `molscore.screening.columns.COLUMNS` are added; ``attrs["by"]`` says which order was used. A bad row has a status,
    an error; one with a molecule seen before has the status ``duplicate`` and its numbers. Raises `InputError` for a
    source, resolution or order that cannot be used.
    """
    if _is_model(source) and not _is_model(model):
        raise InputError("the model comes first, then the library: rank(model, library)")
    if isinstance(source, str) and source != "-":
        _check_file(source)
    scorer = Scorer(model, resolution, by, seed, conformers=conformers, geometry=geometry, smarts=smarts, like=like)
    found, parts, given = scan_of(source, smiles_column), [], []
    columns_of = input_columns if isinstance(source, (str, os.PathLike)) else _columns_of_object
    with scorer.embedding(workers) as embed, Progress(progress, found.total, found.share) as bar:
        for chunk in chunks_of(found, CHUNK_ROWS):
            results = scorer([make() for make in chunk.rows], embed)
            parts.append(numbers_of(results, chunk.start))
            given += [{} if is_frame(source) else columns_of(result) for result in results]
            bar.advance(len(results), True)
    if not parts:
        raise InputError(f"{source if isinstance(source, (str, Path)) else 'the library'} holds no molecules")
    with Merge(parts, row_of_file if isinstance(source, (str, Path)) else partial(_in_memory, source)) as merge:
        table = pa.concat_tables(merge.sorted(scorer.by) if sort else merge.in_order())
    frame = _frame_of(table, source, given)
    frame.attrs["by"] = scorer.by
    return frame


def _in_memory(source: Any, row: int) -> str:
    """How a message names a row of what is no file: as the DataFrame does that is the result."""
    return f"index {source.index[row] if hasattr(source, 'iloc') else row}"


def _columns_of_object(result: Result) -> dict[str, Any]:
    """What a molecule of no file says of itself, and its SMILES string: read off the geometry where that was judged."""
    given, molecule = input_columns(result), result.record.molecule
    if molecule is None or result.molecule is None or "smiles" in given:
        return given
    smiles = smiles_for(as_row(molecule))
    return given if smiles is None else {"smiles": smiles, **given}


def _check_file(source: str) -> None:
    """Raise `InputError` for a string that is no name of a file of molecules, a SMILES string by chance."""
    try:
        format_of(source)
    except InputError as error:
        raise InputError(f"{error}; a string is a file here: give SMILES as a list, [{source!r:.80}]") from None


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
