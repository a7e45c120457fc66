"""Bond lengths, angles and dihedrals of many molecules, by the elements and bond orders that they run along."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.evaluation.bonds import Bonds
from molscore.molecules.elements import SYMBOLS

__all__ = ["Internal", "internal_coordinates", "label_of"]

_SYMBOLS_OF_ORDERS = ("", "-", "=", "#")


class Internal(NamedTuple):
    """All internal coordinates of one kind."""

    types: np.ndarray
    """``(P,)`` int64: codes that `label_of` spells; a path and its reverse share one."""
    values: np.ndarray
    """``(P,)`` float64: Å for bonds, degrees for angles (0–180) and for the size of dihedrals (0–180)."""


class _Paths(NamedTuple):
    atoms: np.ndarray  # (P, k), each bonded to the next
    orders: np.ndarray  # (P, k - 1)


def internal_coordinates(molecules: MoleculeSet, bonds: Bonds) -> dict[str, Internal]:
    """``bond``, ``angle`` and ``dihedral`` coordinates along all paths of two, three and four different atoms.

    Dihedrals lose their sign: a molecule and its mirror image count as the same.
    """
    edges = _Paths(
        np.concatenate([bonds.atoms, bonds.atoms[:, ::-1]]), np.concatenate([bonds.orders, bonds.orders])[:, None]
    )
    by_first = np.argsort(edges.atoms[:, 0], kind="stable")
    edges = _Paths(edges.atoms[by_first], edges.orders[by_first])
    starts = np.searchsorted(edges.atoms[:, 0], np.arange(len(molecules.numbers) + 1))
    positions = molecules.positions.astype(np.float64)
    paths, kinds = edges, {}
    for kind, measure in (("bond", _length), ("angle", _angle), ("dihedral", _dihedral)):
        once = paths.atoms[:, 0] < paths.atoms[:, -1]
        atoms, orders = paths.atoms[once], paths.orders[once]
        points = np.moveaxis(positions[atoms], 1, 0)
        kinds[kind] = Internal(_types(molecules.numbers[atoms].astype(np.int64), orders), measure(*points))
        if kind != "dihedral":
            paths = _extend(paths, edges, starts)
    return kinds


def label_of(code: int) -> str:
    """Elements and bonds of a type, such as ``C-H``, ``H-C=O`` or ``C-C#N``; angles are named from end to end."""
    text = ""
    while code:
        code, number = divmod(code, 128)
        code, order = divmod(code, 4)
        text = _SYMBOLS_OF_ORDERS[order] + SYMBOLS[number] + text
    return text


def _extend(paths: _Paths, edges: _Paths, starts: np.ndarray) -> _Paths:
    """Paths one atom longer, by every bond of the last atom that leads to a new one."""
    last = paths.atoms[:, -1]
    choices = starts[last + 1] - starts[last]
    parent = np.repeat(np.arange(len(last)), choices)
    ends = np.cumsum(choices)
    edge = np.arange(len(parent)) - np.repeat(ends - choices, choices) + starts[last][parent]
    atom = edges.atoms[edge, 1]
    new = (paths.atoms[parent] != atom[:, None]).all(axis=1)
    parent, edge, atom = parent[new], edge[new], atom[new]
    return _Paths(
        np.column_stack([paths.atoms[parent], atom]), np.column_stack([paths.orders[parent], edges.orders[edge]])
    )


def _types(numbers: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """One code for elements ``(P, k)`` and orders ``(P, k - 1)`` along a path, the same from either end."""
    return np.minimum(_code(numbers, orders), _code(numbers[:, ::-1], orders[:, ::-1]))


def _code(numbers: np.ndarray, orders: np.ndarray) -> np.ndarray:
    code = numbers[:, 0]
    for step in range(orders.shape[1]):
        code = (code * 4 + orders[:, step]) * 128 + numbers[:, step + 1]
    return code


def _length(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1)


def _angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    u, v = a - b, c - b
    # atan2 keeps its precision near 0° and 180°, where the arc cosine loses half the digits.
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(axis=-1)))


def _dihedral(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    first, axis, second = b - a, c - b, d - c
    m, n = np.cross(first, axis), np.cross(axis, second)
    sine = (first * n).sum(axis=-1) * np.linalg.norm(axis, axis=-1)
    return np.degrees(np.abs(np.arctan2(sine, (m * n).sum(axis=-1))))
