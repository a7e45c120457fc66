"""Drawing molecules: formulas first, then positions from noise by a sampler that follows the score.

A run may branch: where the noise is down to a quarter of an Å it is decided what is bonded. Of 600 draws of QM9 560 had
bonds that fit in the denoised guess there, and all of them ended as that molecule; of the 40 others 14 became one.
What does not fit is sent back to 1 Å of noise and done again, instead of being finished and turned down.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from threading import Event, Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from molscore.arguments import check_number, check_whole, with_type
from molscore.diffusion.gaussian import centred_noise, generator_of
from molscore.diffusion.sampling import NoiseFn, ScoreFn, autoguidance, denoised, dpm_solver, metropolis, noise_levels
from molscore.errors import InputError, SizeError
from molscore.molecules.batch import element_index, size_groups
from molscore.molecules.elements import atomic_number, check_formula, parse_formula
from molscore.molecules.molecule import Molecule
from molscore.nn.discoformer import Context, DiScoFormer, DistributionContext
from molscore.screening.checks import Candidate
from molscore.screening.fragment import Fragment, fixed_atoms
from molscore.screening.guidance import Guide, log_weights
from molscore.screening.predictor import BATCH, Predictor, side_by_side
from molscore.screening.validation import check_atoms

__all__ = [
    "DENSITY", "FEW", "SAMPLERS", "SIGMA_MAX", "SIGMA_MIN", "Field", "Plan", "Sampling", "Wanted",
    "draw_formulas", "draw_positions", "formula_counts", "sample",
]  # fmt: skip

SIGMA_MIN, SIGMA_MAX = 0.004, 12.0  # Å; the last level decides how precise positions are, the first drowns the data
FEW = 25  # evaluations below which all go to levels: nothing is corrected, nothing sent back
SAMPLERS = {"sde": dpm_solver, "ode": partial(dpm_solver, eta=0.0)}
"""By name: functions of `molscore.diffusion.sampling`, or like those there, with its options."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of a sampler. Raises `InputError` naming the one that cannot be."""

    steps: int = 48  # evaluations of the network a molecule, at most, without those of what is sent back
    sampler: str = "sde"  # sde, or ode: the probability flow, where the first noise decides everything
    # of the noise that sde adds; below 1 molecules are stabler and no longer like the data: caged, ringed, rigid
    temperature: float = 1.0
    guidance: float = 2.0  # weight of `autoguidance`; 0 follows the model's own score
    guided: tuple[float, float] = (0.1, 1.0)  # Å: where it works
    # Å: where each level gets a Langevin step, for molecules take shape there; none where None, and none in ode
    corrected: tuple[float, float] | None = (0.25, 0.8)
    step_size: float = 0.4  # of that step, a share of sigma^2
    retries: int = 8  # how often what has no bonds that fit, or is not wanted, is sent back
    branch: tuple[float, float] = (0.25, 1.0)  # Å: where that is decided, and where they are sent back to

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 1)
        check_whole("retries", self.retries, 0)
        for name in ("temperature", "guidance", "step_size"):
            check_number(name, getattr(self, name))
        for name in ("guided", "corrected", "branch"):
            _check_levels(name, getattr(self, name), optional=name == "corrected")
        if self.branch[1] >= SIGMA_MAX:
            raise InputError(f"branch ends below {SIGMA_MAX:g} Å, where draws begin, not at {self.branch[1]}")
        if not isinstance(self.sampler, str) or self.sampler not in SAMPLERS:
            raise InputError(f"sampler {self.sampler!r} is none of {', '.join(SAMPLERS)}")
        if not 0 <= self.temperature <= 1:
            raise InputError(f"temperature lies between 0 and 1, not at {self.temperature}")
        if self.sampler == "ode" and self.temperature != 1:
            raise InputError("temperature is of the sampler sde: ode draws no noise that could be held back")
        if not 0 < self.step_size <= 1:
            raise InputError(f"step_size lies above 0 and up to 1, not at {self.step_size}")
        if not 0 <= self.guidance <= 10:
            raise InputError(f"guidance lies between 0 and 10, not at {self.guidance}")


