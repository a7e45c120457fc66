"""Which criterion tells good molecules from bad ones? AUROC of each criterion for each kind of bad molecule.

Held-out molecules against the same ones made wrong, stable against unstable draws, held-out molecules against real ones
from elsewhere; as a control, size alone: what a raw likelihood favours that has nothing to do with being right.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from molscore.audit.contrasts import exchanged, shaken, swapped, without_hydrogen
from molscore.audit.drawn import TEMPERATURES, drawn, stable_and_not
from molscore.audit.measures import available, measures
from molscore.audit.options import Options, chosen
from molscore.audit.outside import embedded, outside
from molscore.audit.record import Cell, Part, Table, Verdict
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.auroc import auroc
from molscore.molecules.molecule import Molecule
from molscore.screening.criteria import DRAWN, choose_order
from molscore.screening.model import Model

__all__ = ["Contrast", "contrasts", "usefulness"]

WIDTHS = (0.02, 0.05, 0.1, 0.2)  # Å
OTHER_RESOLUTIONS = (0.02, 0.2)  # Å, beside the one that is asked for
CLOSE = 0.01  # an order whose mean AUROC is this near the best at its resolution is as good
EMBEDDED = 200  # molecules that get a geometry from their SMILES, at most
LEAST = 10  # molecules that a group needs
NOTE = (
    "AUROC: the chance that the good molecule has the larger number; 95 % bootstrap intervals, molecules made from the "
    "same one drawn together. A swapped element or a missing hydrogen leaves an odd number of electrons, which `rank` "
    "and `generate` refuse by formula: here the density alone must tell, so that the molecule keeps the probability of "
    "size and formula of the one it was made from; after a missing hydrogen percentiles are within the smaller size. "
    "`difference` is between the resolution and one four times coarser, for each degree of freedom; `codimension` is "
    "between 0.4 and 0.5 Å, whatever the resolution, and its column the same in each table. Controls, which "
    "the mean leaves out: within held-out molecules nothing is wrong with either size, so that 0.5 is right; where "
    "small strangers are compared with large held-out molecules, less than 0.5 is the likelihood paradox."
)


class Contrast(NamedTuple):
    """Two groups that a criterion should tell apart, or, for a control, should not."""

    name: str
    good: Sequence[Molecule]
    bad: Sequence[Molecule]
    paired: bool = False
    control: bool = False
    """Left out of the mean."""
    drawn: bool = False
    """Of molecules that the model drew: what `generate` has to tell apart."""


Areas = dict[str, float]  # criterion -> AUROC


def usefulness(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The table on `options.n` held-out and `options.drawn` drawn molecules."""
    found = [c for c in contrasts(model, held_out, options) if min(len(c.good), len(c.bad)) >= LEAST]
    table, areas = _table(model, found, options.resolution, options.seed)
    tables = [table]
    for resolution in OTHER_RESOLUTIONS:
        if resolution in model.resolutions and resolution != options.resolution:
            tables.append(_table(model, found, resolution, options.seed)[0])
    order = choose_order(model, None, options.resolution)
    fair = [area for contrast, area in zip(found, areas, strict=True) if not contrast.control]
    draws = [area for contrast, area in zip(found, areas, strict=True) if contrast.drawn]
    verdicts = [_against_best("mean AUROC of the default order of `rank`", order, fair)]
    if draws:
        verdicts.append(_against_best("mean AUROC over draws of the default order of `generate`", DRAWN, draws))
    sizes = ", ".join(f"{c.name} {len(c.good)} and {len(c.bad)}" for c in found)
    title = "Usefulness: which criterion tells good molecules from bad ones?"
    return Part("usefulness", title, tables, verdicts, f"{NOTE} Molecules, good and bad: {sizes}.")


