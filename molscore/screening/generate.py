"""`generate`: formula -> noise -> sampler -> bonds -> checks -> density filter -> ranked candidates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from molscore.errors import InputError, PositionError
from molscore.molecules.descriptors import pattern_of
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import check_extent
from molscore.screening.candidate import Candidate, Verdict, inspect, mark_duplicates, ranked, standing
from molscore.screening.criteria import DIGITS, DRAWN, Case, check_order, choose_order, criterion
from molscore.screening.draw import draw_formulas, draw_positions
from molscore.screening.passes import check_sigma
from molscore.screening.samplers import SAMPLERS

if TYPE_CHECKING:
    from molscore.screening.model import Model

__all__ = ["Request", "density_filter", "generate", "judge"]


@dataclass(frozen=True)
class Request:
    """What to draw and what to keep. Raises `InputError` naming the field that cannot be."""

    n: int  # molecules to draw
    seed: int = 0
    formula: str | None = None  # such as C7H10O2; None draws formulas as the distribution has them
    n_atoms: int | None = None  # size, hydrogens included; None draws sizes too
    steps: int = 50  # network evaluations
    sampler: str = "langevin"  # langevin, heun, ode or mala
    temperature: float = 0.6  # of the noise that langevin adds: 1 samples the model's density, less its likely part
    guidance: float = 2.0  # away from the coarse half's guess, `Denoised.guided`; 0 follows the model's own score
    keep: float = 1.0  # share, best first, of the candidates that pass the checks
    by: str | None = None  # what best means: one of `criteria.ORDERS`; None is `criteria.DRAWN`
    novel: bool = False  # turn down molecules of the training data
    resolution: float = 0.05  # Å, at which densities are read
    smarts: str | None = None  # turn down molecules without this pattern

    def __post_init__(self) -> None:
        if self.smarts is not None:
            pattern_of(self.smarts)
        if self.n < 1:
            raise InputError(f"n must be at least 1, not {self.n}")
        if self.steps < 1:
            raise InputError(f"steps must be at least 1, not {self.steps}")
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, not {self.seed}")
        if not 0 <= self.temperature <= 1:
            raise InputError(f"temperature lies between 0 and 1, not at {self.temperature}")
        if not 0 <= self.guidance <= 10:
            raise InputError(f"guidance lies between 0 and 10, not at {self.guidance}")
        if not 0 < self.keep <= 1:
            raise InputError(f"keep is a share above 0 and up to 1, not {self.keep}")
        if self.sampler not in SAMPLERS:
            raise InputError(f"sampler {self.sampler!r} is none of {', '.join(SAMPLERS)}")
        check_sigma(self.resolution)


def generate(
    model: "Model", request: Request, progress: bool = False, tick: Callable[[], object] = bool
) -> list[Candidate]:
    """All n candidates: those that pass first, best first, then those turned down, each with its verdict.

    `tick` is called now and then, at least once each evaluation of the network; what it raises ends the job.
    """
    if model.references is not None:
        check_order(model, "percentile", request.resolution)
    by = choose_order(model, request.by or DRAWN, request.resolution)
    if request.novel and model.known is None:
        raise InputError(f"model {model.name} holds no list of known molecules to tell novel ones by")
    counts = draw_formulas(model, request.n, request.seed, request.formula, request.n_atoms)
    settings = (request.seed, request.steps, request.sampler)
    drawn = draw_positions(model, counts, *settings, progress, tick, request.temperature, request.guidance)
    candidates = []
    for index, molecule in enumerate(drawn):
        tick()
        candidates.append(inspect(molecule, index, model.known))
    candidates = judge(model, mark_duplicates(candidates), request.resolution, by)
    if request.novel:
        candidates = [_known_turned_down(candidate, model.known.name) for candidate in candidates]
    if request.smarts is not None:
        candidates = [_mismatch_turned_down(candidate, request.smarts) for candidate in candidates]
    if request.keep < 1:
        candidates = density_filter(candidates, request.keep)
    return ranked(candidates)


def judge(
    model: "Model", candidates: Sequence[Candidate], resolution: float, by: str = "percentile"
) -> list[Candidate]:
    """The candidates with log-likelihood, log-density, percentile and the criterion `by`, where positions allow it."""
    judged = [replace(candidate, by=by) for candidate in candidates]
    rows = [row for row, candidate in enumerate(candidates) if _has_extent(candidate)]
    if not rows:
        return judged
    members = [candidates[row] for row in rows]
    known = model.references is not None
    kinds = [model.references.own] * len(rows) if known else None  # what the model draws is like its data
    case = Case(model, members, model.terms(members, resolution), resolution, kinds=kinds)
    outside = [known and bool(model.references.outside(member)) for member in members]
    percentiles = _within(criterion(case, "percentile"), outside) if known else [None] * len(rows)
    measures = _within(criterion(case, by), outside) if by.endswith("percentile") else criterion(case, by).tolist()
    numbers = (case.terms.log_likelihood.tolist(), case.terms.log_density.tolist(), percentiles, measures)
    for row, log_likelihood, log_density, percentile, measure in zip(rows, *numbers, strict=True):
        judged[row] = replace(
            candidates[row],
            log_likelihood=log_likelihood,
            log_density=log_density,
            percentile=percentile,
            resolution=resolution,
            by=by,
            measure=float("nan") if measure is None else measure,
        )
    return judged


def _within(percentiles: NDArray[np.float64], outside: Sequence[bool]) -> list[float | None]:
    """Percentiles of what lies within the data; None for the others, which are like none of the reference molecules."""
    return [None if beyond else value for value, beyond in zip(percentiles.tolist(), outside, strict=True)]


def _has_extent(molecule: Molecule) -> bool:
    try:
        check_extent(molecule)
    except PositionError:
        return False
    return True


def _known_turned_down(candidate: Candidate, known: str) -> Candidate:
    if candidate.passed and not candidate.novel:
        return replace(candidate, verdict=Verdict("novel", f"in {known}", f"not in {known}"))
    return candidate


def _mismatch_turned_down(candidate: Candidate, smarts: str) -> Candidate:
    if candidate.passed and not candidate.mol.HasSubstructMatch(pattern_of(smarts)):
        return replace(candidate, verdict=Verdict("smarts", "no match", smarts))
    return candidate


def density_filter(candidates: Sequence[Candidate], keep: float) -> list[Candidate]:
    """Turn down all but the best share `keep` of those that pass, by their criterion, then log-likelihood."""
    passing = sorted((c for c in candidates if c.passed), key=lambda c: (*standing(c), -c.index), reverse=True)
    kept = max(1, math.floor(keep * len(passing) + 0.5))
    if kept >= len(passing):
        return list(candidates)
    by, dropped = passing[0].by, {c.index: standing(c)[0] for c in passing[kept:]}
    digits = DIGITS.get(by, 2)
    threshold = f"at least {standing(passing[kept - 1])[0]:.{digits}f}, to keep {keep:g}"
    return [
        replace(c, verdict=Verdict(by, round(dropped[c.index], digits), threshold)) if c.index in dropped else c
        for c in candidates
    ]
