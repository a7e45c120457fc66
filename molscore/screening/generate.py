"""`generate`: formula, noise, sampler, bonds, checks, density filter, order; again until there are n."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from molscore.arguments import check_number, check_text, check_whole, with_type
from molscore.errors import InputError, PositionError, SizeError
from molscore.molecules.chem import pattern_of
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import check_extent, topology
from molscore.screening.checks import (
    Candidate,
    density_filter,
    filtered,
    inspect,
    mark_duplicates,
    mark_surplus,
    ranked,
    share_of,
)
from molscore.screening.columns import DRAWN
from molscore.screening.criteria import Case, check_order, choose_order, has_tables
from molscore.screening.fragment import Fragment
from molscore.screening.guidance import Guide, log_weights
from molscore.screening.like import draw_like
from molscore.screening.predictor import RESOLUTION, Judgeable, Predictor, check_resolution
from molscore.screening.sample import (
    DENSITY,
    FEW,
    Plan,
    Sampling,
    Wanted,
    draw_formulas,
    draw_positions,
    formula_counts,
)

__all__ = ["Request", "draw", "generate", "judge"]

PASSING = 0.9  # share of draws that pass, where nothing is known yet
PATIENCE = 64  # draws, at least, that may bring nothing new before the search is given up
_NUMBERS = ("log_likelihood", "log_density", "percentile", "codimension", "density_excess")
DRAWS_EACH = 10  # draws for each molecule asked for, at most


@dataclass(frozen=True)
class Request:
    """What to draw and what to keep. Raises `InputError` naming the field that cannot be."""

    n: int  # molecules wanted: more are drawn until as many have passed
    seed: int = 0
    formula: str | None = None  # such as C7H10O2; None draws formulas as the distribution has them
    n_atoms: int | None = None  # size, hydrogens included; None draws sizes too
    sampling: Sampling = Sampling()
    wanted: Wanted = Wanted()  # atoms that stay, numbers that are wanted
    min_percentile: float = 1.0  # of the density filter: real molecules pass it 99 times in 100; 0 lets all pass
    keep: float = 1.0  # share, best first, of the candidates that pass the checks
    by: str | None = None  # what best means, one of `columns.ORDERS`; None: percentile, and `DRAWN` of what is kept
    novel: bool = False  # turn down molecules of the training data
    resolution: float = RESOLUTION  # Å, at which densities are read
    smarts: str | None = None  # turn down molecules without this pattern

    def __post_init__(self) -> None:
        if self.smarts is not None:
            pattern_of(self.smarts)
        if self.formula is not None:
            check_text("a formula", self.formula, "C7H10O2")
        if self.n_atoms is not None:
            check_whole("n_atoms", self.n_atoms)
        if self.wanted.guide is not None and not callable(self.wanted.guide):
            raise InputError(
                "a guide is a function of a Candidate, such as guide_of('qed') of molscore.screening.guidance, "
                f"not {with_type(self.wanted.guide)}"
            )
        if self.wanted.guide is not None and not Plan.of(self.sampling).branch.stop:
            raise InputError(f"a guide needs {FEW} steps or more, not {self.sampling.steps}")
        check_whole("n", self.n, 1)
        check_whole("seed", self.seed, 0)
        check_number("min_percentile", self.min_percentile)
        check_number("keep", self.keep)
        if not 0 <= self.min_percentile < 100:
            raise InputError(f"the least percentile lies from 0 to below 100, not at {self.min_percentile}")
        if not 0 < self.keep <= 1:
            raise InputError(f"keep is a share above 0 and up to 1, not {self.keep}")
        check_resolution(self.resolution)

    @classmethod
    def of(cls, n: int, *, keep_atoms: Any = None, guide: Guide | None = None, **options: Any) -> "Request":
        """From options one by one: fields of `Sampling` and of this, what `Fragment.of` takes, and a guide."""
        settings = {field.name: options.pop(field.name) for field in fields(Sampling) if field.name in options}
        fragment = None if keep_atoms is None else Fragment.of(keep_atoms)
        return cls(n, sampling=Sampling(**settings), wanted=Wanted(fragment, guide=guide), **options)

    @property
    def most_draws(self) -> int:
        """The bound on the work."""
        return PATIENCE + math.ceil(DRAWS_EACH * self.n / self.keep)


def generate(
    model: Predictor, request: Request, progress: bool = False, tick: Callable[[], object] = bool
) -> list[Candidate]:
    """All that were drawn: n that passed first, best first, then the rest, each with its check result: those turned
    down, and those that passed after n had (``surplus``).

    Rounds are drawn until n have passed. Fewer than n pass where `Request.most_draws` came first, or where half of the
    draws, and `PATIENCE` of them, brought nothing new: a formula may have fewer isomers than are asked for.
    `tick` is called now and then, at least once each evaluation of the network; what it raises ends the job.
    """
    plain = model.plain or model
    likeliest = None
    if request.wanted.fragment is not None and model.plain is None:
        likeliest = "log_likelihood"  # whose order is that of p(rest | fragment)
    by = choose_order(plain, request.by or likeliest, request.resolution, model.plain is not None)
    if plain.references is not None and request.min_percentile:
        try:
            check_order(plain, "percentile", request.resolution)
        except InputError as error:
            raise InputError(f"{error}, with nothing turned down by its percentile (--min-percentile 0)") from None
        _check_size(plain, request)
    if request.novel and model.training_index is None:
        raise InputError(
            f"model {model.name} holds no list of known molecules of {model.distribution.name} to tell novel ones by"
        )
    wanted, found = request.wanted, []
    in_manner = model.series is not None and wanted.fragment is None and wanted.guide is None
    if model.series is not None and wanted.fragment is not None and wanted.guide is None:
        wanted = wanted._replace(guide=model.log_series)
    while True:
        passed = [candidate for candidate in found if candidate.passed]
        n_kept, last_new = share_of(len(passed), request.keep), max((c.index for c in passed), default=-1)
        stale = len(found) - 1 - last_new
        left = request.most_draws - len(found)
        if n_kept >= request.n or left <= 0 or stale >= max(PATIENCE, len(found) / 2):
            break
        rate = max(n_kept / len(found), 0.1) if found else PASSING * request.keep
        n = min(left, max(math.ceil((request.n - n_kept) / rate), 1))
        seed = _seed_of_round(request.seed, len(found))
        counts = draw_formulas(model, n, seed, request.formula, request.n_atoms, wanted.fragment)
        if in_manner:
            drawn = draw_like(model, counts, seed, request.sampling, progress, tick)
        else:
            drawn = draw_positions(model, counts, seed, request.sampling, progress, tick, wanted)
        checked = _checked(model, request, by, drawn, len(found), tick)
        index = model.training_index.name if request.novel else None
        found = mark_duplicates(found + filtered(checked, request.min_percentile, index, request.smarts))
    if request.keep < 1:
        found = density_filter(found, request.keep, request.by or (DRAWN if plain.references else "codimension"))
    return ranked(mark_surplus(found, request.n))


def _check_size(model: Predictor, request: Request) -> None:
    """Raise `SizeError` for molecules so small that all would be turned down, as they have no percentile."""
    size = request.n_atoms if request.formula is None else int(formula_counts(model, request.formula).sum())
    fewest, most = model.atoms_with_percentile
    if size is not None and 2 <= size < fewest:
        raise SizeError(
            f"{size} atoms: {model.distribution.name} has percentiles for {fewest} to {most}, and a least percentile "
            "is asked for; let it be 0 (--min-percentile 0) to draw them all the same"
        )


def draw(
    model: Predictor,
    n: int,
    seed: int,
    sampling: Sampling = DENSITY,
    resolution: float = RESOLUTION,
    progress: bool = False,
) -> list[Candidate]:
    """n molecules as drawn, in order, judged but none left out: by default from the density that the model reports."""
    request = Request(n, seed, sampling=sampling, resolution=resolution)
    by = "percentile" if has_tables(model, "percentile", resolution) else "log_likelihood"
    drawn = draw_positions(model, draw_formulas(model, n, seed), seed, sampling, progress)
    return mark_duplicates(_checked(model, request, by, drawn, 0, bool))


def _seed_of_round(seed: int, n_drawn: int) -> int:
    """The first round has the seed itself, each later one its own."""
    return seed if n_drawn == 0 else int(np.random.SeedSequence([seed, n_drawn]).generate_state(1, np.uint32)[0])


def _checked(
    model: Predictor, request: Request, by: str, drawn: Sequence[Molecule], first: int, tick: Callable[[], object]
) -> list[Candidate]:
    """Candidates numbered from `first`, with their numbers and what is found of each alone."""
    candidates = []
    for index, molecule in enumerate(drawn, first):
        tick()
        named = f"{model.name}-{request.seed}-{index}"
        candidates.append(replace(inspect(molecule, index, model.training_index), name=named))
    candidates = judge(model, candidates, request.resolution, by)
    if request.wanted.guide is not None:
        candidates = _with_cost(model.plain or model, candidates, request.wanted.guide, request.resolution)
    return candidates


def judge(
    model: Predictor, candidates: Sequence[Candidate], resolution: float, by: str = "percentile"
) -> list[Candidate]:
    """The candidates with their numbers, and the criterion `by` among them, where positions allow it.

    Of a model that was given references, the numbers are the plain model's, and log_ratio compares the two.
    """
    given, model = (model, model.plain) if model.plain is not None else (None, model)
    check_order(model, by, resolution, given is not None)
    judged = [replace(candidate, by=by) for candidate in candidates]
    rows = [row for row, candidate in enumerate(candidates) if _has_extent(candidate)]
    if not rows:
        return judged
    members = Judgeable(candidates[row] for row in rows)
    kinds = None if model.references is None else [model.references.own] * len(rows)  # a draw is like the data
    case = Case(model, members, model.terms(members, resolution), resolution, given=given, kinds=kinds)
    reasons = case.outside
    numbers = case.numbers((*_NUMBERS, by), reasons)
    for place, (row, outside) in enumerate(zip(rows, reasons, strict=True)):
        values = {name: float(column[place]) for name, column in numbers.items()}
        if by not in _NUMBERS:
            values["measure"] = values.pop(by)
        if math.isnan(values["percentile"]):
            values["percentile"] = None
        judged[row] = replace(judged[row], resolution=resolution, outside=outside, **values)
    return judged


def _with_cost(model: Predictor, candidates: Sequence[Candidate], guide: Guide, resolution: float) -> list[Candidate]:
    """With what the guide says of each, and how much less likely it is than the median of molecules like it."""
    values = log_weights(guide, candidates).tolist()
    guided = [replace(c, guide=value) for c, value in zip(candidates, values, strict=True)]
    if not has_tables(model, "percentile", resolution):
        return guided
    rotatable = [topology(candidate).rotatable for candidate in candidates]
    tables = model.references.of(model.references.own)
    medians = tables.size.value_at(50.0, [c.n_atoms for c in candidates], rotatable, resolution)
    return [
        replace(c, likelihood_cost=float(median - c.log_likelihood)) for c, median in zip(guided, medians, strict=True)
    ]


def _has_extent(molecule: Molecule) -> bool:
    try:
        check_extent(molecule)
    except PositionError:
        return False
    return True
