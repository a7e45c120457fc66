"""A generated molecule, and what the checks say of it: bonds, charges, duplicates, filters."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple

from molscore.errors import ParseError
from molscore.molecules.bonds import ASKED, doubts
from molscore.molecules.chem import descriptors, fragments, mol_from_molecule, pattern_of, smiles_of
from molscore.molecules.drawing import svg_of
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.screening.columns import DIGITS

__all__ = [
    "PASSED", "SURPLUS", "Candidate", "CheckResult", "candidate_rows", "candidate_summary", "density_filter",
    "filtered", "inspect", "mark_duplicates", "mark_surplus", "ranked", "share_of", "value_of",
]  # fmt: skip


class CheckResult(NamedTuple):
    """Why a candidate was turned down: the check, the value found and the threshold."""

    check: str
    value: Any
    threshold: str

    def __str__(self) -> str:
        return f"{self.check}: {self.value} ({self.threshold})" if self.threshold else self.check


PASSED = CheckResult("passed", True, "")
SURPLUS = "surplus"  # of what passed all checks, but is not among as many as were asked for


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
    """Whether it is not in the model's training index, stereochemistry aside; None for a model without one."""
    log_likelihood: float = float("nan")
    """nats."""
    log_density: float = float("nan")
    """nats."""
    percentile: float | None = None
    """0 to 100, None for a model without reference, and for a molecule outside what the model has learnt."""
    outside: str = ""
    """Why it is outside, in words."""
    codimension: float = float("nan")
    """How much of the molecule is defined, see `molscore.screening.criteria`."""
    density_excess: float = float("nan")
    """Less what real molecules of its kind have; NaN without bonds, and for a model without tables."""
    resolution: float = float("nan")
    """Å."""
    by: str = "percentile"
    """The criterion that candidates are ordered by, one of `molscore.screening.columns.ORDERS`."""
    measure: float = float("nan")
    """Its value, where it is none of the above."""
    guide: float | None = None
    """What the guide of the search says of it, None without one."""
    likelihood_cost: float = float("nan")
    """nats by which it is less likely than the median of reference molecules of its size; of guided draws."""
    verdict: CheckResult = PASSED
    """The first check that turned it down, or that it passed after as many as were asked for (``surplus``)."""

    def __repr__(self) -> str:
        percentile = "" if self.percentile is None else f", percentile={self.percentile:.2f}"
        verdict = "" if self.passed else f", verdict={str(self.verdict)!r}"
        return f"Candidate({self.smiles or self.formula}{percentile}{verdict})"

    @property
    def passed(self) -> bool:
        """Whether no check and no filter turned it down, and it is one of those asked for."""
        return self.verdict == PASSED

    def columns(self) -> dict[str, Any]:
        """The facts by name, as files show them; log-probabilities to four decimals, percentiles to two."""
        extra: dict[str, Any] = {}
        if not hasattr(self, self.by):
            extra[self.by] = None if math.isnan(self.measure) else round(self.measure, DIGITS.get(self.by, 2))
        if self.guide is not None:
            extra |= {"guide": round(self.guide, 4), "likelihood_cost": round(self.likelihood_cost, 2)}
        return {
            "smiles": self.smiles,
            "formula": self.formula,
            "n_atoms": self.n_atoms,
            "log_likelihood": round(self.log_likelihood, 4),
            "log_density": round(self.log_density, 4),
            "percentile": None if self.percentile is None else round(self.percentile, 2),
            "codimension": round(self.codimension, DIGITS["codimension"]),
            "density_excess": round(self.density_excess, DIGITS["density_excess"]),
            **extra,
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
        return f'<div style="display: flex">{svg_of(self)}<table>{rows}</table></div>'


def inspect(molecule: Molecule, index: int, known: TrainingIndex | None = None) -> Candidate:
    """Read the bonds of a drawn molecule and check what can be checked of it alone."""
    bare = Candidate(molecule.numbers, molecule.positions, molecule.name, index=index)
    try:
        mol = mol_from_molecule(molecule)
        smiles = smiles_of(mol)
        novel = None if known is None else not known.contains(smiles)
    except ParseError:
        return _turned_down(bare, "valid", "no neutral closed-shell bonds", "some must fit the geometry")
    pieces = fragments(mol)
    found = replace(bare, mol=mol, smiles=smiles, valid=True, connected=pieces == 1, novel=novel)
    if pieces > 1:
        return _turned_down(found, "connected", f"{pieces} pieces", "1 piece")
    for check, value in list(doubts(mol, molecule.positions).items())[:1]:
        found = _turned_down(found, check, value, ASKED[check])
    return found


def filtered(
    candidates: Iterable[Candidate], min_percentile: float, known: str | None = None, smarts: str | None = None
) -> list[Candidate]:
    """Turn down what a guide gives no weight; what is less likely than a percentile, if that is not 0, or has none
    because it is outside the data; what is not novel, if `known` names the list; and what does not have the pattern.
    """
    pattern, found = None if smarts is None else pattern_of(smarts), []
    for c in candidates:
        if not c.passed:
            pass
        elif c.guide == -math.inf:
            c = _turned_down(c, "guide", c.guide, "above minus infinity")
        elif min_percentile and c.outside:
            c = _turned_down(c, "outside", c.outside, "like the data, to have a percentile")
        elif min_percentile and c.percentile is not None and not c.percentile >= min_percentile:
            c = _turned_down(c, "percentile", round(c.percentile, 2), f"at least {min_percentile:g}")
        elif known is not None and not c.novel:
            c = _turned_down(c, "novel", f"in {known}", f"not in {known}")
        elif pattern is not None and not c.mol.HasSubstructMatch(pattern):
            c = _turned_down(c, "smarts", "no match", smarts)
        found.append(c)
    return found


def mark_duplicates(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Tell the first draw of each SMILES string, of those that passed if one did, from its repetitions, which are
    turned down."""
    candidates = list(candidates)
    first: dict[str, int] = {}
    for c in sorted(candidates, key=lambda c: not c.passed):
        first.setdefault(c.smiles, c.index)
    marked: list[Candidate] = []
    for c in candidates:
        c = replace(c, unique=bool(c.smiles) and first[c.smiles] == c.index)
        if c.passed and not c.unique:
            earlier = f"same SMILES as the draw of index {first[c.smiles]}"
            c = _turned_down(c, "unique", earlier, "different from all before")
        marked.append(c)
    return marked


def share_of(n_passed: int, keep: float) -> int:
    """How many of those that passed are the best share `keep`."""
    return min(n_passed, max(1, math.floor(keep * n_passed + 0.5)))


def density_filter(candidates: Sequence[Candidate], keep: float, by: str | None = None) -> list[Candidate]:
    """Turn down all but the best share `keep` of those that pass: best by `by`, or their order, then log-likelihood."""
    passing = sorted((c for c in candidates if c.passed), key=lambda c: (*value_of(c, by), -c.index), reverse=True)
    kept = share_of(len(passing), keep)
    if kept >= len(passing):
        return list(candidates)
    name, dropped = by or passing[0].by, {c.index: value_of(c, by)[0] for c in passing[kept:]}
    digits = DIGITS.get(name, 2)
    threshold = f"at least {value_of(passing[kept - 1], by)[0]:.{digits}f}, to keep {keep:g}"
    return [
        _turned_down(c, name, round(dropped[c.index], digits), threshold) if c.index in dropped else c
        for c in candidates
    ]


def mark_surplus(candidates: Sequence[Candidate], n: int) -> list[Candidate]:
    """Those that passed after the first n, in the order of drawing, are `SURPLUS`: the last round may bring more."""
    last = [c.index for c in candidates if c.passed][:n][-1:]
    return [
        _turned_down(c, SURPLUS, "drawn after enough had passed", f"the first {n}")
        if c.passed and c.index > last[0]
        else c
        for c in candidates
    ]


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that passed, best first, then the rest."""
    return sorted(candidates, key=lambda c: (not c.passed, -value_of(c)[0], -value_of(c)[1], c.index))


def value_of(candidate: Candidate, by: str | None = None) -> tuple[float, float]:
    """What candidates are ordered by: the criterion `by`, or their own, then log-likelihood; NaN below all numbers."""
    value = getattr(candidate, by or candidate.by, candidate.measure)
    whole, lowest = candidate.log_likelihood, float("-inf")
    return (lowest if value is None or value != value else value, lowest if whole != whole else whole)


def candidate_rows(
    candidates: Iterable[Candidate], rejected: bool = False
) -> Iterator[tuple[Candidate, dict[str, Any], Any]]:
    """Rows to write: the candidates that passed, or all of them, with what chemists read off their graphs."""
    for c in candidates:
        if c.passed or rejected:
            yield c, c.columns() | ({} if c.mol is None else descriptors(c.mol)), c.mol


def candidate_summary(candidates: Sequence[Candidate], listed: TrainingIndex | None = None) -> str:
    """One line: how many were drawn and passed, of those asked for how many are not `listed`, what turned down the
    rest."""
    reasons = Counter(c.verdict.check for c in candidates if not c.passed)
    surplus = reasons.pop(SURPLUS, 0)
    checks = ", ".join(f"{check} {n}" for check, n in sorted(reasons.items()))
    down = f"; turned down by check: {checks}" if checks else ""
    passed = sum(c.passed for c in candidates)
    asked = f", {passed} asked for" if surplus else ""
    known = [c for c in candidates if c.passed and c.novel is not None]
    novel = f", {sum(bool(c.novel) for c in known)} of them novel (not in {listed})" if known else ""
    outside = sum(c.passed and bool(c.outside) for c in candidates)
    novel += f", {outside} outside the data, without a percentile" if outside else ""
    return f"{len(candidates)} drawn, {passed + surplus} passed{asked}{novel}{down}"


def _turned_down(candidate: Candidate, check: str, value: Any, threshold: str) -> Candidate:
    return replace(candidate, verdict=CheckResult(check, value, threshold))
