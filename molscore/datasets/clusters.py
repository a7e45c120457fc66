"""Which molecules of a data set are alike: the clusters that references are taken from in training."""

import numpy as np

from molscore.datasets.statistics import formula_counts
from molscore.datasets.store import MoleculeSet
from molscore.molecules.elements import SYMBOLS

__all__ = ["KEY_COLUMNS", "cluster_keys"]

KEY_COLUMNS = ("ring_systems", "neighbourhood")  # made by `molscore data`, used where they are there


def cluster_keys(molecules: MoleculeSet) -> np.ndarray:
    """(M, n_keys) int64: molecules with the same number under a key are alike.

    The keys are the data set as a whole, the size, the formula, and, where the file has them, the ring systems and the
    neighbourhood of fingerprints.
    """
    elements = [SYMBOLS[number] for number in np.unique(molecules.numbers)]
    formulas = np.unique(formula_counts(molecules, elements), axis=0, return_inverse=True)[1].reshape(-1)
    columns = [molecules.columns[name] for name in KEY_COLUMNS if name in molecules.columns]
    others = [np.unique(column.astype(str), return_inverse=True)[1] for column in columns]
    return np.stack([np.zeros(len(molecules)), molecules.sizes, formulas, *others], axis=1).astype(np.int64)
