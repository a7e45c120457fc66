"""`generate`: formula -> noise -> sampler -> bonds -> checks -> density filter -> ranked candidates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from molscore.errors import InputError, PositionError
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import check_extent
from molscore.screening.candidate import Candidate, Verdict, inspect, mark_duplicates, ranked, standing
from molscore.screening.draw import SAMPLERS, draw_formulas, draw_positions
from molscore.screening.passes import check_sigma

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
    sampler: str = "langevin"  # langevin, heun or ode
    temperature: float = 0.6  # of the noise that langevin adds: 1 samples the model's density, less its likely part
    keep: float = 1.0  # share, most likely first, of the candidates that pass the checks
    novel: bool = False  # turn down molecules of the training data
    resolution: float = 0.05  # Å, at which densities are read

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"n must be at least 1, not {self.n}")
        if self.steps < 1:
            raise InputError(f"steps must be at least 1, not {self.steps}")
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, not {self.seed}")
        if not 0 <= self.temperature <= 1:
            raise InputError(f"temperature lies between 0 and 1, not at {self.temperature}")
        if not 0 < self.keep <= 1:
            raise InputError(f"keep is a share above 0 and up to 1, not {self.keep}")
        if self.sampler not in SAMPLERS:
            raise InputError(f"sampler {self.sampler!r} is none of {', '.join(SAMPLERS)}")
        check_sigma(self.resolution)


def generate(
    model: "Model", request: Request, progress: bool = False, tick: Callable[[], object] = bool
) -> list[Candidate]:
    """All n candidates: those that pass first, most likely first, then those turned down, each with its verdict.

    `tick` is called now and then, at least once each evaluation of the network; what it raises ends the job.
    """
    if model.reference is not None or request.keep < 1:
        model.require_reference().index_of(request.resolution)
    if request.novel and model.known is None:
        raise InputError(f"model {model.name} holds no list of its training molecules to tell novel ones by")
    counts = draw_formulas(model, request.n, request.seed, request.formula, request.n_atoms)
    settings = (request.seed, request.steps, request.sampler)
    drawn = draw_positions(model, counts, *settings, progress, tick, request.temperature)
    candidates = []
    for index, molecule in enumerate(drawn):
        tick()
        candidates.append(inspect(molecule, index, model.known))
    candidates = judge(model, mark_duplicates(candidates), request.resolution)
    if request.novel:
        candidates = [_known_turned_down(candidate) for candidate in candidates]
    if request.keep < 1:
        candidates = density_filter(candidates, request.keep)
    return ranked(candidates)


def judge(model: "Model", candidates: Sequence[Candidate], resolution: float) -> list[Candidate]:
    """The candidates with log-likelihood, log-density and percentile, where their positions allow it."""
    judged = list(candidates)
    rows = [row for row, candidate in enumerate(candidates) if _has_extent(candidate)]
    if not rows:
        return judged
    members = [candidates[row] for row in rows]
    terms = model.terms(members, resolution)
    percentiles: Sequence[float | None] = [None] * len(rows)
    if model.reference is not None:
        percentiles = model.percentile_of(terms.log_likelihood, members, resolution).tolist()
    values = zip(rows, terms.log_likelihood.tolist(), terms.log_density.tolist(), percentiles, strict=True)
    for row, log_likelihood, log_density, percentile in values:
        judged[row] = replace(
            candidates[row],
            log_likelihood=log_likelihood,
            log_density=log_density,
            percentile=percentile,
            resolution=resolution,
        )
    return judged


def _has_extent(molecule: Molecule) -> bool:
    try:
        check_extent(molecule)
    except PositionError:
        return False
    return True


def _known_turned_down(candidate: Candidate) -> Candidate:
    if candidate.passed and not candidate.novel:
        return replace(candidate, verdict=Verdict("novel", "in the training data", "not in the training data"))
    return candidate


def density_filter(candidates: Sequence[Candidate], keep: float) -> list[Candidate]:
    """Turn down all but the most likely share `keep`, by percentile, of those that pass; log-likelihood breaks ties."""
    passing = sorted((c for c in candidates if c.passed), key=lambda c: (*standing(c), -c.index), reverse=True)
    kept = max(1, math.floor(keep * len(passing) + 0.5))
    if kept >= len(passing):
        return list(candidates)
    threshold = f"at least {passing[kept - 1].percentile:.2f}, to keep {keep:g}"
    dropped = {c.index for c in passing[kept:]}
    return [
        replace(c, verdict=Verdict("percentile", round(c.percentile or 0.0, 2), threshold)) if c.index in dropped else c
        for c in candidates
    ]
