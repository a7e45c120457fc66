"""Where a number stands among reference molecules: the tables that a model keeps of molecules held out.

Like is compared with like: a molecule with others of about its size and as many rotatable bonds, or of its formula, in
geometries of its kind. Geometries of a force field are not quite those of quantum chemistry, and at high resolution
hundredths of an Å cost nats: a distribution has tables for each kind that it was given, such as ``dft`` and ``mmff``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from molscore.errors import CheckpointError, InputError
from molscore.molecules.conformers import at_minimum
from molscore.molecules.distribution import Distribution
from molscore.molecules.elements import SYMBOLS, atomic_number
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import neighbour_counts, topology
from molscore.screening.columns import MMFF

__all__ = ["COARSER", "EXCESS_AT", "AtomShares", "FormulaPercentiles", "Percentiles", "References", "Support", "Tables"]

Floats, Ints = NDArray[np.float64], NDArray[np.int64]

COARSER = 4.0  # the difference between two resolutions is between one and another that is this much coarser
EXCESS_AT = 0.2  # Å: where the density of real molecules of a kind is expected, whatever the resolution asked for
LEVELS = np.linspace(0.0, 100.0, 201)
LEAST_MOLECULES = 200  # a size with fewer borrows from its neighbours
LEAST_OF_FORMULA = 20  # molecules of a formula that make a table
LIKE_SIZE = 0.05  # ratio of sizes, in e-folds, over which molecules tell what is expected of one another
PRIOR = 20.0  # what they say is pulled to the percentile within the size as if so many more were spread like it
LEAST_ATOMS = 50  # fewer of a kind are described by their element
MAX_NEIGHBOURS = 4  # more count as so many
BEYOND = 2  # heavy atoms by which a formula may differ from all that were seen

Table = TypeVar("Table")


def _floats(shape: str) -> Any:
    """An array of floats; equal letters are equal lengths."""
    return field(metadata={"shape": shape, "type": np.float64})


def _ints(shape: str) -> Any:
    return field(metadata={"shape": shape, "type": np.int64})


def _to_tensors(table: Any, stem: str) -> dict[str, Tensor]:
    """The arrays of a table by name, as a checkpoint keeps them."""
    found = {f"{stem}.{part.name}": torch.tensor(getattr(table, part.name)) for part in fields(table)}
    return {name: held.float() if held.is_floating_point() and held.ndim > 1 else held for name, held in found.items()}


def _from_tensors(kind: type[Table], extras: Mapping[str, Tensor], stem: str) -> Table:
    """Inverse of `_to_tensors`; raises `CheckpointError` for arrays that are missing, or do not fit one another."""
    lengths, arrays = {"L": len(LEVELS), "K": MAX_NEIGHBOURS + 1}, {}
    for part in fields(kind):
        if (name := f"{stem}.{part.name}") not in extras:
            raise CheckpointError(f"the checkpoint's reference tables lack {name}; make them again")
        array, shape = extras[name].double().numpy(), part.metadata["shape"]
        known = array.ndim == len(shape) and all(
            lengths.setdefault(letter, n) == n for letter, n in zip(shape, array.shape, strict=True)
        )
        if not known or not np.isfinite(array).all():
            raise CheckpointError(f"the checkpoint's {name} has the wrong shape {array.shape}, or is not finite")
        arrays[part.name] = array.astype(part.metadata["type"])
    return kind(**arrays)


def _place(resolutions: Floats, resolution: float) -> int:
    """Index of a resolution among those stored; raises `InputError` that lists them."""
    near = np.flatnonzero(np.isclose(resolutions, resolution, rtol=1e-4))
    if not len(near):
        stored = ", ".join(f"{value:g}" for value in resolutions)
        raise InputError(f"there are no percentiles at a resolution of {resolution:g} Å; there are at {stored} Å")
    return int(near[0])


@dataclass(frozen=True, eq=False)
class Percentiles:
    """Where a number of a molecule, such as its log-likelihood, stands among those of like size and flexibility.

    The number is held against what is expected of its size and rotatable bonds, in units of the mean deviation, both
    quadratic in the two (a regression of location and scale; Koenker and Bassett 1982, doi:10.2307/1912528), moved to
    the median of molecules of about its size. Where that stands among the reference molecules of its size, or of near
    ones where they are few, is the percentile.
    """

    resolutions: Floats = _floats("R")  # Å
    sizes: Ints = _ints("S")  # numbers of atoms, consecutive
    expected: Floats = _floats("RSF")  # by resolution, size and rotatable bonds from 0; more count as the most
    deviation: Floats = _floats("RSF")  # mean absolute deviation from it, likewise
    quantiles: Floats = _floats("RSL")  # of the standardised number at percentiles 0, 0.5 ... 100

    @classmethod
    def of(
        cls, values: Floats, n_atoms: Ints, rotatable: Ints, resolutions: Sequence[float], sizes: Ints
    ) -> "Percentiles":
        """From numbers (R, M) of M reference molecules; raises `InputError` where none is finite."""
        grid = np.meshgrid(sizes, np.arange(rotatable.max() + 1), indexing="ij")
        rows = []
        for row in values:
            keep = np.isfinite(row)
            if not keep.any():
                raise InputError("no reference molecule has a finite log-likelihood")
            known, n, f = row[keep], n_atoms[keep], rotatable[keep]
            expected, deviation = _location_scale(known, n, f, *grid)
            at = np.clip(n - sizes[0], 0, len(sizes) - 1), f
            middle = _medians_by_size((known - expected[at]) / deviation[at], n, sizes)
            expected = expected + deviation * middle[:, None]
            rows.append((expected, deviation, _quantiles_by_size((known - expected[at]) / deviation[at], n, sizes)))
        expected, deviation, quantiles = (np.stack(part) for part in zip(*rows, strict=True))
        return cls(np.array(resolutions, dtype=np.float64), sizes, expected, deviation, quantiles)

    def standardised(self, values: ArrayLike, n_atoms: ArrayLike, rotatable: ArrayLike, resolution: float) -> Floats:
        """Deviations above what is expected, (M,); raises `InputError` that lists the resolutions for another one."""
        at, size = _place(self.resolutions, resolution), self._row(n_atoms)
        turns = np.minimum(rotatable, self.expected.shape[-1] - 1)
        return (np.asarray(values, dtype=np.float64) - self.expected[at, size, turns]) / self.deviation[at, size, turns]

    def percentile(self, values: ArrayLike, n_atoms: ArrayLike, rotatable: ArrayLike, resolution: float) -> Floats:
        """0 to 100 for each molecule, (M,)."""
        table = self.quantiles[_place(self.resolutions, resolution)]
        pairs = zip(self.standardised(values, n_atoms, rotatable, resolution), self._row(n_atoms), strict=True)
        return np.array([_standing(float(value), table[row]) for value, row in pairs])

    def value_at(self, percentile: float, n_atoms: ArrayLike, rotatable: ArrayLike, resolution: float) -> Floats:
        """The number that stands at a percentile for each size and flexibility, (M,): inverse of `percentile`."""
        at, size = _place(self.resolutions, resolution), self._row(n_atoms)
        turns = np.minimum(rotatable, self.expected.shape[-1] - 1)
        standardised = np.array([np.interp(percentile, LEVELS, row) for row in self.quantiles[at, size]])
        return self.expected[at, size, turns] + self.deviation[at, size, turns] * standardised

    def _row(self, n_atoms: ArrayLike) -> Ints:
        return np.clip(np.asarray(n_atoms) - self.sizes[0], 0, len(self.sizes) - 1)


def _location_scale(values: Floats, n_atoms: Ints, rotatable: Ints, sizes: Ints, turns: Ints) -> tuple[Floats, Floats]:
    """Expected value and mean absolute deviation at each point of a grid of sizes and rotatable bonds."""
    middle, width = n_atoms.mean(), n_atoms.std() + 1.0

    def features(n: Ints, f: Ints) -> Floats:
        seen = (np.clip(n, n_atoms.min(), n_atoms.max()) - middle) / width
        n = (n - middle) / width
        return np.stack([n**0, n, f, seen * (2 * n - seen), f * f, seen * f], axis=-1)  # n^2, and its tangents beyond

    known, ridge = features(n_atoms, rotatable), np.diag([0.0, *[1.0] * 5])  # as few molecules tell little

    def fitted(y: Floats) -> Floats:
        return np.linalg.solve(known.T @ known + ridge, known.T @ y)

    location = fitted(values)
    deviation = np.abs(values - known @ location)
    floor = max(0.3 * deviation.mean(), 1e-6)
    scale = features(sizes, turns) @ fitted(deviation)
    return features(sizes, turns) @ location, np.maximum(scale, floor)


def _medians_by_size(values: Floats, n_atoms: Ints, sizes: Ints) -> Floats:
    """Weighted median at each size, (S,), of molecules of about that size: small ones are not what large ones imply.

    Two more at the median of all keep a size of one or two molecules where it is.
    """
    weights = np.exp(-np.abs(np.log(n_atoms / sizes[:, None])) / LIKE_SIZE)
    weights = np.column_stack([weights, np.full(len(sizes), 2.0)])
    values = np.append(values, np.median(values))
    order = np.argsort(values)
    below = weights[:, order].cumsum(1)
    return values[order][np.argmax(below >= below[:, -1:] / 2, axis=1)]


def _quantiles_by_size(values: Floats, n_atoms: Ints, sizes: Ints) -> Floats:
    """Quantiles at each size, (S, L), of the nearest `LEAST_MOLECULES` or more."""
    rows = []
    for size in sizes:
        distance = np.abs(n_atoms - size)
        radius = np.sort(distance)[min(LEAST_MOLECULES, len(distance)) - 1]
        rows.append(np.quantile(values[distance <= radius], LEVELS / 100))
    return np.stack(rows)


def _standing(value: float, quantiles: Floats) -> float:
    """Percentile of one value. Beyond 0.5 and 99.5 it nears the end exponentially, so that bad differs from worse."""
    last, tenth = 1, 10  # places of the percentiles 0.5 and 5, counted from either end
    for sign, ends in ((1.0, quantiles), (-1.0, -quantiles[::-1])):
        beyond = ends[last] - sign * value
        if beyond > 0:
            scale = max((ends[tenth] - ends[last]) / np.log(LEVELS[tenth] / LEVELS[last]), 1e-12)
            share = LEVELS[last] * np.exp(-beyond / scale)
            return float(share if sign > 0 else 100.0 - share)
    return float(np.interp(value, quantiles, LEVELS))


@dataclass(frozen=True, eq=False)
class FormulaPercentiles:
    """Where a standardised log-likelihood stands among reference molecules of the same formula, the more common ones.

    What n molecules of a formula say is pulled towards the percentile within the size, as if `PRIOR` more had that
    distribution (the posterior mean under a Dirichlet process); without a table for a formula that is all.
    """

    resolutions: Floats = _floats("R")  # Å
    formulas: Ints = _ints("NE")  # atoms of each element, in the order of the distribution's table
    n: Ints = _ints("N")  # reference molecules of each formula
    quantiles: Floats = _floats("RNL")

    @classmethod
    def of(cls, standardised: Floats, counts: Ints, resolutions: Sequence[float]) -> "FormulaPercentiles":
        """From `Percentiles.standardised` numbers (R, M) of molecules with element counts (M, E)."""
        finite = np.isfinite(standardised).all(0)
        formulas, inverse, n = np.unique(counts[finite], axis=0, return_inverse=True, return_counts=True)
        kept = np.flatnonzero(n >= LEAST_OF_FORMULA)
        quantiles = np.zeros((len(resolutions), len(kept), len(LEVELS)))
        for place, row in enumerate(kept):
            members = standardised[:, finite][:, inverse.ravel() == row]
            quantiles[:, place] = np.quantile(members, LEVELS / 100, axis=1).T
        return cls(np.array(resolutions, dtype=np.float64), formulas[kept], n[kept], quantiles)

    def percentile(self, standardised: Floats, counts: Ints, within_size: Floats, resolution: float) -> Floats:
        """0 to 100, (M,), for element counts (M, E) and the percentiles within the size, (M,), that it is pulled to."""
        table = self.quantiles[_place(self.resolutions, resolution)]
        rows = {tuple(formula): row for row, formula in enumerate(self.formulas.tolist())}
        found = np.array(within_size, dtype=np.float64)
        for molecule, formula in enumerate(np.asarray(counts).tolist()):
            if (row := rows.get(tuple(formula))) is not None:
                own, n = np.interp(standardised[molecule], table[row], LEVELS), self.n[row]
                found[molecule] = (n * own + PRIOR * found[molecule]) / (n + PRIOR)
        return found


@dataclass(frozen=True, eq=False)
class AtomShares:
    """What an atom is expected to add to the log-density: mean and deviation by element and number of neighbours.

    The share of one atom means little by itself: a hydrogen's is not an oxygen's.
    """

    resolutions: Floats = _floats("R")  # Å
    elements: Ints = _ints("E")  # atomic numbers
    mean: Floats = _floats("REK")  # nats, by element and 0 to 4 neighbours
    deviation: Floats = _floats("REK")  # nats

    @classmethod
    def of(
        cls, shares: Sequence[Sequence[Floats]], molecules: Sequence[Molecule], resolutions: Sequence[float]
    ) -> "AtomShares":
        """From shares (N_i,) of each molecule's atoms at each resolution."""
        numbers = np.concatenate([molecule.numbers for molecule in molecules])
        neighbours = np.concatenate([_neighbours(molecule) for molecule in molecules])
        elements = np.unique(numbers)
        shape = (len(resolutions), len(elements), MAX_NEIGHBOURS + 1)
        mean, deviation = np.zeros(shape), np.ones(shape)
        for r, values in enumerate(np.concatenate(list(at)) for at in shares):
            for e, k in np.ndindex(*shape[1:]):
                own = numbers == elements[e]
                kind = own & (neighbours == k)
                kind = kind if kind.sum() >= LEAST_ATOMS else own
                mean[r, e, k], deviation[r, e, k] = values[kind].mean(), max(values[kind].std(), 1e-6)
        return cls(np.array(resolutions, dtype=np.float64), elements, mean, deviation)

    def at(self, molecule: Molecule, resolution: float) -> tuple[Floats, Floats]:
        """Mean and deviation in nats for each atom, (N,) each; `InputError` for an element that was not held out."""
        r, rows = _place(self.resolutions, resolution), np.searchsorted(self.elements, molecule.numbers)
        rows = np.minimum(rows, len(self.elements) - 1)
        if (other := self.elements[rows] != molecule.numbers).any():
            symbol = molecule.symbols[int(other.argmax())]
            raise InputError(f"{molecule.label}: no reference molecule holds {symbol}, so nothing is expected of it")
        neighbours = _neighbours(molecule)
        return self.mean[r, rows, neighbours], self.deviation[r, rows, neighbours]