def _check_levels(name: str, value: Any, optional: bool) -> None:
    """Raise `InputError` for what are no two noise levels, low and high."""
    if value is None and optional:
        return
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(level, Real) for level in value)):
        raise InputError(f"{name} is a pair of noise levels in Å, (low, high), not {with_type(value)}")
    if not 0 <= value[0] < value[1]:
        raise InputError(f"{name} is (low, high) in Å, not {value}")


DENSITY = Sampling(guidance=0.0, retries=0)
"""Draws from the density that the model reports, as nearly as the steps allow."""


class Plan(NamedTuple):
    """Noise levels in Å of a run, falling, and what they cost."""

    levels: Tensor  # (n + 1,), zero at the end
    # those of a branch, from where it begins again to where it is judged; empty where there are too few levels
    branch: slice
    evaluations: int  # of the network, a molecule, without those of what is sent back and of `Wanted`

    @classmethod
    def of(cls, sampling: Sampling) -> "Plan":
        """With as many levels as the evaluations allow."""
        for n in range(sampling.steps, 0, -1):
            levels = noise_levels(n, SIGMA_MIN, SIGMA_MAX)
            levels = torch.cat([levels, levels.new_zeros(1)])
            down, up = (int((levels > sigma).sum()) for sigma in sampling.branch)
            branch = slice(up, down + 1) if sampling.steps >= FEW and 0 < up < down < n else slice(0, 0)
            cost = _cost(sampling, levels) + bool(sampling.retries and branch.stop)  # one to see what fits
            if cost <= sampling.steps:
                break
        return cls(levels, branch, cost)


def _cost(sampling: Sampling, levels: Tensor) -> int:
    """Evaluations of a run down some levels."""
    if (within := _corrected(sampling)) is None:
        return len(levels) - 1
    return len(levels) - 1 + int(((levels[1:-1] >= within[0]) & (levels[1:-1] <= within[1])).sum())


def _corrected(sampling: Sampling) -> tuple[float, float] | None:
    return None if sampling.sampler == "ode" or sampling.steps < FEW else sampling.corrected


