"""Which criterion of `rank --by` tells good molecules from bad ones? AUROC of each, for each kind of decoy.

Held-out molecules against the same ones perturbed, with an element swapped, with two exchanged, without a hydrogen;
drawn molecules that are stable against those that are not; real molecules of another data set. As a control, size
alone: what a raw likelihood favours that has nothing to do with being right.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import RESULTS, record
from benchmarks.roc import auroc
from molscore.audit.density import choose
from molscore.datasets import qm9
from molscore.datasets.molecule_set import load as load_data
from molscore.evaluation.edm import stability
from molscore.evaluation.run import geometries_of
from molscore.molecules.distribution import Distribution
from molscore.molecules.molecule import Molecule
from molscore.screening.criteria import ORDERS, Case, criterion, has_tables
from molscore.screening.model import Model, load
from molscore.screening.predictor import Terms, element_counts, log_permutations
from molscore.screening.validation import is_valid

__all__ = ["Contrast", "contrasts", "exchanged", "perturbed", "rows_of", "swapped", "without_hydrogen"]

RESULT = RESULTS / "density" / "decoys.json"
WIDTHS = (0.02, 0.05, 0.1, 0.2)  # Å
LEAST = 10  # molecules that a group needs
NEIGHBOURS = {6: (7,), 7: (6, 8), 8: (7, 9), 9: (8,), 16: (15, 17), 17: (16,)}  # in the periodic table, of like size
NOTE = (
    "AUROC: the chance that the good molecule has the larger number; 95 % bootstrap intervals, molecules made from the "
    "same one drawn together. A swapped element or a missing hydrogen leaves an odd number of electrons, which `rank` "
    "and `generate` refuse by formula: here the density alone must tell, so that the molecule keeps the probability of "
    "size and formula of the one it was made from. `codimension` is between 0.4 and 0.5 Å, whatever the resolution. "
    "Controls are left out of the mean: with size alone nothing is wrong, so that 0.5 is right."
)


class Contrast(NamedTuple):
    """Two groups that a criterion should tell apart, or, for a control, should not."""

    name: str
    good: Sequence[Molecule]
    bad: Sequence[Molecule]
    paired: bool = False  # bad[i] was made from good[i]
    control: bool = False


class _Lenient(Model):
    def molecules(self, molecules: Sequence[Molecule]) -> list[Molecule]:
        return list(molecules)


@cache
def lenient(model: Model) -> Model:
    """The model, judging what no molecule can be as well: without a hydrogen there is an odd electron."""
    return _Lenient(model.checkpoint, model.name, model.distribution.name, model.weights)


def _has_place(molecule: Molecule, distribution: Distribution) -> bool:
    """Whether the network has seen its elements and molecules of its size."""
    return set(molecule.symbols) <= set(distribution.elements) and 2 <= molecule.n_atoms <= distribution.max_atoms


def perturbed(molecule: Molecule, width: float, rng: np.random.Generator) -> Molecule:
    """White noise of `width` Å in each coordinate."""
    return Molecule(molecule.numbers, molecule.positions + width * rng.standard_normal(molecule.positions.shape))


def swapped(molecule: Molecule, rng: np.random.Generator) -> Molecule | None:
    """One heavy atom made its neighbour in the periodic table, where it stands; None where there is no such atom."""
    places = np.flatnonzero(np.isin(molecule.numbers, list(NEIGHBOURS)))
    if not len(places):
        return None
    place, numbers = rng.choice(places), molecule.numbers.copy()
    numbers[place] = rng.choice(NEIGHBOURS[int(numbers[place])])
    return Molecule(numbers, molecule.positions)


def exchanged(molecule: Molecule, rng: np.random.Generator) -> Molecule | None:
    """Two heavy atoms of different elements in each other's place: the formula stays. None where there are none."""
    heavy = np.flatnonzero(molecule.numbers > 1)
    first, second = np.meshgrid(heavy, heavy, indexing="ij")
    pairs = np.argwhere(molecule.numbers[first] < molecule.numbers[second])
    if not len(pairs):
        return None
    a, b = heavy[rng.choice(pairs)]
    numbers = molecule.numbers.copy()
    numbers[[a, b]] = numbers[[b, a]]
    return Molecule(numbers, molecule.positions)


def without_hydrogen(molecule: Molecule, rng: np.random.Generator) -> Molecule | None:
    """One hydrogen fewer, the rest where it was; None where there is none or too little would be left."""
    hydrogens = np.flatnonzero(molecule.numbers == 1)
    if not len(hydrogens) or molecule.n_atoms < 3:
        return None
    kept = np.arange(molecule.n_atoms) != rng.choice(hydrogens)
    return Molecule(molecule.numbers[kept], molecule.positions[kept])


