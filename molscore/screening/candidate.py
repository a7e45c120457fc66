"""A generated molecule, what the checks say of it, and the verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple

from molscore.errors import ParseError
from molscore.molecules.chem import fragments, mol_from_molecule, smiles_of, unlikely_charges
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.screening.criteria import DIGITS

__all__ = ["PASSED", "Candidate", "Verdict", "inspect", "mark_duplicates", "ranked", "standing"]


class Verdict(NamedTuple):
    """Why a candidate was turned down: the check, the value found and the threshold."""

    check: str
    value: Any
    threshold: str

    def __str__(self) -> str:
        return f"{self.check}: {self.value} ({self.threshold})" if self.threshold else self.check


PASSED = Verdict("passed", True, "")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Candidate(Molecule):
    """A molecule that a model drew. It is a `Molecule`, so that everything that takes one takes it."""

    index: int
    """Its place among those drawn, from 0."""
    mol: Any = None
    """RDKit molecule with the bonds read off the geometry, None where none fit."""
    smiles: str = ""
    """Canonical, with stereochemistry; empty without bonds."""
    valid: bool = False
    """Whether the bonds of a neutral closed-shell molecule fit the geometry."""
    connected: bool = False
    """Whether it is in one piece."""
    unique: bool = False
    """Whether no candidate before it has the same SMILES; False without one."""
    novel: bool | None = None
    """Whether it is not in the list that the model holds (`Model.known`), stereochemistry aside; None without one."""
    log_likelihood: float = float("nan")
    """nats."""
    log_density: float = float("nan")
    """nats."""
    percentile: float | None = None
    """0 to 100, None for a model without reference."""
    codimension: float = float("nan")
    """How much of the molecule is defined, see `molscore.screening.criteria`."""
    resolution: float = float("nan")
    """Å."""
    by: str = "percentile"
    """The criterion that candidates are ordered by, one of `molscore.screening.criteria.ORDERS`."""
    measure: float = float("nan")
    """Its value, where it is none of the above."""
    guide: float | None = None
    """What the guide of the search says of it, None without one."""
    likelihood_cost: float = float("nan")
    """nats by which it is less likely than the median of reference molecules of its size; of guided draws."""
    verdict: Verdict = PASSED

    def __repr__(self) -> str:
        percentile = "" if self.percentile is None else f", percentile={self.percentile:.2f}"
        verdict = "" if self.passed else f", verdict={str(self.verdict)!r}"
        return f"Candidate({self.smiles or self.formula}{percentile}{verdict})"

    @property
    def passed(self) -> bool:
        """Whether no check and no filter turned it down."""
        return self.verdict == PASSED

    def columns(self) -> dict[str, Any]:
        """The facts by name, as files show them; log-probabilities to four decimals, percentiles to two."""
        measure = {}
        if not hasattr(self, self.by):
            known = self.measure == self.measure  # NaN is not
            measure[self.by] = round(self.measure, DIGITS.get(self.by, 2)) if known else None
        guided = {}
        if self.guide is not None:
            guided = {"guide": round(self.guide, 4), "likelihood_cost": round(self.likelihood_cost, 2)}
        return {
            "smiles": self.smiles,
            "formula": self.formula,
            "n_atoms": self.n_atoms,
            "log_likelihood": round(self.log_likelihood, 4),
            "log_density": round(self.log_density, 4),
            "percentile": None if self.percentile is None else round(self.percentile, 2),
            "codimension": round(self.codimension, DIGITS["codimension"]),
            **measure,
            **guided,
            "resolution": self.resolution,
            "valid": self.valid,
            "connected": self.connected,
            "unique": self.unique,
            "novel": self.novel,
            "verdict": str(self.verdict),
        }

    def _repr_html_(self) -> str:
        """A picture beside the numbers, for notebooks."""
        rows = "".join(f"<tr><td>{escape(name)}<td>{escape(str(value))}" for name, value in self.columns().items())
        return f'<div style="display: flex">{self._repr_svg_()}<table>{rows}</table></div>'


def inspect(molecule: Molecule, index: int, known: TrainingIndex | None = None) -> Candidate:
    """Read the bonds of a drawn molecule and check what can be checked of it alone."""
    bare = Candidate(molecule.numbers, molecule.positions, molecule.name, index=index)
    try:
        mol = mol_from_molecule(molecule)
        smiles = smiles_of(mol)
        novel = None if known is None else not known.contains(smiles)
    except ParseError:
        return replace(bare, verdict=Verdict("valid", "no neutral closed-shell bonds", "some must fit the geometry"))
    pieces = fragments(mol)
    verdict = PASSED
    if pieces > 1:
        verdict = Verdict("connected", f"{pieces} pieces", "1 piece")
    elif charges := unlikely_charges(mol):
        verdict = Verdict("charges", " ".join(charges), "no charged carbon or oxonium by itself")
    return replace(bare, mol=mol, smiles=smiles, valid=True, connected=pieces == 1, novel=novel, verdict=verdict)


def mark_duplicates(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Tell first occurrences of a SMILES string from repetitions; of those that passed, repetitions are turned down."""
    seen: set[str] = set()
    first: dict[str, int] = {}
    marked: list[Candidate] = []
    for candidate in candidates:
        unique, verdict = bool(candidate.smiles) and candidate.smiles not in seen, candidate.verdict
        seen.add(candidate.smiles)
        if candidate.passed and (earlier := first.setdefault(candidate.smiles, candidate.index)) != candidate.index:
            verdict = Verdict("unique", f"same SMILES as number {earlier}", "different from all before")
        marked.append(replace(candidate, unique=unique, verdict=verdict))
    return marked


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that passed, best first, then the rest."""
    return sorted(candidates, key=lambda c: (not c.passed, -standing(c)[0], -standing(c)[1], c.index))


def standing(candidate: Candidate, by: str | None = None) -> tuple[float, float]:
    """What candidates are ordered by: the criterion `by`, or their own, then log-likelihood; NaN below all numbers."""
    value = getattr(candidate, by or candidate.by, candidate.measure)
    whole, lowest = candidate.log_likelihood, float("-inf")
    return (lowest if value is None or value != value else value, lowest if whole != whole else whole)
