"""The figures that a set of molecules is judged by, each with its 95 % interval."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from molscore.evaluation.edm import Stability, as_set, bonds_of, edm_smiles, piece_counts, stability
from molscore.evaluation.intervals import clustered_interval, wilson_interval
from molscore.molecules.molecule import Molecule

__all__ = ["Metrics", "PerMolecule", "evaluate", "judge"]


@dataclass(frozen=True)
class Metrics:
    """Percentages over `n` molecules, by EDM's definitions (https://arxiv.org/abs/2203.17003)."""

    n: int  # molecules judged
    atom_stability: float  # atoms with an allowed sum of bond orders, of all atoms
    molecule_stability: float  # molecules all of whose atoms are stable
    validity: float  # molecules whose bonds RDKit accepts
    uniqueness: float | None  # different SMILES, of the valid molecules; None when none is valid
    valid_unique: float  # different SMILES, of all molecules (V×U)
    novelty: float | None  # different SMILES that the reference lacks, of the different SMILES; None without one
    connectivity: float  # molecules whose bonds make them one piece
    stable_connected: float  # molecules that are stable and in one piece, which EDM's stability does not ask
    # 95 % interval of each figure above. Those of uniqueness are approximate: draws of SMILES are not a coin's.
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {**asdict(self), "intervals": {name: list(bounds) for name, bounds in self.intervals.items()}}

    def to_text(self) -> str:
        """One line a figure, for people."""
        lines = [
            f"{name.replace('_', ' '):<20}{getattr(self, name):7.2f} %   [{low:.2f}, {high:.2f}]"
            for name, (low, high) in self.intervals.items()
        ]
        return "\n".join([f"{'molecules':<20}{self.n:7d}", *lines])


class PerMolecule(NamedTuple):
    """What `Metrics` counts, molecule by molecule."""

    stability: Stability
    smiles: list[str | None]  # as `edm_smiles` makes them; None where RDKit does not accept the bonds
    connected: np.ndarray  # (M,) bool
    known: set[str | None] | None  # SMILES of the reference

    def columns(self, row: int) -> dict[str, bool | None]:
        """The facts of one molecule by name, as files show them."""
        smiles = self.smiles[row]
        return {
            "stable": bool(self.stability.molecules[row]),
            "edm_valid": smiles is not None,
            "edm_connected": bool(self.connected[row]),
            "novel": None if self.known is None or smiles is None else smiles not in self.known,
        }

    @property
    def metrics(self) -> Metrics:
        """The figures of all."""
        valid = [text for text in self.smiles if text is not None]
        n, unique, stable = len(self.smiles), set(valid), self.stability.molecules
        counts = {
            "molecule_stability": (int(stable.sum()), n),
            "validity": (len(valid), n),
            "uniqueness": (len(unique), len(valid)),
            "valid_unique": (len(unique), n),
            "novelty": (len(unique - (self.known or set())), 0 if self.known is None else len(unique)),
            "connectivity": (int(self.connected.sum()), n),
            "stable_connected": (int((stable & self.connected).sum()), n),
        }
        percent = {name: 100 * (k / of) if of else None for name, (k, of) in counts.items()}
        intervals = {"atom_stability": clustered_interval(self.stability.stable, self.stability.sizes)}
        intervals |= {name: wilson_interval(k / of, of) for name, (k, of) in counts.items() if of}
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
    members = list(reference) if isinstance(reference, Iterable) and not isinstance(reference, str) else []
    if not members:
        raise InputError("the reference for novelty must be molecules or their SMILES, and holds none")
    if all(isinstance(member, str | None) for member in members):
        return set(members)
    return set(edm_smiles(members, progress=progress))
