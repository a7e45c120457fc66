"""One distance between generated and real molecules, beside the distance between real and real."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.evaluation.bonds import as_set
from molscore.molecules.molecule import Molecule

__all__ = ["Comparison", "Distance", "compare"]


@dataclass(frozen=True)
class Distance:
    """How far generated molecules are from real ones in one statistic."""

    kind: str
    """What is compared, such as ``bond`` or ``formula``."""
    label: str
    """Which of the kind, such as ``C-H``; empty where there is one only."""
    distance: float | None
    """Between generated and real; None where nothing of the kind was generated."""
    floor: float
    """Between as many real molecules, held apart, and the same reference: what no generator can beat."""
    unit: str
    """``Å``, ``°``, or empty for a number from 0 to 1."""
    n_generated: int
    """Values that were generated."""
    n_real: int
    """Values in the reference."""


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