def _neighbours(molecule: Molecule) -> Ints:
    return np.minimum(neighbour_counts(molecule), MAX_NEIGHBOURS)


@dataclass(frozen=True, eq=False)
class ExpectedDensity:
    """The log-density of real molecules at one resolution, by their kind: linear in `graph_counts`.

    Rigid molecules have more of it than floppy ones: without this, the densest share would be of small rings and cages.
    """

    weights: Floats = _floats("W")

    @classmethod
    def of(cls, log_density: Floats, counts: Ints) -> "ExpectedDensity":
        """By least squares over M reference molecules: log-densities (M,), counts (M, F)."""
        known = np.column_stack([np.ones(len(counts)), counts])
        ridge = 1e-3 * np.diag([0.0, *[1.0] * counts.shape[1]])
        return cls(np.linalg.solve(known.T @ known + ridge, known.T @ log_density))

    def at(self, counts: Ints) -> Floats:
        """What is expected of molecules with such counts (M, F): (M,)."""
        return np.column_stack([np.ones(len(counts)), counts]) @ self.weights


class Tables(NamedTuple):
    """All tables of one kind of geometry."""

    size: Percentiles  # of the log-likelihood
    formula: FormulaPercentiles  # of the log-likelihood, within a formula
    difference: Percentiles  # of the difference between two resolutions
    atoms: AtomShares
    density: ExpectedDensity


