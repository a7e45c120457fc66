"""How far generated bond lengths, angles and dihedrals are from real ones: Wasserstein-1 with a real floor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import wasserstein_distance

from molscore.datasets.store import MoleculeSet
from molscore.evaluation.bonds import bonds_of
from molscore.evaluation.comparison import Distance, compare
from molscore.evaluation.coordinates import Internal, internal_coordinates, label_of
from molscore.molecules.molecule import Molecule

__all__ = ["UNITS", "geometry_distances", "mean_distances"]

UNITS = {"bond": "Å", "angle": "°", "dihedral": "°"}


def geometry_distances(
    generated: MoleculeSet | Iterable[Molecule],
    real: MoleculeSet | Iterable[Molecule],
    min_share: float = 0.01,
    seed: int = 0,
    max_molecules: int = 20_000,
) -> list[Distance]:
    """Wasserstein-1 distance per common type of bond, angle and dihedral, the most common first.

    A type is common when at least `min_share` of the reference's bonds (angles, dihedrals) are of it. Bonds are read
    by `bonds_of`. Real molecules are split once more for the floor (see `compare`).
    """
    sets = compare(generated, real, seed, max_molecules)
    theirs, held, reference = (internal_coordinates(part, bonds_of(part)) for part in sets)
    return [
        distance
        for kind in UNITS
        for distance in _distances(kind, theirs[kind], held[kind], reference[kind], min_share)
    ]


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


def _distances(kind: str, theirs: Internal, held: Internal, reference: Internal, min_share: float) -> list[Distance]:
    """One distance for each type that is common in the reference and occurs among the held molecules."""
    types, counts = np.unique(reference.types, return_counts=True)
    common = counts >= min_share * counts.sum()
    order = np.argsort(-counts[common], kind="stable")
    found = []
    for code in types[common][order].tolist():
        real = reference.values[reference.types == code]
        apart, made = held.values[held.types == code], theirs.values[theirs.types == code]
        if not len(apart):
            continue
        distance = float(wasserstein_distance(made, real)) if len(made) else None
        floor = float(wasserstein_distance(apart, real))
        found.append(Distance(kind, label_of(code), distance, floor, UNITS[kind], len(made), len(real)))
    return found
