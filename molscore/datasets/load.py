"""A data set, or one split of it, from the file that `molscore data` made."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError

__all__ = ["load"]


def load(path: str | os.PathLike[str], split: str | None = None) -> MoleculeSet:
    """Read a data set; only one ``split`` (train, valid, test, …) if that is given.

    Raises `InputError` for a file that is not there or is no data set, and for a split that it does not have.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is not there; make it with: molscore data qm9 | ligands | FILE -o {path}")
    molecules = MoleculeSet.load(path)
    if split is None:
        return molecules
    if "split" not in molecules.columns:
        raise InputError(f"{path} has no column split; make a data set with splits of it: molscore data {path} -o NEW")
    chosen = molecules.columns["split"] == split
    if not chosen.any():
        names, counts = np.unique(molecules.columns["split"].astype(str), return_counts=True)
        found = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True)) or "none"
        raise InputError(f"{path} has no molecules of split {split!r}; there are {found}")
    return molecules.select(chosen)
