"""Does the density of a formula integrate to one, over all its isomers? Annealed importance sampling.

Particles start from the Gaussian end and step down the levels by B (`transitions`). The mean of the products of e^w is
unbiased for Z_k = integral of exp(-U_k) whatever the score is; only its spread depends on that. Particles are resampled
where few carry the weight (sequential Monte Carlo). Nothing is known of places where the score leads no particle: mass
there is missing, and the estimate too low.
Source: Neal 2001, arXiv physics/9803008; Del Moral, Doucet, Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from molscore.audit.density import Density, ModelDensity, Options, choose
from molscore.audit.report import CheckResult, Part, Plot, Series, Table
from molscore.audit.transitions import (
    State,
    Step,
    Values,
    gaussian_state,
    levels_of,
    log_ratio_to_gaussian,
    posterior_deviations,
    state_at,
)
from molscore.datasets.molecule_set import MoleculeSet
from molscore.molecules.batch import Batch
from molscore.screening.model import Model

__all__ = ["Annealed", "anneal", "effective", "formulas_of", "importance"]

BOUND = 0.5  # nats
FORMULAS, SPACING = 8, 0.1  # e-folds between levels
MEMBERS = 5  # held-out molecules of a formula that is not rare
PARTICLES, RUNS = 1024, 3  # of each run, runs of each formula
FEW_ATOMS, FEWER = 12, 256  # particles of larger formulas, which no number that one can afford tells
RESAMPLE_BELOW = 0.5  # of the particles
SPREAD, ANCESTORS = 0.5, 10.0  # nats between runs; particles: beyond these an estimate of a formula says nothing


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
    generator, levels = torch.Generator(device), levels_of(options, SPACING)
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
    order = np.argsort(molecules.sizes, kind="stable")
    rows = (
        pd.Series(order, [molecules[row].formula for row in order]).groupby(level=0, sort=False).agg(["first", "size"])
    )
    frequent = rows.index[rows["size"] >= MEMBERS][: n // 2]
    others = rows.index[~rows.index.isin(frequent)][: n - len(frequent)]
    return list(rows[rows.index.isin(frequent.append(others))].itertuples(index=False, name=None))


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
