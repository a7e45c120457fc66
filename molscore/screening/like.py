"""Draws in the manner of references: formula, then ring systems, then positions, each given the ones before.

    f ~ p(f | R),     c ~ p(c | f, R),     x ~ p(x | f, c)

as `molscore.screening.ring_systems` has the likelihood. Where c is that of a reference, x begins around its ring atoms,
which are held until it is decided what is bonded and free from there on, so that substituents are the model's and ring
geometries relax; draws whose ring systems have become others begin again. Any other c is left to the model,
x ~ p(x | f).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from molscore.errors import MolscoreError
from molscore.molecules.molecule import Molecule
from molscore.screening.checks import Candidate
from molscore.screening.fragment import Fragment
from molscore.screening.predictor import Predictor
from molscore.screening.ring_systems import signature, systems_of_bonds
from molscore.screening.sample import Sampling, Wanted, draw_positions

__all__ = ["draw_like"]

RELEASED = 0.25  # Å, where branches of a sampler are judged


def draw_like(
    model: Predictor,
    counts: NDArray[np.integer],
    seed: int,
    sampling: Sampling,
    progress: bool = False,
    tick: Callable[[], object] = bool,
) -> list[Molecule]:
    """Molecules of element counts (n, E), in order, by a model that was `given` references."""
    rng = np.random.default_rng(seed)
    fragments = _ring_fragments(model)
    drawn_for: dict[tuple[str, int] | None, list[int]] = {}
    for row, name in enumerate(model.series.draw(counts, rng)):
        fitting = [k for k, fragment in enumerate(fragments.get(name, ())) if _fits(model, fragment, counts[row])]
        drawn_for.setdefault((name, int(rng.choice(fitting))) if fitting else None, []).append(row)
    found: list[Molecule | None] = [None] * len(counts)
    for chosen, rows in drawn_for.items():
        wanted = None
        if chosen is not None:
            name, k = chosen
            wanted = Wanted(fragments[name][k], fits=partial(_of_series, name))
        drawn = draw_positions(model, counts[rows], int(rng.integers(2**32)), sampling, progress, tick, wanted)
        for row, molecule in zip(rows, drawn, strict=True):
            found[row] = molecule
    return found


def _of_series(name: str, candidate: Candidate) -> bool:
    return signature(candidate.mol) == name


def _ring_fragments(model: Predictor) -> dict[str, list[Fragment]]:
    """By signature, of each reference with rings: the atoms of one of each of its ring systems, hydrogens with them."""
    found: dict[str, list[Fragment]] = {}
    for molecule, bonds in zip(model.like, model.bonds(model.like), strict=True):
        systems = dict(systems_of_bonds(molecule.numbers, bonds))
        atoms = {atom for system in systems.values() for atom in system}
        ends = [(a, b) for first, second, _ in bonds.tolist() for a, b in ((first, second), (second, first))]
        atoms |= {b for a, b in ends if a in atoms and molecule.numbers[b] == 1}
        if rows := sorted(atoms):
            name, ring = " ".join(sorted(systems)), Molecule(molecule.numbers[rows], molecule.positions[rows])
            found.setdefault(name, []).append(Fragment.lacking(ring, released=RELEASED))
    return found


def _fits(model: Predictor, fragment: Fragment, counts: NDArray[np.integer]) -> bool:
    """Whether a formula (E,) has the fragment's atoms, and more."""
    try:
        fragment.rest_of(model, counts[None])
    except MolscoreError:
        return False
    return True