@dataclass(frozen=True, eq=False)
class Support:
    """How far the reference molecules of a distribution reach."""

    rings: Ints = _ints("")  # the most independent rings among them
    # atoms of the tenth smallest of them, or of the hundredth part: what is smaller has none to be compared with
    fewest: Ints = _ints("")

    @classmethod
    def of(cls, molecules: Sequence[Molecule]) -> "Support":
        """From the reference molecules."""
        sizes = sorted(molecule.n_atoms for molecule in molecules)
        rings = max(topology(molecule).rings for molecule in molecules)
        return cls(np.array(rings), np.array(sizes[min(9, len(sizes) // 100)]))


@dataclass(frozen=True, eq=False)
class References:
    """What a model keeps of held-out molecules of one distribution."""

    distribution: Distribution
    tables: Mapping[str, Tables]  # by kind of geometry
    support: Support

    def __repr__(self) -> str:
        at = ", ".join(f"{resolution:g}" for resolution in self.resolutions)
        return f"References({self.distribution.name!r}, {' and '.join(self.tables)} geometries, at {at} Å)"

    @property
    def own(self) -> str:
        """The kind of the data set's own geometries."""
        return next((kind for kind in self.tables if kind != MMFF), MMFF)

    def of(self, kind: str) -> Tables:
        """Tables for geometries of a kind, see `nearest`."""
        return self.tables[self.nearest(kind)]

    def nearest(self, kind: str) -> str:
        """The kind itself where there are tables of it, else that of the data set's own geometries."""
        return kind if kind in self.tables else self.own

    @property
    def resolutions(self) -> Floats:
        """Å: those that have tables, (R,)."""
        return self.tables[self.own].size.resolutions

    def index_of(self, resolution: float) -> int:
        """Place of a resolution among those stored; raises `InputError` that lists them."""
        return _place(self.resolutions, resolution)

    def check_kind(self, kind: str) -> None:
        """Raise `InputError` that lists the kinds for one that there is not."""
        if kind not in self.tables:
            raise InputError(
                f"{self.distribution.name} has references of {' and '.join(self.tables)} geometries, not of {kind}"
            )

    def kind_of(self, molecule: Molecule) -> str:
        """What kind of geometry it has: as it says itself where it was made here, else by the force on its atoms."""
        if MMFF not in self.tables or self.own == MMFF:
            return self.own
        return MMFF if "force_field" in molecule.properties or at_minimum(molecule) else self.own

    def outside(self, molecule: Molecule) -> str:
        """Why a molecule lies outside what the model has learnt, in words; empty where it does not.

        It has fewer atoms than any, more heavy atoms, atoms of an element or rings, or a formula that differs from all
        by more than `BEYOND` heavy atoms.
        """
        name, found = self.distribution.name, topology(molecule)
        formulas, elements = self._heavy_formulas
        counts = np.array([(molecule.numbers == number).sum() for number in elements])
        if molecule.n_atoms < (fewest := int(self.support.fewest)):
            most = self.distribution.max_atoms
            return f"{molecule.n_atoms} atoms are too few: {name} has percentiles for {fewest} to {most}"
        if found.heavy > (most := int(formulas.sum(1).max())):
            return f"{found.heavy} heavy atoms are more than {most}, the most in {name}"
        for number, n, most in zip(elements, counts, formulas.max(0), strict=True):
            if n > most:
                return f"{n} atoms of {SYMBOLS[number]} are more than {most}, the most in {name}"
        if found.rings > (most := int(self.support.rings)):
            return f"{found.rings} rings are more than {most}, the most in {name}"
        if np.abs(formulas - counts).sum(1).min() > BEYOND:
            return f"no formula of {name} is within {BEYOND} heavy atoms of {molecule.formula}"
        return ""

    @cached_property
    def _heavy_formulas(self) -> tuple[Ints, Ints]:
        """Distinct counts of the elements other than hydrogen, (F, E), and their atomic numbers (E,)."""
        numbers = np.array([atomic_number(symbol) for symbol in self.distribution.elements])
        formulas = np.array(list(self.distribution.formula_counts))
        return np.unique(formulas[:, numbers > 1], axis=0), numbers[numbers > 1]

    def to_extras(self) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        stem = f"reference.{self.distribution.name}"
        extras = _to_tensors(self.support, f"{stem}.support")
        for kind, tables in self.tables.items():
            for name, table in tables._asdict().items():
                extras |= _to_tensors(table, f"{stem}.{kind}.{name}")
        return extras

    @classmethod
    def from_extras(cls, extras: Mapping[str, Tensor], distribution: Distribution) -> "References | None":
        """Inverse of `to_extras`; None where there are no tables, `CheckpointError` where they are not whole."""
        stem = f"reference.{distribution.name}"
        kinds = sorted({match[1] for name in extras if (match := re.match(rf"{re.escape(stem)}\.(\w+)\.size\.", name))})
        if not kinds:
            return None
        types = Tables.__annotations__.items()
        tables = {
            kind: Tables(*(_from_tensors(table, extras, f"{stem}.{kind}.{name}") for name, table in types))
            for kind in kinds
        }
        found = cls(distribution, tables, _from_tensors(Support, extras, f"{stem}.support"))
        if any(held.formula.formulas.shape[1] != len(distribution.elements) for held in tables.values()):
            raise CheckpointError(f"the checkpoint's reference tables are not of {distribution.name}'s elements")
        return found
