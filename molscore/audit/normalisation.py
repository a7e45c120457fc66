"""Is log-density normalised: right on average over data at every noise level, and integrating to one for a formula?

Neighbouring noise levels low < high are joined by a step that adds noise, and one that the score takes back:

    F(y' | y) = N(y'; y, high^2 - low^2)                                      up, exact: p_high = integral of p_low F
    B(y | y') = N(y; D + r (y' - D), (high^2 - low^2) r + (1 - r)^2 tau^2)    down, r = low^2/high^2, D = y' + high^2 s

B is the posterior step of Ho et al. 2020 (arXiv 2006.11239, equation 7) where clean positions are D to within tau for
each degree of freedom; any tau > 0 leaves every estimate right, a good one makes it precise. Write the model at level k
as exp(-U_k) = Z_k q_k with q_k normalised. A pair (y, y') takes the work

    w(y, y') = ln[exp(-U_low(y)) F(y' | y) / exp(-U_high(y')) B(y | y')].

**Over data (`normalisation`), Bennett's acceptance ratio.** Pairs have the density q_low F going up, q_high B going
down, and C that solves

    mean over pairs going up of 1/(1 + e^{w - C}) = mean over pairs going down of 1/(1 + e^{C - w})

is ln Z_low/Z_high where the pairs are the model's. Here they are the data's: data with noise added are samples of the
truth p_k at every k, and one path y_0 -> y_1 -> ... of a molecule gives its pairs. The sum of C from the Gaussian end,
whose normaliser is known, is then ln Z_k if the model's shape is right, and to first order in its error

    sum of C = E_{p_k}[-U_k - ln p_k] = ln Z_k - KL(p_k || q_k),

the mean error of log-density over data (a lower bound of ln Z_k, as no divergence is negative), since the terms of
neighbouring pairs cancel. Estimates that compare U_k and U_{k+1} at the same y miss an error of the shape that is the
same at all levels. The overlap of a step, 1 where up and down are one distribution, 0 where they are apart, says how
far to trust C.
Source: Bennett 1976, doi:10.1016/0021-9991(76)90078-4; Shirts et al. 2003, arXiv cond-mat/0309385.

**Over all isomers of a formula (`importance`), annealed importance sampling.** Particles start from the Gaussian end
and step down by B. The mean of the products of e^w is unbiased for Z_k = integral of exp(-U_k) whatever the score is;
only its spread depends on that. Particles are resampled where few carry the weight (sequential Monte Carlo).
Nothing is known of places where the score leads no particle: mass there is missing, and the estimate too low.
Source: Neal 2001, arXiv physics/9803008; Del Moral, Doucet, Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x.
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from torch import Tensor

from molscore.audit.density import Density, ModelDensity, Options, choose, groups, noise_of
from molscore.audit.report import CheckResult, Part, Plot, Series, Table
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centred_noise, degrees_of_freedom, gaussian_log_density
from molscore.molecules.batch import Batch
from molscore.screening.model import Model

__all__ = ["Annealed", "Offsets", "State", "Step", "anneal", "bennett", "importance", "normalisation", "offsets"]

Values = NDArray[np.float64]

BOUND = 0.5  # nats
MOLECULES, SPACING = 250, 0.2  # e-folds between levels
PILOT = 32  # molecules that tau is taken from
ERROR, OVERLAP = 0.25, 0.05  # nats, share: beyond these an estimate over data says nothing

FORMULAS, FINE_SPACING = 8, 0.1
MEMBERS = 5  # held-out molecules of a formula that is not rare
PARTICLES, RUNS = 1024, 3  # of each run, runs of each formula
FEW_ATOMS, FEWER = 12, 256  # particles of larger formulas, which no number that one can afford tells
RESAMPLE_BELOW = 0.5  # of the particles
SPREAD, ANCESTORS = 0.5, 10.0  # nats between runs; particles: beyond these an estimate of a formula says nothing


class State(NamedTuple):
    """Positions at one noise level and what the density says there, float64 but for y."""

    y: Tensor  # (B, N, 3) Å
    D: Tensor  # (B, N, 3) Å, denoised
    U: Tensor  # (B,) nats


class Step(NamedTuple):
    """Between two neighbouring levels, in Å."""

    low: float
    high: float
    tau: float  # deviation of clean positions from D at `high`, per degree of freedom

    def up(self, y: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from F."""
        return y + math.sqrt(self.high**2 - self.low**2) * centred_noise(mask, generator, y.dtype)

    def down(self, above: State, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from B."""
        mean, variance = self._posterior(above)
        return mean + math.sqrt(variance) * centred_noise(mask, generator, above.y.dtype)

    def work(self, below: State, above: State, mask: Tensor) -> Tensor:
        """w of each pair, (B,) nats."""

        def log_normal(step: Tensor, variance: float) -> Tensor:
            step = step.double()
            return gaussian_log_density(step, mask, step.new_full((len(step),), variance))

        mean, variance = self._posterior(above)
        up = log_normal(above.y - below.y, self.high**2 - self.low**2)
        return above.U - below.U + up - log_normal(below.y - mean, variance)

    def _posterior(self, above: State) -> tuple[Tensor, float]:
        r = (self.low / self.high) ** 2
        variance = (self.high**2 - self.low**2) * r + ((1 - r) * self.tau) ** 2
        return above.D + r * (above.y - above.D), variance


def noise_levels(options: Options, spacing: float) -> Values:
    """Rising levels in Å, at most `spacing` e-folds apart, the ends and the resolution among them."""
    ends = sorted({options.sigma_min, options.resolution, options.sigma_max})
    parts = (np.geomspace(a, b, max(2, math.ceil(math.log(b / a) / spacing) + 1)) for a, b in pairwise(ends))
    return np.unique(np.concatenate(list(parts)))


def posterior_deviations(model: Model, molecules: MoleculeSet, levels: Values, seed: int) -> Values:
    """tau at each level, from a few of the molecules."""
    pilot = next(groups(model, choose(molecules, PILOT, seed)))
    return deviations_of(pilot.density, pilot.x, levels, seed)


def deviations_of(density: Density, x: Tensor, levels: Values, seed: int) -> Values:
    """How far denoised positions lie from clean ones x (B, N, 3), per degree of freedom, at each level, in Å."""
    d = float(degrees_of_freedom(density.mask).sum())
    rows, found = np.arange(len(x)), []
    for k, sigma in enumerate(levels.tolist()):
        D = state_at(density, x + sigma * noise_of(density.mask, rows, seed, k, 4).to(x), sigma).D
        found.append(math.sqrt(float((D - x).double().square().sum()) / d))
    return np.array(found)


@torch.no_grad()
def state_at(density: Density, y: Tensor, sigma: float) -> State:
    """One pass of both heads at y (B, N, 3) Å."""
    score, U = density.estimate(y, y.new_full((len(y),), sigma))
    return State(y, y + sigma**2 * score, U.double())


def gaussian_state(density: Density, sigma: float, generator: torch.Generator) -> State:
    """Positions of the Gaussian end: deviation (sigma^2 + sigma_N^2)^1/2."""
    deviation = (sigma**2 + density.prior.double().square()).sqrt()[:, None, None].to(density.prior)
    return state_at(density, deviation * centred_noise(density.mask, generator, density.prior.dtype), sigma)


def log_ratio_to_gaussian(density: Density, state: State, sigma: float) -> Tensor:
    """ln of exp(-U) over the Gaussian end's density, (B,) nats."""
    variance = sigma**2 + density.prior.double().square()
    return -state.U - gaussian_log_density(state.y.double(), density.mask, variance)


class Offsets(NamedTuple):
    """Estimates at each of K levels, (K,)."""

    offset: Values  # nats: ln Z - KL, the mean error of log-density
    error: Values  # standard error
    overlap: Values  # of the step above the level


def normalisation(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The estimate over held-out molecules of all sizes, 250 unless told otherwise: each takes a hundred passes."""
    generator = torch.Generator(model.network.sigma_N.device).manual_seed(options.seed)
    molecules = choose(held_out, options.molecules or MOLECULES, options.seed + 1)
    levels = noise_levels(options, SPACING)
    tau = posterior_deviations(model, molecules, levels, options.seed)
    works = [works_of(group.density, group.x, levels, tau, generator) for group in groups(model, molecules)]
    found = offsets(*(np.concatenate(parts, axis=1) for parts in zip(*works, strict=True)))
    k = int(np.abs(levels - options.resolution).argmin())
    shown = np.unique([*range(0, len(levels), 5), k, len(levels) - 1])
    rows = [[f"{levels[k]:.3g}", *(float(values[k]) for values in found)] for k in shown]
    table = Table("", ["σ Å", "log Ẑ − KL, nats", "standard error", "overlap with the next level"], rows)
    curve = Series("± 2 standard errors", levels.tolist(), found.offset.tolist(), (2 * found.error).tolist())
    plot = Plot("normalisation", "Normalisation", "σ (Å)", "log Ẑ − KL (nats)", [curve], True, (-BOUND, BOUND))
    note = (
        f"{len(molecules)} held-out molecules, Bennett's estimate between neighbouring levels from {levels[-1]:g} Å "
        "down: log Ẑ less the Kullback–Leibler divergence from truth to model, the mean error of log-density over data."
    )
    title = "Normalisation: is log-density right on average over data, at every noise level?"
    checks = [_check_offsets(levels, found, sigma) for sigma in (options.resolution, levels[0])]
    return Part("normalisation", title, [table], checks, note, [plot])


@torch.no_grad()
def works_of(
    density: Density, x: Tensor, levels: Values, tau: Values, generator: torch.Generator
) -> tuple[Values, Values]:
    """The work of each pair going up and down, nats, (K, M) each; the last of the K steps leads to the Gaussian end.

    One path up for each molecule of x (B, N, 3) Å, and at each level a step down beside it; `levels` rise.
    """
    mask, sigmas = density.mask, levels.tolist()
    below = state_at(density, x + sigmas[0] * centred_noise(mask, generator, x.dtype), sigmas[0])
    ups, downs = [], []
    for low, high, deviation in zip(sigmas[:-1], sigmas[1:], tau[1:].tolist(), strict=True):
        step = Step(low, high, deviation)
        above = state_at(density, step.up(below.y, mask, generator), high)
        beside = state_at(density, step.down(above, mask, generator), low)
        ups.append(step.work(below, above, mask))
        downs.append(step.work(beside, above, mask))
        below = above
    ups.append(log_ratio_to_gaussian(density, below, sigmas[-1]))
    downs.append(log_ratio_to_gaussian(density, gaussian_state(density, sigmas[-1], generator), sigmas[-1]))
    return torch.stack(ups).cpu().numpy(), torch.stack(downs).cpu().numpy()


def offsets(ups: Values, downs: Values) -> Offsets:
    """The sums from the Gaussian end down to each level, with standard errors over molecules; works (K, M)."""
    C, influence, overlap = zip(*map(bennett, ups, downs), strict=True)
    from_the_end = lambda values: np.stack(values)[::-1].cumsum(0)[::-1]  # noqa: E731
    error = from_the_end(influence).std(1, ddof=1) / np.sqrt(ups.shape[1])
    return Offsets(from_the_end(C), error, np.array(overlap))


def bennett(up: Values, down: Values) -> tuple[float, Values, float]:
    """C, what each molecule adds to its error (M,) to first order, and the overlap."""
    ends = min(up.min(), down.min()) - 1.0, max(up.max(), down.max()) + 1.0
    C = float(brentq(lambda C: expit(C - up).mean() - expit(down - C).mean(), *ends, xtol=1e-12))
    a, b = expit(C - up), expit(down - C)
    slope = (a * (1 - a)).mean() + (b * (1 - b)).mean()
    return C, (b - a) / max(slope, 1e-300), float(a.mean() + b.mean())


def _check_offsets(levels: Values, found: Offsets, sigma: float) -> CheckResult:
    k = int(np.abs(levels - sigma).argmin())
    what = f"normalisation: largest |log Ẑ − KL| from data at σ ≥ {sigma:.3g} Å, nats"
    worst = int(np.abs(found.offset[k:]).argmax()) + k
    value, error, overlap = abs(float(found.offset[worst])), float(found.error[worst]), float(found.overlap[k:].min())
    # Where it misses the bound by far, a large error does not keep it from saying so.
    if overlap < OVERLAP or (error > ERROR and abs(value - BOUND) < 2 * error):
        why = f"standard error {error:.2g} nats, least overlap of levels {overlap:.2g}: not enough to tell"
        return CheckResult(what, value, f"<= {BOUND:g}", None, why)
    return CheckResult.at_most(what, value, BOUND, f"standard error {error:.2g} nats, at {levels[worst]:.3g} Å")


class Annealed(NamedTuple):
    """Estimates at each of K rising levels, (K,)."""

    log_Z: Values  # nats
    effective: Values  # effective number of particles before any resampling at the level
    ancestors: Values  # particles of the Gaussian end that have descendants


class Formula(NamedTuple):
    """What the runs of one formula found, at each of K rising levels."""

    name: str
    n_atoms: int
    members: int  # held-out molecules of the formula
    log_Z: Values  # (K,) ln of the mean of Z over runs, nats
    spread: Values  # (K,) deviation of log Z between runs, nats
    effective: Values  # (K,) fewest effective particles of any run at the level or above
    ancestors: Values  # (K,) fewest ancestors likewise

    @classmethod
    def of(cls, name: str, n_atoms: int, members: int, runs: Sequence[Annealed]) -> "Formula":
        """Sum up the runs."""
        log_Z, effective, ancestors = (np.stack(values) for values in zip(*runs, strict=True))
        mean = np.logaddexp.reduce(log_Z, axis=0) - np.log(len(runs))
        least = (np.minimum.accumulate(values.min(0)[::-1])[::-1] for values in (effective, ancestors))
        return cls(name, n_atoms, members, mean, log_Z.std(0, ddof=1), *least)


def importance(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """log Z of formulas, 8 unless told otherwise: half the smallest, half the smallest that are not rare."""
    device = model.network.sigma_N.device
    generator, levels = torch.Generator(device), noise_levels(options, FINE_SPACING)
    molecules = choose(held_out, 250, options.seed + 1)
    tau = posterior_deviations(model, molecules, levels, options.seed)
    found = []
    for row, members in formulas_of(held_out, options.molecules or FORMULAS):
        batch = held_out.batch([row], model.network.elements).to(device)
        n = PARTICLES if held_out.sizes[row] <= FEW_ATOMS else FEWER
        density = ModelDensity(model, Batch(*(part.expand(n, *part.shape[1:]) for part in batch)))
        generator.manual_seed(options.seed + 1 + row)
        runs = [anneal(density, levels, tau, generator) for _ in range(RUNS)]
        found.append(Formula.of(held_out[row].formula, int(held_out.sizes[row]), members, runs))
    return importance_part(found, levels, options.resolution)


def formulas_of(molecules: MoleculeSet, n: int) -> list[tuple[int, int]]:
    """A molecule of each formula to look at, and how many there are of it: smallest first, then those not rare."""
    order = np.argsort(molecules.sizes, kind="stable").tolist()
    formulas = [molecules[row].formula for row in order]
    members = Counter(formulas)
    first: dict[str, int] = {}
    for formula, row in zip(formulas, order, strict=True):
        first.setdefault(formula, row)
    frequent = [formula for formula in first if members[formula] >= MEMBERS]
    wanted = dict.fromkeys(frequent[: n // 2])
    wanted |= dict.fromkeys([formula for formula in first if formula not in wanted][: n - len(wanted)])
    return [(first[formula], members[formula]) for formula in first if formula in wanted]


@torch.no_grad()
def anneal(density: Density, levels: Values, tau: Values, generator: torch.Generator) -> Annealed:
    """One run; the molecules of the density's mask are its particles, all of one composition."""
    mask, sigmas, n = density.mask, levels.tolist(), len(density.mask)
    above = gaussian_state(density, sigmas[-1], generator)
    weight = log_ratio_to_gaussian(density, above, sigmas[-1])
    ancestor, total = torch.arange(n), 0.0
    found = [(_log_mean(weight), effective(weight), n)]
    for low, high, deviation in zip(sigmas[-2::-1], sigmas[:0:-1], tau[:0:-1].tolist(), strict=True):
        if effective(weight) < RESAMPLE_BELOW * n:
            total += _log_mean(weight)
            keep = _systematic(weight, generator)
            above = State(*(part[keep] for part in above))
            ancestor, weight = ancestor[keep.cpu()], torch.zeros_like(weight)
        step = Step(low, high, deviation)
        below = state_at(density, step.down(above, mask, generator), low)
        weight = weight + step.work(below, above, mask)
        found.append((total + _log_mean(weight), effective(weight), len(ancestor.unique())))
        above = below
    return Annealed(*np.array(found[::-1], dtype=np.float64).T)


def effective(weight: Tensor) -> float:
    """Effective number of particles of log-weights (n,): (sum w)^2 / sum w^2."""
    return math.exp(float(2 * weight.logsumexp(0) - (2 * weight).logsumexp(0)))


def _log_mean(weight: Tensor) -> float:
    return float(weight.logsumexp(0)) - math.log(len(weight))


def _systematic(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Indices (n,), each particle as often as its share of the weight to within one."""
    n = len(weight)
    u = torch.rand(1, generator=generator, dtype=torch.float64, device=generator.device).cpu()
    points = (torch.arange(n) + u) / n
    return torch.searchsorted(weight.softmax(0).cumsum(0).cpu(), points).clamp(max=n - 1).to(weight.device)


def importance_part(found: Sequence[Formula], levels: Values, resolution: float) -> Part:
    """Table, plot and checks, at the resolution and at the lowest level."""
    at = [int(np.abs(levels - sigma).argmin()) for sigma in (resolution, levels[0])]
    kinds = ("log Ẑ nats", "spread of runs", "least effective particles", "least ancestors")
    columns = ["formula", "atoms", "held-out", *(f"{kind} at {levels[k]:.3g} Å" for k in at for kind in kinds)]
    rows = [[*one[:3], *(float(values[k]) for k in at for values in one[3:])] for one in found]
    checks = []
    for kind, common in ((f"of {MEMBERS} held-out molecules or more", True), ("of fewer", False)):
        some = [one for one in found if (one.members >= MEMBERS) is common]
        checks += [_check_formulas(some, k, f"formula {kind} at σ = {levels[k]:.3g} Å") for k in at]
    curves = [Series(one.name, levels.tolist(), one.log_Z.tolist()) for one in found]
    heading = "Normalisation of single formulas"
    plot = Plot("importance", heading, "σ (Å)", "log Ẑ (nats)", curves, True, (-BOUND, BOUND))
    note = (
        f"{RUNS} runs a formula, of {PARTICLES} particles, or of {FEWER} where it has more than {FEW_ATOMS} atoms; "
        "`held-out`: its molecules there. Unbiased for Z, blind where the score leads no particle."
    )
    title = "Importance sampling: does the density of a formula integrate to one, over all its isomers?"
    return Part("importance", title, [Table("", columns, rows)], checks, note, [plot])


def _check_formulas(formulas: Sequence[Formula], k: int, which: str) -> CheckResult:
    """Over the formulas whose runs agree and descend from several ancestors."""
    what, trusted, others = f"importance: largest |log Ẑ| of a {which}, nats", [], []
    for one in formulas:
        can = one.spread[k] <= SPREAD and one.ancestors[k] >= ANCESTORS
        (trusted if can else others).append((abs(float(one.log_Z[k])), one.name))
    rest = f"too few particles to say: {', '.join(name for _, name in others)}" if others else ""
    if not trusted:
        return CheckResult(what, None, f"<= {BOUND:g}", None, rest or "no formula was looked at")
    value, name = max(trusted)
    why = f"{name}, of {len(trusted)} that can be told"
    return CheckResult.at_most(what, value, BOUND, f"{why}; {rest}" if rest else why)