@dataclass(frozen=True)
class Field:
    """Scores and log-densities of B molecules of one distribution as functions of their positions (B, N, 3)."""

    network: DiScoFormer  # in evaluation mode
    numbers: Sequence[NDArray[np.integer]]  # atomic numbers of each molecule
    mask: Tensor  # (B, N) bool
    elements: Tensor  # (B, N)
    context: Context
    tick: Callable[[], object]  # called before each evaluation of the network; what it raises ends the job

    @classmethod
    def of(
        cls,
        network: DiScoFormer,
        numbers: Sequence[NDArray[np.integer]],
        context: DistributionContext,
        tick: Callable[[], object],
    ) -> "Field":
        """Of molecules by the atomic numbers of each."""
        device = network.sigma_N.device
        sizes = torch.tensor([len(row) for row in numbers], device=device)
        mask = torch.arange(int(sizes.max()), device=device) < sizes[:, None]
        elements = torch.zeros(mask.shape, dtype=torch.long, device=device)
        elements[mask] = torch.from_numpy(element_index(network.elements)[np.concatenate(numbers)]).to(device)
        return cls(network, numbers, mask, elements, context.at(sizes), tick)

    def subset(self, rows: Tensor) -> "Field":
        """The same of some of the molecules, by index."""
        numbers, context = [self.numbers[row] for row in rows.tolist()], Context(*(part[rows] for part in self.context))
        return replace(self, numbers=numbers, mask=self.mask[rows], elements=self.elements[rows], context=context)

    def scores(self, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the fine and of the coarse half, (B, N, 3) 1/Å each; sigma (B,) Å."""
        self.tick()
        found = self.network.denoise(y, self.elements, self.mask, sigma, self.context)
        variance = sigma.square()[:, None, None]
        return (found.fine - y) / variance, (found.coarse - y) / variance

    def molecules(self, x: Tensor) -> list[Molecule]:
        """Of positions (B, N, 3) in Å; what is not finite becomes all atoms at one point."""
        found = x.cpu().double().numpy()
        found = np.where(np.isfinite(found).all((1, 2), keepdims=True), found, 0.0)
        return [Molecule(z, row[: len(z)]) for z, row in zip(self.numbers, found, strict=True)]

    def noise(self, generator: torch.Generator) -> NoiseFn:
        """Standard normal noise on the centred subspace."""
        return lambda y: centred_noise(self.mask, generator, y.dtype)

    def start(self, sigma: float, generator: torch.Generator) -> Tensor:
        """Positions at a level that drowns the data: noise, widened by the data's own variance."""
        return (sigma**2 + self.context.sigma_N.square()).sqrt()[:, None, None] * centred_noise(self.mask, generator)


class Wanted(NamedTuple):
    """What molecules are wanted, beyond those of the distribution."""

    fragment: Fragment | None = None  # atoms that stay where they are
    fits: Callable[[Candidate], bool] | None = None  # what a draw around a fragment must be, beyond one whose bonds fit
    guide: Guide | None = None  # draws are from p times its exponential
    moves: int = 8  # by which such draws are found, each at two fifths of a draw

    def log_weights(self, molecules: Sequence[Molecule]) -> Tensor:
        """f of each molecule, (B,) nats; minus infinity for what does not fit, as every guide has it without bonds."""

        def f(candidate: Candidate) -> float:
            if self.fits is not None and not self.fits(candidate):
                return -math.inf
            return 0.0 if self.guide is None else self.guide(candidate)

        return log_weights(f, molecules)


def sample(field: Field, sampling: Sampling, generator: torch.Generator, wanted: Wanted = Wanted()) -> Tensor:  # noqa: B008
    """Positions (B, N, 3) in Å of the molecules of a field."""
    levels, branch, _ = Plan.of(sampling)
    fragment = wanted.fragment
    fixed = None if fragment is None else torch.from_numpy(fragment.positions).float()
    begin = 0 if fragment is None else int((levels > sampling.branch[1]).sum())

    def given(score_fn: ScoreFn) -> ScoreFn:
        return score_fn if fixed is None else fixed_atoms(score_fn, fixed, fragment.released)

    def solve(field: Field, y: Tensor, levels: Tensor) -> Tensor:
        return SAMPLERS[sampling.sampler](
            given(autoguidance(field.scores, sampling.guidance, sampling.guided)),
            y,
            levels,
            field.noise(generator),
            temperature=sampling.temperature,
            correct=_corrected(sampling),
            step_size=sampling.step_size,
        )

    def again(field: Field, y: Tensor) -> Tensor:
        """Back to more noise, and down to where y is."""
        more = float(levels[branch][0].square() - levels[branch][-1].square()) ** 0.5
        return solve(field, y + more * field.noise(generator)(y), levels[branch])

    def guess(field: Field, y: Tensor) -> Tensor:
        """The denoised positions (B, N, 3) in Å where a branch is judged."""
        level = y.new_full((len(y),), float(levels[branch][-1]))
        return denoised(y, level, given(lambda y, sigma: field.scores(y, sigma)[0])(y, level))

    def log_weight(field: Field, y: Tensor) -> Tensor:
        precise = torch.float32 if y.device.type == "mps" else torch.float64  # all that it has
        return wanted.log_weights(field.molecules(guess(field, y))).to(y.device, precise)

    def begun(field: Field) -> Tensor:
        sigma = float(levels[begin])
        return field.start(sigma, generator) if fragment is None else fragment.surrounded(field.mask, sigma, generator)

    if not branch.stop or not (sampling.retries or wanted.guide):
        return solve(field, begun(field), levels[begin:])
    y = solve(field, begun(field), levels[begin : branch.stop])
    rows = torch.arange(len(y), device=y.device)
    for _ in range(sampling.retries):
        rows = rows[torch.isneginf(log_weight(field.subset(rows), y[rows]))]
        if not len(rows):
            break
        misfits = field.subset(rows)
        anew = again(misfits, y[rows]) if fragment is None else solve(misfits, begun(misfits), levels[branch])
        y = y.index_copy(0, rows, anew)
    if wanted.guide is not None:
        y = metropolis(y, partial(log_weight, field), partial(again, field), wanted.moves, generator)
    return solve(field, y, levels[branch.stop - 1 :])


def formula_counts(model: Predictor, formula: str) -> NDArray[np.int64]:
    """Atoms of each element of the distribution, (E,).

    Raises `FormulaError` for what no molecule can be, `ElementError` or `SizeError` for what this model cannot make.
    """
    counts = parse_formula(formula)
    check_formula(counts)
    check_atoms(counts, model.distribution, f"formula {formula}")
    return np.array([counts.get(symbol, 0) for symbol in model.distribution.elements])


def draw_formulas(
    model: Predictor,
    n: int,
    seed: int,
    formula: str | None = None,
    n_atoms: int | None = None,
    fragment: Fragment | None = None,
) -> NDArray[np.int64]:
    """Element counts of n molecules, (n, E): all of one formula, of one size, or as the distribution has them.

    With a fragment: those that have its atoms and more.
    """
    if formula is not None and n_atoms is not None:
        raise InputError("give a formula or a number of atoms, not both")
    if formula is not None:
        return np.tile(formula_counts(model, formula), (n, 1))
    if n_atoms is not None and not 2 <= n_atoms <= model.max_atoms:
        raise SizeError(f"{n_atoms} atoms: {model.distribution.name} molecules have 2 to {model.max_atoms}")
    if fragment is not None:
        return fragment.draw_formulas(model, n, seed, n_atoms)
    rng = np.random.default_rng(seed)
    counts = np.asarray(model.composition.sample(n, rng, n_atoms))
    while (single := counts.sum(1) < 2).any():  # one atom has no geometry to draw
        counts[single] = model.composition.sample(int(single.sum()), rng, n_atoms)
    return counts


def draw_positions(
    model: Predictor,
    counts: NDArray[np.integer],
    seed: int,
    sampling: Sampling,
    progress: bool = False,
    tick: Callable[[], object] = bool,
    wanted: Wanted | None = None,
) -> list[Molecule]:
    """Molecules of the given element counts (n, E), in order: atoms of a fragment first, heavy ones, then hydrogen.

    What is not finite becomes all atoms at one point. `tick` is called before each evaluation of the network; what it
    raises ends the job.
    """
    elements = np.array([atomic_number(symbol) for symbol in model.distribution.elements])
    order = sorted(range(len(elements)), key=lambda k: (elements[k] == 1, elements[k]))
    wanted = wanted or Wanted()
    fragment, rest, first = wanted.fragment, counts, np.zeros(0, dtype=np.int64)
    if fragment is not None:
        rest, first = fragment.rest_of(model, counts), fragment.numbers
    numbers = [np.concatenate([first, np.repeat(elements[order], row[order])]) for row in rest]
    groups = list(size_groups(counts.sum(1), BATCH))
    molecules: list[Molecule | None] = [None] * len(counts)
    device = model.network.sigma_N.device
    total = round(len(groups) * Plan.of(sampling).evaluations)
    shown = None if progress else True  # None: on a terminal alone, so that a log or an error is not mixed with it
    with tqdm(total=total, unit="evaluation", desc="generate", disable=shown, leave=False) as bar:
        done, ended, lock = 0, Event(), Lock()

        def evaluating() -> None:
            with lock:
                tick()
                bar.update(1)
            if ended.is_set():
                raise InterruptedError("another batch has failed")

        def draw(i: int) -> list[Molecule]:
            field = Field.of(model.network, [numbers[row] for row in groups[i]], model.context, evaluating)
            return field.molecules(sample(field, sampling, generator_of(device, seed, i), wanted))

        for i, found in side_by_side(draw, range(len(groups)), device, ended):
            for row, molecule in zip(groups[i], found, strict=True):
                x = molecule.positions if fragment is None else fragment.put_back(molecule.positions)
                molecules[row] = Molecule(molecule.numbers, x, f"{model.name}-{seed}-{row}")
            done += len(groups[i])
            bar.set_postfix(molecules=f"{done}/{len(counts)}")
    return molecules
