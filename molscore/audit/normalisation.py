"""Does exp(log_density) integrate to one? Along the ladder of noise levels from data, and by particles for formulas.

The first estimate (`molscore.audit.bennett`) is over all held-out molecules and tells ln Z less what the shape lacks:
the mean error of log-density. The second (`molscore.audit.particles`) is ln Z itself, of one formula with all its
isomers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from molscore.audit.bennett import Ladder, Works, climb, offsets
from molscore.audit.density import ModelDensity, groups
from molscore.audit.ladder import ladder, spreads
from molscore.audit.options import Options, chosen
from molscore.audit.particles import Descent, descend
from molscore.audit.record import Cell, Part, Plot, Series, Table, Verdict
from molscore.datasets.store import MoleculeSet
from molscore.molecules.batch import Batch
from molscore.screening.model import Model

__all__ = ["Runs", "normalisation", "normalisation_part"]

SPACING, FINE = 0.2, 0.1  # e-folds between levels: from data, of particles
SHARE = 4  # one in so many of the options' n: each takes a hundred passes
PILOT = 32  # molecules that the spread of the denoised positions is taken from
PARTICLES, REPEATS = 1024, 3  # of each run, runs of each formula
FEW_ATOMS, FEWER = 12, 256  # particles of larger formulas, which no number that one can afford tells
SMALL, COMMON, TYPICAL = 4, 4, 2  # formulas: the smallest, the smallest that are not rare, and middling ones
MEMBERS = 5  # held-out molecules of a formula that is not rare
BOUND, ERROR, OVERLAP, ANCESTORS = 0.5, 0.25, 0.05, 10.0  # nats; beyond the others an estimate says nothing


class Runs(NamedTuple):
    """Particles of one formula."""

    formula: str
    n_atoms: int
    members: int  # held-out molecules of the formula
    runs: Sequence[Descent]


def normalisation(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """Both estimates; the first on `options.n` / 4 held-out molecules."""
    generator = torch.Generator(model.network.sigma_N.device).manual_seed(options.seed)
    molecules = chosen(held_out, max(2, options.n // SHARE), options.seed + 1)
    levels = _levels(options, SPACING)
    pilot = next(groups(model, chosen(molecules, PILOT, options.seed)))
    tau = spreads(pilot.density, pilot.x, levels, options.seed)
    works = [climb(group.density, group.x, levels, tau, generator) for group in groups(model, molecules)]
    found = offsets(Works(*(np.concatenate(parts, axis=1) for parts in zip(*works, strict=True))))
    fine = _levels(options, FINE)
    tau = np.exp(np.interp(np.log(fine), np.log(levels), np.log(tau)))
    particles = []
    for row, members in _formulas(held_out):
        density = _particles_of(model, held_out, row)
        generator.manual_seed(options.seed + 1 + row)
        runs = [descend(density, fine, tau, generator) for _ in range(REPEATS)]
        particles.append(Runs(held_out[row].formula, int(held_out.sizes[row]), members, runs))
    return normalisation_part(levels, found, len(molecules), fine, particles, options.resolution)


def normalisation_part(
    levels: NDArray[np.float64],
    found: Ladder,
    n: int,
    fine: NDArray[np.float64],
    particles: list[Runs],
    resolution: float,
) -> Part:
    """Tables, plot and verdicts; the resolution is a level of both ladders."""
    show = np.unique([*range(0, len(levels), 5), int(np.abs(levels - resolution).argmin()), len(levels) - 1])
    rows = [[f"{levels[k]:.3g}", *(float(values[k]) for values in found)] for k in show]
    at = [int(np.abs(fine - sigma).argmin()) for sigma in (resolution, fine[0])]
    cells = [[*run[:3], *(cell for k in at for cell in _summary(run, k))] for run in particles]
    from_data = ["σ Å", "log Ẑ − KL, nats", "standard error", "overlap with the next level"]
    kinds = ("log Ẑ nats", "spread of runs", "least effective particles", "least ancestors")
    by_particles = ["formula", "atoms", "held-out", *(f"{kind} at {fine[i]:.3g} Å" for i in at for kind in kinds)]
    tables = [
        Table("From data, all sizes", from_data, rows),
        Table("By particles, one formula", by_particles, cells),
    ]
    curves = [Series("data ± 2 standard errors", levels.tolist(), found.offset.tolist(), (2 * found.error).tolist())]
    curves += [Series(run.formula, fine.tolist(), _mean(run).tolist()) for run in particles]
    plot = Plot("normalisation", "Normalisation", "σ (Å)", "log Ẑ (nats)", curves, True, (-BOUND, BOUND))
    verdicts = [_from_data(levels, found, sigma) for sigma in (resolution, levels[0])]
    common, rare = ([run for run in particles if (run.members >= MEMBERS) is kind] for kind in (True, False))
    for kind, some in ((f"of {MEMBERS} held-out molecules or more", common), ("of fewer", rare)):
        verdicts += [_by_particles(some, k, f"formula {kind} at σ = {fine[k]:.3g} Å") for k in at]
    note = (
        f"From data: {n} held-out molecules, Bennett's estimate between neighbouring levels from {levels[-1]:g} Å "
        "down; it is log Ẑ less the Kullback-Leibler divergence from truth to model: the mean error of log-density "
        f"over data. By particles: {REPEATS} runs a formula, of {PARTICLES} particles, or of {FEWER} where it has more "
        f"than {FEW_ATOMS} atoms, `held-out` its molecules there; unbiased for Z, blind where the score leads none."
    )
    title = "Normalisation: does the density integrate to one at every noise level?"
    return Part("normalisation", title, tables, verdicts, note, [plot])


def _levels(options: Options, spacing: float) -> NDArray[np.float64]:
    """A ladder with the resolution among its levels."""
    if not options.sigma_min < options.resolution < options.sigma_max:
        return ladder(options.sigma_min, options.sigma_max, spacing)
    below = ladder(options.sigma_min, options.resolution, spacing)
    return np.concatenate([below, ladder(options.resolution, options.sigma_max, spacing)[1:]])


def _formulas(molecules: MoleculeSet) -> Iterator[tuple[int, int]]:
    """A molecule of each formula to look at, and how many there are of it: small, small and not rare, middling ones."""
    order = np.argsort(molecules.sizes, kind="stable").tolist()
    members = Counter(molecules[row].formula for row in order)
    frequent = [row for row in order if members[molecules[row].formula] >= MEMBERS]
    seen, wanted = set[str](), 0
    for rows, more in ((order, SMALL), (frequent, COMMON), (order[len(order) // 2 :], TYPICAL)):
        wanted += more
        for row in rows:
            formula = molecules[row].formula
            if len(seen) < wanted and formula not in seen:
                seen.add(formula)
                yield row, members[formula]
        wanted = len(seen)


def _particles_of(model: Model, molecules: MoleculeSet, row: int) -> ModelDensity:
    batch = molecules.batch([row], model.network.elements).to(model.network.sigma_N.device)
    n = PARTICLES if molecules.sizes[row] <= FEW_ATOMS else FEWER
    return ModelDensity(model, Batch(*(part.expand(n, *part.shape[1:]) for part in batch)))


def _mean(run: Runs) -> NDArray[np.float64]:
    """ln of the mean of Z over runs, at each level."""
    log_Z = np.stack([one.log_Z for one in run.runs])
    return np.logaddexp.reduce(log_Z, axis=0) - np.log(len(log_Z))


def _summary(run: Runs, k: int) -> list[Cell]:
    values = [one.log_Z[k] for one in run.runs]
    least = [min(float(getattr(one, name)[k:].min()) for one in run.runs) for name in ("effective", "ancestors")]
    return [float(_mean(run)[k]), float(np.std(values, ddof=1)) if len(values) > 1 else None, *least]


def _from_data(levels: NDArray[np.float64], found: Ladder, sigma: float) -> Verdict:
    k = int(np.abs(levels - sigma).argmin())
    what = f"normalisation: largest |log Ẑ − KL| from data at σ ≥ {sigma:.3g} Å, nats"
    worst = int(np.abs(found.offset[k:]).argmax()) + k
    value, error, overlap = abs(float(found.offset[worst])), float(found.error[worst]), float(found.overlap[k:].min())
    # Where it misses the bound by far, a large error does not keep it from saying so.
    if overlap < OVERLAP or (error > ERROR and abs(value - BOUND) < 2 * error):
        why = f"standard error {error:.2g} nats, least overlap of levels {overlap:.2g}: not enough to tell"
        return Verdict(what, value, f"<= {BOUND:g}", None, why)
    return Verdict.at_most(what, value, BOUND, f"standard error {error:.2g} nats, at {levels[worst]:.3g} Å")


def _by_particles(particles: list[Runs], k: int, which: str) -> Verdict:
    """Over the formulas whose runs agree and descend from several ancestors."""
    what = f"normalisation: largest |log Ẑ| of a {which}, nats"
    trusted, open_ones = [], []
    for run in particles:
        log_Z, spread, _, ancestors = _summary(run, k)
        can = spread is not None and spread <= 2 * ERROR and ancestors >= ANCESTORS
        (trusted if can else open_ones).append((abs(log_Z), run.formula))
    names = ", ".join(formula for _, formula in open_ones)
    left = f"; too few effective particles to say: {names}" if names else ""
    if not trusted:
        return Verdict(what, None, f"<= {BOUND:g}", None, left.removeprefix("; ") or "no formula was looked at")
    return Verdict.at_most(what, max(trusted)[0], BOUND, f"{max(trusted)[1]}, of {len(trusted)} that can be told{left}")
