"""A library to adapt to: a data set as it is, any other file made into one."""

from pathlib import Path

import pyarrow.parquet as pq

from molscore.datasets.assembly import Splitting
from molscore.datasets.from_file import build
from molscore.datasets.load import load
from molscore.datasets.store import MoleculeSet

__all__ = ["library_set"]


def library_set(
    source: str, output: Path, smiles_column: str | None, seed: int, workers: int | None, resume: bool
) -> MoleculeSet:
    """The molecules of a file, with splits; one that `molscore data` did not make is made into a data set at `output`.

    Raises `InputError` as `molscore.datasets.from_file.build` does.
    """
    is_table = source.endswith(".parquet") and Path(source).is_file()
    if is_table and {"positions", "split", "smiles"} <= set(pq.read_schema(source).names):
        return load(source)
    if resume and output.is_file():
        return load(output)
    return build(source, output, smiles_column, Splitting(seed=seed), workers, resume)