def contrasts(model: Model, held_out: MoleculeSet, options: Options) -> Iterator[Contrast]:
    """The groups, as far as there are molecules for them."""
    rng = np.random.default_rng(options.seed)
    held = list(chosen(held_out, options.n, options.seed))
    for width in WIDTHS:
        yield Contrast(f"shaken by {width:g} Å", held, [shaken(m, width, rng) for m in held], True)
    yield _made("one element swapped", held, lambda m: swapped(m, rng))
    yield _made("two elements exchanged", held, lambda m: exchanged(m, rng))
    yield _made("one hydrogen removed", held, lambda m: without_hydrogen(m, rng))
    for temperature in TEMPERATURES if options.drawn else ():
        stable, unstable = stable_and_not(drawn(model, options, temperature))
        yield Contrast(f"drawn at temperature {temperature:g}: stable, unstable", stable, unstable, drawn=True)
    small, large = _by_size(held)
    yield Contrast("control: held out, small against large", small, large, control=True)
    if options.outside is not None:
        others = outside(options.outside, model, held_out, options)
        yield Contrast("real, from outside", held, others)
        made = [embedded(group[:EMBEDDED], options.seed) for group in (held, others)]
        yield Contrast("the same two as SMILES", *made)
        low, high = _by_size(others)
        yield Contrast("small ones from outside against large held out", large, low, control=True)
        yield Contrast("large ones from outside against small held out", small, high, control=True)


def _made(name: str, held: Sequence[Molecule], change: Callable[[Molecule], Molecule | None]) -> Contrast:
    """Molecules against what a change makes of them, where it can."""
    pairs = [(molecule, made) for molecule in held if (made := change(molecule)) is not None]
    return Contrast(name, [good for good, _ in pairs], [bad for _, bad in pairs], True)


def _by_size(molecules: Sequence[Molecule]) -> tuple[list[Molecule], list[Molecule]]:
    """The smallest and the largest third."""
    ordered = sorted(molecules, key=lambda molecule: molecule.n_atoms)
    third = len(ordered) // 3
    return ordered[:third], ordered[len(ordered) - third :]


def _table(model: Model, found: Sequence[Contrast], resolution: float, seed: int) -> tuple[Table, list[Areas]]:
    """One row a contrast, one column a criterion, and the mean over contrasts that are no control; areas a contrast."""
    orders = available(model, resolution)
    known: dict[int, dict[str, np.ndarray]] = {}  # by identity: groups occur more than once
    rows, areas = list[list[Cell]](), list[Areas]()
    for contrast in found:
        good, bad = _judged(model, contrast, resolution, known)
        of = {by: auroc(good[by], bad[by], contrast.paired, seed) for by in orders}
        rows.append([contrast.name, *map(str, of.values())])
        areas.append({by: area.value for by, area in of.items()})
    means = _means([area for contrast, area in zip(found, areas, strict=True) if not contrast.control])
    rows.append(["mean, controls left out", *(f"{means[by]:.3f}" for by in orders)])
    return Table(f"AUROC at {resolution:g} Å", ["good against bad", *orders], rows), areas


def _means(areas: Sequence[Areas]) -> Areas:
    return {by: float(np.mean([area[by] for area in areas])) for by in areas[0]}


def _against_best(what: str, order: str, areas: Sequence[Areas]) -> Verdict:
    """An order's mean less that of the best order."""
    means = _means(areas)
    best = max(means, key=means.get)
    return Verdict.at_least(f"{what}, {order}, less that of the best, {best}", means[order] - means[best], -CLOSE)


def _judged(
    model: Model, contrast: Contrast, resolution: float, known: dict[int, dict[str, np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """The criteria of the good and of the bad group."""
    found = []
    for group in (contrast.good, contrast.bad):
        fresh = [row for row, molecule in enumerate(group) if id(molecule) not in known]
        made = contrast.paired and group is contrast.bad
        if fresh:
            parents = [contrast.good[row] for row in fresh] if made else None
            values = measures(model, [group[row] for row in fresh], resolution, parents)
            known |= {id(group[row]): {by: values[by][k] for by in values} for k, row in enumerate(fresh)}
        found.append({by: np.array([known[id(m)][by] for m in group]) for by in known[id(group[0])]})
    return found