def contrasts(
    model: Model, held: Sequence[Molecule], drawn: Sequence[Molecule], others: Sequence[Molecule], seed: int
) -> Iterator[Contrast]:
    """The groups that there are molecules for."""
    rng = np.random.default_rng(seed)
    for width in WIDTHS:
        yield Contrast(f"perturbed by {width:g} Å", held, [perturbed(m, width, rng) for m in held], True)
    changes: dict[str, Callable[[Molecule, np.random.Generator], Molecule | None]] = {
        "one element swapped": swapped, "two elements exchanged": exchanged, "one hydrogen removed": without_hydrogen,
    }  # fmt: skip
    for name, change in changes.items():
        pairs = [
            (m, made) for m in held if (made := change(m, rng)) is not None and _has_place(made, model.distribution)
        ]
        yield Contrast(name, [good for good, _ in pairs], [bad for _, bad in pairs], True)
    if drawn:
        stable = stability(drawn).molecules
        good, bad = ([drawn[row] for row in np.flatnonzero(kind)] for kind in (stable, ~stable))
        yield Contrast("drawn: stable, unstable", good, bad)
    if others:
        yield Contrast("real, of another data set", held, others)
    ordered = sorted(held, key=lambda molecule: molecule.n_atoms)
    third = len(ordered) // 3
    yield Contrast("control: small against large", ordered[:third], ordered[len(ordered) - third :], control=True)


def measures(
    model: Model, molecules: Sequence[Molecule], parents: Sequence[Molecule], resolution: float
) -> dict[str, NDArray[np.float64]]:
    """The criteria by name, (M,) each, with the probability of size and formula of the parents.

    What has no number, as where no bonds can be read, comes last, as it does in `rank`.
    """
    model, elements = lenient(model), model.distribution.elements
    composition = model.composition.log_prob(element_counts(parents, elements))
    permutations = log_permutations(element_counts(molecules, elements))
    terms = Terms(composition, model.log_density(molecules, resolution), permutations)
    case = Case(model, molecules, terms, resolution)
    found = {by: criterion(case, by) for by in ORDERS if has_tables(model, by, resolution)}
    return {by: np.where(np.isnan(values), -np.inf, values) for by, values in found.items()}


def rows_of(model: Model, groups: Sequence[Contrast], resolution: float, seed: int) -> list[list[str]]:
    """A row for each contrast, an AUROC for each criterion; last the mean over those that are no control."""
    rows, areas = [], []
    for group in groups:
        good = measures(model, group.good, group.good, resolution)
        bad = measures(model, group.bad, group.good if group.paired else group.bad, resolution)
        found = {by: auroc(good[by], bad[by], group.paired, seed) for by in good}
        rows.append([group.name, *map(str, found.values())])
        if not group.control:
            areas.append([area.value for area in found.values()])
    return [*rows, ["mean, controls left out", *(f"{value:.3f}" for value in np.mean(areas, axis=0))]]


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=300, help="held-out molecules")
    parser.add_argument("--drawn", help="a file of drawn molecules, unfiltered")
    parser.add_argument("--others", help="a file of real molecules of another data set")
    parser.add_argument("--resolution", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    model = load(options.model)
    held = list(choose(load_data(options.data, "test"), options.n, options.seed))
    drawn, others = ([m for m in geometries_of(path) if is_valid(m, model.distribution)] if path else []
                     for path in (options.drawn, options.others))  # fmt: skip
    groups = [group for group in contrasts(model, held, drawn, others[: options.n], options.seed)
              if min(len(group.good), len(group.bad)) >= LEAST]  # fmt: skip
    rows = rows_of(model, groups, options.resolution, options.seed)
    print(*(" | ".join(row) for row in rows), sep="\n")
    sizes = ", ".join(f"{group.name} {len(group.good)} and {len(group.bad)}" for group in groups)
    names = [by for by in ORDERS if has_tables(model, by, options.resolution)]
    name = model.distribution.name
    title = f"Decoys of {name}: which criterion tells good from bad? AUROC at {options.resolution:g} Å"
    note = f"{NOTE} Molecules, good and bad: {sizes}. Weights sha256 {model.weights[:12]}."
    command = f"python -m benchmarks.decoys --model {name} -n {options.n}"
    record(options.output, title, ["good against bad", *names], rows, command, note)


if __name__ == "__main__":
    main()
