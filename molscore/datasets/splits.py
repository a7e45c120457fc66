"""Which molecules train a model and which test it: by molecule, by scaffold, or what no training may see.

Reference: Bemis, Murcko, J. Med. Chem. 1996, 39, 2887 (scaffolds).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from rdkit.Chem.Scaffolds import MurckoScaffold

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from molscore.molecules.chem import from_smiles
from molscore.molecules.elements import hill_formula
from molscore.molecules.identity import canonical_smiles

__all__ = ["HELD_OUT", "SHARES", "Splitting", "hold_out", "scaffold", "split_by", "splits_of"]

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}
HELD_OUT = "held_out"

_COMMONEST = 0.1  # of what is to be held out, in any one ring system or formula
_FEWEST = 17  # molecules of it, where there are so many to hold out: 16 references and one to be told by them


def scaffold(smiles: str) -> str:
    """SMILES of the Bemis–Murcko scaffold without stereochemistry: rings and what joins them, empty without rings."""
    return MurckoScaffold.MurckoScaffoldSmiles(mol=from_smiles(smiles))


#: What all molecules that must be on one side share, by the name of the split.
_KEYS = {"molecule": canonical_smiles, "scaffold": scaffold}


@dataclass(frozen=True)
class Splitting:
    """How a data set is split; raises `InputError` for what is no split."""

    kind: str = "molecule"  # or "scaffold"
    held_out: float = 0.0  # share of the training split to be held out, see `hold_out`
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KEYS:
            raise InputError(f"{self.kind!r} is no split; there are {', '.join(_KEYS)}")
        if not 0 <= self.held_out < 1:
            raise InputError(f"a share of {self.held_out} cannot be held out: it must lie between 0 and 1")


def splits_of(smiles: Iterable[str], kind: str = "molecule", seed: int = 0) -> np.ndarray:
    """The split of each molecule, ``(M,)``: train, valid or test, in shares of about 80, 10 and 10 %.

    Conformers and stereoisomers of one molecule are on one side; for ``scaffold`` so are molecules of one scaffold.
    """
    return split_by([_KEYS[kind](text) for text in smiles], seed)


def split_by(keys: Sequence[str], seed: int = 0) -> np.ndarray:
    """Splits ``(M,)`` of rows so that rows with the same key have the same one.

    Groups are drawn in random order until a share is full, which is one molecule at least where there are three groups.
    A group that is larger than half of the smallest share trains; where the others do not fill a share, they are
    halved between the two. One of them alone is for testing, and without any all train.
    """
    _, group, sizes = np.unique(np.asarray(keys, dtype=object).astype(str), return_inverse=True, return_counts=True)
    small = np.flatnonzero(sizes <= max(1.0, 0.5 * min(SHARES.values()) * len(keys)))
    order = np.random.default_rng(seed).permutation(small)
    filled = np.cumsum(sizes[order])
    names = np.full(len(sizes), "train", dtype=object)
    if len(sizes) >= 3:
        n_test = int((filled <= max(1.0, SHARES["test"] * len(keys))).sum())
        if 1 < n_test == len(order):
            n_test = min(max(1, int((filled <= filled[-1] / 2).sum())), len(order) - 1)
        names[order[filled <= max(2.0, (SHARES["test"] + SHARES["valid"]) * len(keys))]] = "valid"
        names[order[:n_test]] = "test"
    return names[group]


def hold_out(sets: Sequence[MoleculeSet], share: float = 0.05, seed: int = 0) -> list[MoleculeSet]:
    """Data sets that are trained on together, with about `share` of each one's training split moved to ``held_out``.

    Half of that is by ring systems and half by formulas, drawn at random among those with 17 molecules or more in some
    set (fewer in a small one) and in none with more than a tenth of what is held out. Whatever has one of them leaves
    the training split of every set; other splits stay as they are. The metadata ``held_out`` lists them.
    Needs the columns ``ring_systems`` and ``split``; raises `InputError` without, or for a share that is none.
    """
    if not 0 < share < 1:
        raise InputError(f"a share of {share} cannot be held out: it must lie between 0 and 1")
    for each in sets:
        if missing := {"ring_systems", "split"} - set(each.columns):
            raise InputError(f"a data set has no column {', '.join(sorted(missing))}: nothing can be held out of it")
    rng = np.random.default_rng(seed)
    held = [np.zeros(len(each), dtype=bool) for each in sets]
    names = {
        kind: _take(sets, held, clusters_of, share, quota, rng)
        for kind, clusters_of, quota in (("ring systems", _rings, share / 2), ("formulas", _formulas, share))
    }
    note = {HELD_OUT: json.dumps(names, ensure_ascii=False)}
    return [
        replace(each.with_columns(split=np.where(gone, HELD_OUT, each.columns["split"])), metadata=each.metadata | note)
        for each, gone in zip(sets, held, strict=True)
    ]


def _rings(molecules: MoleculeSet, rows: np.ndarray) -> pd.Series:
    return pd.Series(molecules.columns["ring_systems"][rows], rows, dtype=object).str.split().explode().dropna()


def _formulas(molecules: MoleculeSet, rows: np.ndarray) -> pd.Series:
    bounds = molecules.offsets
    formulas = [hill_formula(molecules.numbers[bounds[row] : bounds[row + 1]]) for row in rows]
    return pd.Series(formulas, rows, dtype=object)


def _take(
    sets: Sequence[MoleculeSet],
    held: list[np.ndarray],
    clusters_of: Callable[[MoleculeSet, np.ndarray], pd.Series],
    share: float,
    quota: float,
    rng: np.random.Generator,
) -> list[str]:
    """Mark whole clusters in `held` until each set has `quota` of its training rows there; returns their names.

    `clusters_of` says which clusters each row is in: names, by row.
    """
    rows = [np.flatnonzero(each.columns["split"] == "train") for each in sets]
    names = [clusters_of(each, trained) for each, trained in zip(sets, rows, strict=True)]
    members = [{name: where.to_numpy() for name, where in each.groupby(each).groups.items()} for each in names]
    fewest = [max(1, min(_FEWEST, int(share / 2 * len(trained)))) for trained in rows]
    most = [max(few, _COMMONEST * share * len(trained)) for few, trained in zip(fewest, rows, strict=True)]
    taken = []
    for name in rng.permutation(sorted(set().union(*members))).tolist():
        where = [found.get(name, np.zeros(0, dtype=int)) for found in members]
        enough = any(len(w) >= few for w, few in zip(where, fewest, strict=True))
        rare = all(len(w) <= many for w, many in zip(where, most, strict=True))
        room = all(
            gone.sum() + (~gone[w]).sum() <= quota * len(trained)
            for gone, w, trained in zip(held, where, rows, strict=True)
        )
        if enough and rare and room:
            taken.append(name)
            for gone, w in zip(held, where, strict=True):
                gone[w] = True
    return taken
