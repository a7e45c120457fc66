"""How far generated formulas, sizes and rings are from real ones: total variation with a real floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

import numpy as np
from rdkit import Chem

from molscore.datasets.statistics import formula_counts
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.bonds import Bonds, bonds_of, piece_counts
from molscore.evaluation.comparison import Distance, compare
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.molecule import Molecule

__all__ = ["composition_counts", "composition_distances", "total_variation"]

# Fullerene has 31 independent rings: beyond this, atoms have collapsed on each other and finding rings takes ages.
_MOST_RINGS = 64


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
            n_generated=sum(theirs[kind].values()),
            n_real=sum(reference[kind].values()),
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
    rings = _ring_counts(molecules, bonds)
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


def _ring_counts(molecules: MoleculeSet, bonds: Bonds) -> np.ndarray:
    """Independent rings of each molecule, ``(M,)``: bonds − atoms + pieces."""
    row = np.searchsorted(molecules.offsets, bonds.atoms[:, 0], side="right") - 1
    return np.bincount(row, minlength=len(molecules)) - molecules.sizes + piece_counts(molecules, bonds)


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
