"""How far generated molecules are from real ones, beside how far real ones are from real ones: the floor.

Bond lengths, angles and dihedrals by Wasserstein's distance; formulas, sizes, bonds and rings by total variation.
Bonds are read by `bonds_of`.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem
from scipy.stats import wasserstein_distance

from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.statistics import formula_counts
from molscore.errors import InputError
from molscore.evaluation.bonds import Bonds, as_set, bonds_of, piece_counts
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.molecule import Molecule

__all__ = [
    "UNITS", "Comparison", "Distance", "compare", "composition_counts", "composition_distances", "geometry_distances",
    "internal_coordinates", "mean_distances", "total_variation",
]  # fmt: skip

UNITS = {"bond": "Å", "angle": "°", "dihedral": "°"}
_ORDERS = ("", "-", "=", "#")
# Fullerene has 31 independent rings: beyond this, atoms have collapsed on each other and finding rings takes ages.
_MOST_RINGS = 64


@dataclass(frozen=True)
class Distance:
    """How far generated molecules are from real ones in one statistic."""

    kind: str  # what is compared, such as bond or formula
    label: str  # which of the kind, such as C-H; empty where there is one only
    distance: float | None  # between generated and real; None where nothing of the kind was generated
    floor: float  # between as many real molecules, held apart, and the same reference: what no generator can beat
    unit: str  # Å, °, or empty for a number from 0 to 1
    n_generated: int  # values that were generated
    n_real: int  # values in the reference


class Comparison(NamedTuple):
    """Three sets of molecules: the reference is compared with both others."""

    generated: MoleculeSet
    held: MoleculeSet
    reference: MoleculeSet


def compare(
    generated: MoleculeSet | Iterable[Molecule],
    real: MoleculeSet | Iterable[Molecule],
    seed: int = 0,
    max_molecules: int = 20_000,
) -> Comparison:
    """Hold apart as many real molecules as were generated, at most half; the rest is the reference.

    Sets above `max_molecules` are thinned at random, which bounds time and memory.
    Raises `InputError` for no generated or fewer than two real molecules.
    """
    rng = np.random.default_rng(seed)
    generated, real = as_set(generated), as_set(real)
    if len(real) < 2:
        raise InputError("a comparison needs at least two real molecules")
    if len(generated) > max_molecules:
        generated = generated.select(np.sort(rng.permutation(len(generated))[:max_molecules]))
    order = rng.permutation(len(real))[: max(2 * max_molecules, 2)]
    n_held = min(len(generated), len(order) // 2)
    reference = order[n_held:][:max_molecules]
    return Comparison(generated, real.select(np.sort(order[:n_held])), real.select(np.sort(reference)))


def geometry_distances(
    generated: MoleculeSet | Iterable[Molecule],
    real: MoleculeSet | Iterable[Molecule],
    min_share: float = 0.01,
    seed: int = 0,
    max_molecules: int = 20_000,
) -> list[Distance]:
    """Wasserstein-1 distance per common type of bond, angle and dihedral, the most common first.

    A type is common when at least `min_share` of the reference's bonds (angles, dihedrals) are of it; it must occur
    among the molecules held apart (see `compare`).
    """
    tables = [internal_coordinates(part) for part in compare(generated, real, seed, max_molecules)]
    theirs, held, reference = (dict(list(table.groupby(["kind", "label"])["value"])) for table in tables)
    counts = {kind: tables[2].loc[tables[2]["kind"] == kind, "label"].value_counts(sort=False) for kind in UNITS}
    found = []
    for kind, of_kind in counts.items():
        common = of_kind[of_kind >= min_share * of_kind.sum()].sort_values(ascending=False, kind="stable")
        for label, n in common.items():
            key = (kind, label)
            if key in held:
                distance = float(wasserstein_distance(theirs[key], reference[key])) if key in theirs else None
                floor = float(wasserstein_distance(held[key], reference[key]))
                found.append(Distance(kind, label, distance, floor, UNITS[kind], len(theirs.get(key, ())), n))
    return found


def mean_distances(distances: Sequence[Distance]) -> dict[str, tuple[float | None, float]]:
    """``(distance, floor)`` per kind: means over the types that were generated, weighted by their share in reality."""
    means = {}
    for kind in dict.fromkeys(item.kind for item in distances):
        every = [item for item in distances if item.kind == kind]
        made = [item for item in every if item.distance is not None]
        weights = [item.n_real for item in made]
        floor = np.average([item.floor for item in every], weights=[item.n_real for item in every])
        distance = float(np.average([item.distance for item in made], weights=weights)) if made else None
        means[kind] = (distance, float(floor))
    return means


def internal_coordinates(molecules: MoleculeSet) -> pd.DataFrame:
    """``kind``, ``label`` and ``value`` of each bond (Å), angle and dihedral (0 to 180°), along paths of bonds.

    Labels are elements and bonds along the path, such as ``H-C=O``, the same from either end. Dihedrals lose their
    sign: a molecule and its mirror image count as the same.
    """
    bonds, positions = bonds_of(molecules), molecules.positions.astype(np.float64)
    both_ways = np.concatenate([bonds.atoms, bonds.atoms[:, ::-1]])
    edges = pd.DataFrame({"last": both_ways[:, 0], "next": both_ways[:, 1], "order": np.tile(bonds.orders, 2)})
    atoms = np.arange(len(positions))[:, None]  # (P, k) along each path
    orders = np.zeros((len(positions), 0), dtype=np.int64)  # (P, k - 1)
    found = []
    for kind, measure in (("bond", _length), ("angle", _angle), ("dihedral", _dihedral)):
        longer = pd.DataFrame({"path": np.arange(len(atoms)), "last": atoms[:, -1]}).merge(edges, on="last")
        longer = longer[(atoms[longer["path"]] != longer[["next"]].to_numpy()).all(axis=1)]
        atoms = np.column_stack([atoms[longer["path"]], longer["next"]])
        orders = np.column_stack([orders[longer["path"]], longer["order"]])
        once = atoms[:, 0] < atoms[:, -1]
        labels = _labels(molecules.numbers[atoms[once]].astype(np.int64), orders[once])
        values = measure(*np.moveaxis(positions[atoms[once]], 1, 0))
        found.append(pd.DataFrame({"kind": kind, "label": labels, "value": values}))
    return pd.concat(found, ignore_index=True)


def _labels(numbers: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Labels ``(P,)`` of elements ``(P, k)`` and orders ``(P, k - 1)`` along paths."""

    def codes(numbers: np.ndarray, orders: np.ndarray) -> np.ndarray:
        code = numbers[:, 0]
        for step in range(orders.shape[1]):
            code = (code * 4 + orders[:, step]) * 128 + numbers[:, step + 1]
        return code

    def spelt(code: int) -> str:
        text = ""
        while code:
            code, number = divmod(code, 128)
            code, order = divmod(code, 4)
            text = _ORDERS[order] + SYMBOLS[number] + text
        return text

    either = np.minimum(codes(numbers, orders), codes(numbers[:, ::-1], orders[:, ::-1]))
    different, which = np.unique(either, return_inverse=True)
    return np.array([spelt(code) for code in different.tolist()], dtype=object)[which]


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


