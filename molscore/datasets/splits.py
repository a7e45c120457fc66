"""Which molecules train a model and which test it: by molecule, or so that no scaffold is on both sides.

Reference: Bemis, Murcko, J. Med. Chem. 1996, 39, 2887 (scaffolds).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rdkit.Chem.Scaffolds import MurckoScaffold

from molscore.molecules.chem import from_smiles
from molscore.molecules.identity import canonical_smiles

__all__ = ["KEYS", "SHARES", "scaffold", "split_by", "splits_of"]

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


def scaffold(smiles: str) -> str:
    """SMILES of the Bemis–Murcko scaffold without stereochemistry: rings and what joins them, empty without rings."""
    return MurckoScaffold.MurckoScaffoldSmiles(mol=from_smiles(smiles))


#: What all molecules that must be on one side share, by the name of the split.
KEYS = {"molecule": canonical_smiles, "scaffold": scaffold}


def splits_of(smiles: Iterable[str], kind: str = "molecule", seed: int = 0) -> np.ndarray:
    """The split of each molecule, ``(M,)``: train, valid or test, in shares of about 80, 10 and 10 %.

    Conformers and stereoisomers of one molecule are on one side; for ``scaffold`` so are molecules of one scaffold.
    """
    return split_by([KEYS[kind](text) for text in smiles], seed)


def split_by(keys: Sequence[str], seed: int = 0) -> np.ndarray:
    """Splits ``(M,)`` of rows so that rows with the same key have the same one.

    Groups are drawn in random order until a share is full, which is one molecule at least where there are three groups.
    A group that is larger than half of the smallest share trains.
    """
    _, group, sizes = np.unique(np.asarray(keys, dtype=object).astype(str), return_inverse=True, return_counts=True)
    small = np.flatnonzero(sizes <= max(1.0, 0.5 * min(SHARES.values()) * len(keys)))
    order = np.random.default_rng(seed).permutation(small)
    filled = np.cumsum(sizes[order])
    names = np.full(len(sizes), "train", dtype=object)
    if len(sizes) >= 3:
        names[order[filled <= max(2.0, (SHARES["test"] + SHARES["valid"]) * len(keys))]] = "valid"
        names[order[filled <= max(1.0, SHARES["test"] * len(keys))]] = "test"
    return names[group]
