"""The figures that a set of molecules is judged by, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.evaluation.bonds import as_set, bonds_of, piece_counts
from molscore.evaluation.intervals import clustered_interval, wilson_interval
from molscore.evaluation.stability import Stability, stability
from molscore.evaluation.validity import edm_smiles, fraction_novel, fraction_unique
from molscore.molecules.molecule import Molecule

__all__ = ["Metrics", "PerMolecule", "evaluate", "judge"]


@dataclass(frozen=True)
class Metrics:
    """Percentages over `n` molecules, by EDM's definitions (https://arxiv.org/abs/2203.17003)."""

    n: int
    """Molecules judged."""
    atom_stability: float
    """Atoms with an allowed sum of bond orders, of all atoms."""
    molecule_stability: float
    """Molecules all of whose atoms are stable."""
    validity: float
    """Molecules whose bonds RDKit accepts."""
    uniqueness: float | None
    """Different SMILES, of the valid molecules; None when none is valid."""
    valid_unique: float
    """Different SMILES, of all molecules (V×U)."""
    novelty: float | None
    """Different SMILES that the reference lacks, of the different SMILES; None without a reference."""
    connectivity: float
    """Molecules whose bonds make them one piece."""
    stable_connected: float
    """Molecules that are stable and in one piece, which EDM's stability does not ask."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """95 % interval of each figure above. Those of uniqueness are approximate: draws of SMILES are not a coin's."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {**asdict(self), "intervals": {name: list(bounds) for name, bounds in self.intervals.items()}}

    def to_text(self) -> str:
        """One line a figure, for people."""
        names = [name for name in asdict(self) if name not in {"n", "intervals"} and getattr(self, name) is not None]
        lines = [
            f"{name.replace('_', ' '):<20}{getattr(self, name):7.2f} %   [{low:.2f}, {high:.2f}]"
            for name, (low, high) in ((name, self.intervals[name]) for name in names)
        ]
        return "\n".join([f"{'molecules':<20}{self.n:7d}", *lines])


class PerMolecule(NamedTuple):
    """What `Metrics` counts, molecule by molecule."""

    stability: Stability
    smiles: list[str | None]
    """As `edm_smiles` makes them; None where RDKit does not accept the bonds."""
    connected: np.ndarray
    """``(M,)`` bool."""
    known: set[str | None] | None
    """SMILES of the reference."""

    def columns(self, row: int) -> dict[str, bool | None]:
        """The facts of one molecule by name, as files show them."""
        smiles = self.smiles[row]
        return {
            "stable": bool(self.stability.molecules[row]),
            "valid": smiles is not None,
            "connected": bool(self.connected[row]),
            "novel": None if self.known is None or smiles is None else smiles not in self.known,
        }

    @property
    def metrics(self) -> Metrics:
        """The figures of all."""
        n, valid = len(self.smiles), sum(text is not None for text in self.smiles)
        unique = fraction_unique(self.smiles)
        different = 0 if unique is None else round(unique * valid)
        fractions = {
            "molecule_stability": (float(self.stability.molecules.mean()), n),
            "validity": (valid / n, n),
            "uniqueness": (unique, valid),
            "valid_unique": (different / n, n),
            "novelty": (None if self.known is None else fraction_novel(self.smiles, self.known), different),
            "connectivity": (float(self.connected.mean()), n),
            "stable_connected": (float((self.stability.molecules & self.connected).mean()), n),
        }
        known = {name: pair for name, pair in fractions.items() if pair[0] is not None}
        intervals = {"atom_stability": clustered_interval(self.stability.stable, self.stability.sizes)}
        intervals.update({name: wilson_interval(fraction, trials) for name, (fraction, trials) in known.items()})
        percent = {name: 100 * known[name][0] if name in known else None for name in fractions}
        return Metrics(n=n, atom_stability=self.stability.atom_stability, intervals=intervals, **percent)


def evaluate(
    molecules: MoleculeSet | Iterable[Molecule],
    reference: MoleculeSet | Iterable[Molecule] | Iterable[str] | None = None,
    progress: bool = False,
) -> Metrics:
    """Judge molecules; novelty is against `reference`, molecules or the SMILES that `edm_smiles` made of them.

    `progress` shows bars on stderr, for large sets.
    Raises `InputError` without molecules and `ElementError` for an element that the metric does not know.
    """
    return judge(molecules, reference, progress).metrics


def judge(
    molecules: MoleculeSet | Iterable[Molecule],
    reference: MoleculeSet | Iterable[Molecule] | Iterable[str] | None = None,
    progress: bool = False,
) -> PerMolecule:
    """`evaluate`, molecule by molecule."""
    molecules = as_set(molecules)
    bonds = bonds_of(molecules)
    return PerMolecule(
        stability(molecules, bonds),
        edm_smiles(molecules, bonds, progress),
        piece_counts(molecules, bonds) == 1,
        None if reference is None else _reference_smiles(reference, progress),
    )


def _reference_smiles(reference: MoleculeSet | Iterable[Molecule] | Iterable[str], progress: bool) -> set[str | None]:
    """EDM SMILES of a reference that is molecules, or already SMILES."""
    if isinstance(reference, MoleculeSet):
        return set(edm_smiles(reference, progress=progress))
    members = [] if isinstance(reference, str) else list(reference)
    if not members:
        raise InputError("the reference for novelty must be molecules or their SMILES, and holds none")
    if all(isinstance(member, str | None) for member in members):
        return set(members)
    return set(edm_smiles(members, progress=progress))