def composition_distances(
    generated: MoleculeSet | Iterable[Molecule],
    real: MoleculeSet | Iterable[Molecule],
    seed: int = 0,
    max_molecules: int = 20_000,
) -> list[Distance]:
    """Total variation distance, 0 to 1, of what `composition_counts` counts, with the floor of `compare`."""
    theirs, held, reference = (composition_counts(part) for part in compare(generated, real, seed, max_molecules))
    return [
        Distance(
            kind=kind,
            label="",
            distance=total_variation(theirs[kind], reference[kind]) if theirs[kind] else None,
            floor=total_variation(held[kind], reference[kind]),
            unit="",
            n_generated=theirs[kind].total(),
            n_real=reference[kind].total(),
        )
        for kind in reference
        if reference[kind] and held[kind]
    ]


def composition_counts(molecules: MoleculeSet) -> dict[str, Counter[Hashable]]:
    """Molecules by ``formula``, ``size`` (atoms) and ``rings`` (independent ones); atoms by ``element``;
    bonds by ``bond`` order; rings of the smallest set by ``ring size`` (0: all of a molecule with far too many).
    """
    bonds = bonds_of(molecules)
    elements = [SYMBOLS[number] for number in np.unique(molecules.numbers)]
    formulas = formula_counts(molecules, elements)
    n_bonds = np.bincount(molecules.atom_rows[bonds.atoms[:, 0]], minlength=len(molecules))
    rings = n_bonds - molecules.sizes + piece_counts(molecules, bonds)
    return {
        "formula": Counter(
            tuple((symbol, n) for symbol, n in zip(elements, row, strict=True) if n) for row in formulas.tolist()
        ),
        "size": Counter(molecules.sizes.tolist()),
        "element": Counter(dict(zip(elements, formulas.sum(axis=0).tolist(), strict=True))),
        "bond": Counter(bonds.orders.tolist()),
        "rings": Counter(rings.tolist()),
        "ring size": _ring_sizes(molecules, bonds, rings),
    }


def total_variation(p: Mapping[Hashable, int], q: Mapping[Hashable, int]) -> float:
    """½ Σ |p − q| between two histograms, each made to add up to one; both must count something."""
    p_total, q_total = sum(p.values()), sum(q.values())
    return 0.5 * sum(abs(p.get(key, 0) / p_total - q.get(key, 0) / q_total) for key in p.keys() | q.keys())


def _ring_sizes(molecules: MoleculeSet, bonds: Bonds, rings: np.ndarray) -> Counter[Hashable]:
    """Sizes of the rings of the smallest sets of smallest rings."""
    ends = np.searchsorted(bonds.atoms[:, 0], molecules.offsets)
    sizes: Counter[Hashable] = Counter()
    for row in np.flatnonzero(rings).tolist():
        if rings[row] > _MOST_RINGS:
            sizes[0] += int(rings[row])
            continue
        mol = Chem.RWMol()
        for _ in range(molecules.sizes[row]):
            mol.AddAtom(Chem.Atom(6))
        for a, b in (bonds.atoms[ends[row] : ends[row + 1]] - molecules.offsets[row]).tolist():
            mol.AddBond(a, b, Chem.BondType.SINGLE)
        sizes.update(len(ring) for ring in Chem.GetSSSR(mol))
    return sizes
