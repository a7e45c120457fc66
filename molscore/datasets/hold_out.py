"""Ring systems and formulas that no training sees, so that what a model makes of the new can be tested."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.molecules.elements import hill_formula

__all__ = ["HELD_OUT", "hold_out"]

HELD_OUT = "held_out"

_COMMONEST = 0.1  # of what is to be held out, in any one ring system or formula
_FEWEST = 17  # molecules of it, where there are so many to hold out: 16 references and one to be told by them


def _formulas(molecules: MoleculeSet, rows: np.ndarray) -> list[set[str]]:
    bounds = molecules.offsets
    return [{hill_formula(molecules.numbers[bounds[row] : bounds[row + 1]])} for row in rows]


def _rings(molecules: MoleculeSet, rows: np.ndarray) -> list[set[str]]:
    return [set(names.split()) for names in molecules.columns["ring_systems"][rows]]


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
    rows = [np.flatnonzero(each.columns["split"] == "train") for each in sets]
    rng = np.random.default_rng(seed)
    held = [np.zeros(len(each), dtype=bool) for each in sets]
    names = {}
    for kind, clusters_of, quota in (("ring systems", _rings, share / 2), ("formulas", _formulas, share)):
        names[kind] = _take(sets, rows, held, clusters_of, share, quota, rng)
    note = json.dumps(names, ensure_ascii=False)
    return [
        each.with_columns(split=np.where(gone, HELD_OUT, each.columns["split"])).with_metadata(
            {**each.metadata, HELD_OUT: note}
        )
        for each, gone in zip(sets, held, strict=True)
    ]


def _take(
    sets: Sequence[MoleculeSet],
    rows: list[np.ndarray],
    held: list[np.ndarray],
    clusters_of: Callable[[MoleculeSet, np.ndarray], list[set[str]]],
    share: float,
    quota: float,
    rng: np.random.Generator,
) -> list[str]:
    """Mark whole clusters in `held` until each set has `quota` of its training rows there; returns their names."""
    members = []
    for each, trained in zip(sets, rows, strict=True):
        found: dict[str, list[int]] = {}
        for row, names in zip(trained, clusters_of(each, trained), strict=True):
            for name in names:
                found.setdefault(name, []).append(row)
        members.append({name: np.array(where) for name, where in found.items()})
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
