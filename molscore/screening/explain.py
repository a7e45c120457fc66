"""Which atoms make a molecule unlikely: each atom's share in the log-density, beside what is expected of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molscore.errors import InputError
from molscore.molecules.drawing import draw_weights, weights_picture
from molscore.molecules.files import check_place
from molscore.molecules.molecule import Molecule
from molscore.screening.predictor import RESOLUTION, Predictor, element_counts
from molscore.screening.ring_systems import systems_of_bonds

__all__ = ["FULL_COLOUR", "Belonging", "Explanation", "check_picture", "explain", "explain_all", "explain_like"]

FULL_COLOUR = 5.0  # nats less likely than expected: full red, so that pictures compare


@dataclass(frozen=True, eq=False)
class Explanation:
    """A molecule's log-density atom by atom."""

    molecule: Molecule
    resolution: float
    """Å."""
    shares: NDArray[np.float64]
    """(N,) nats; their sum is the log-density."""
    expected: NDArray[np.float64]
    """(N,) nats: mean share of atoms of this element with as many neighbours, in held-out molecules."""
    deviation: NDArray[np.float64]
    """(N,) nats: its standard deviation."""
    outside: str = ""
    """Why the molecule as a whole lies outside what the model has learnt, in words; empty where it does not."""

    @property
    def missing(self) -> NDArray[np.float64]:
        """(N,) nats below what is expected: positive for atoms that make the molecule unlikely."""
        return self.expected - self.shares

    def rows(self) -> list[dict[str, Any]]:
        """The facts of each atom by name, in the order of the molecule."""
        columns = {
            "log_density": self.shares.round(3),
            "expected": self.expected.round(3),
            "missing": self.missing.round(3),
            "deviations": (self.missing / self.deviation).round(2),
        }
        return [
            {"atom": row, "element": symbol} | {name: float(values[row]) for name, values in columns.items()}
            for row, symbol in enumerate(self.molecule.symbols)
        ]

    def to_text(self) -> str:
        """One line an atom, those that make the molecule most unlikely first, then the sums."""
        lines = [f"{'atom':>4} {'':2} {'log-density':>11} {'expected':>8} {'missing':>8} nats {'deviations':>10}"]
        for row in sorted(self.rows(), key=lambda row: -row["missing"]):
            lines.append(
                f"{row['atom']:4} {row['element']:2} {row['log_density']:11.2f} {row['expected']:8.2f} "
                f"{row['missing']:8.2f}      {row['deviations']:10.1f}"
            )
        total, mean = self.shares.sum(), self.expected.sum()
        lines.append(f"{'sum':>4} {'':2} {total:11.2f} {mean:8.2f} {mean - total:8.2f} at {self.resolution:g} Å")
        lines += [f"outside the data: {self.outside}"] if self.outside else []
        return "\n".join(lines)

    def draw(self, path: str | Path) -> None:
        """SVG or PNG by suffix: red atoms make the molecule unlikely, blue ones fit better than expected.

        Atoms have the numbers of `rows`. The colour is full at `FULL_COLOUR` nats; hydrogens count with the atom that
        they are bonded to.
        """
        check_picture(path)
        draw_weights(self.molecule, self.missing, path, self._legend, full=FULL_COLOUR)

    @property
    def _legend(self) -> str:
        return (
            f"red: less likely than expected of such an atom, full at {FULL_COLOUR:g} nats\n"
            f"blue: likelier; hydrogens count with their neighbour; at {self.resolution:g} angstrom"
        )

    def __repr__(self) -> str:
        return f"Explanation({self.molecule!r} at {self.resolution:g} Å; to_text() shows its atoms)"

    def _repr_html_(self) -> str:
        """The picture and the table, for notebooks."""
        picture = weights_picture(self.molecule, self.missing, "svg", self._legend, full=FULL_COLOUR).decode()
        return f"{picture[picture.index('<svg') :]}<pre>{self.to_text()}</pre>"


def explain(model: Predictor | str | Path, molecule: Any, resolution: float = RESOLUTION) -> Explanation:
    """The log-density of one molecule atom by atom, beside what is expected in geometries of its kind.

    `model` is a `Model` or what `molscore.load` takes.
    Raises `InputError` for more molecules than one and for a model without such tables.
    """
    model = Predictor.load(model)
    return explain_all(model, _only(model, molecule), resolution)[0]


def _only(model: Predictor, molecule: Any) -> Sequence[Molecule]:
    found = model.molecules(molecule)
    if len(found) != 1:
        raise InputError(f"one molecule is explained at a time, not {len(found)}")
    return found


def explain_all(model: Predictor, molecules: Any, resolution: float = RESOLUTION) -> list[Explanation]:
    """`explain` for many molecules in one go."""
    found = model.molecules(molecules)
    if (references := model.references) is None:
        raise InputError(f"model {model.name} does not hold what is expected of an atom; make its tables again")
    return [
        Explanation(
            molecule,
            resolution,
            shares,
            *references.of(references.kind_of(molecule)).atoms.at(molecule, resolution),
            references.outside(molecule),
        )
        for molecule, shares in zip(found, model.atom_contributions(found, resolution), strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Belonging:
    """What speaks for a molecule belonging to some references, and what against."""

    molecule: Molecule
    formula: float
    """nats of log_ratio by its size and formula."""
    rings: float
    """nats of log_ratio by its ring systems."""
    systems: tuple[tuple[str, tuple[int, ...], float], ...]
    """Ring systems with their atoms, and which share of the references has each."""

    def rows(self) -> list[dict[str, Any]]:
        """The facts of each part by name."""
        parts = [{"part": name, "log_ratio": round(nats, 3)} for name, nats in self._parts]
        return parts + [
            {"part": name, "atoms": list(atoms), "references": round(share, 3)} for name, atoms, share in self.systems
        ]

    @property
    def _parts(self) -> tuple[tuple[str, float], ...]:
        return ("formula", self.formula), ("ring systems", self.rings), ("in all", self.formula + self.rings)

    def to_text(self) -> str:
        """The parts of log_ratio in nats, then a line a ring system."""
        lines = [f"{nats:8.2f} nats  {name}" for name, nats in self._parts]
        for name, atoms, share in self.systems:
            lines.append(f"{share:8.0%} of the references have {name}, here atoms {', '.join(map(str, atoms))}")
        return "\n".join(lines)

    def draw(self, path: str | Path) -> None:
        """SVG or PNG by suffix: ring systems that the references have are blue, others red."""
        check_picture(path)
        weights = np.zeros(self.molecule.n_atoms)
        for _, atoms, share in self.systems:
            weights[list(atoms)] = 1 - 2 * share
        draw_weights(self.molecule, weights, path, "blue: ring systems of the references; red: others", full=1.0)


def explain_like(model: Predictor, molecule: Any) -> Belonging:
    """Why a molecule is likelier, or not, among the references that `model` was `given` than in general.

    Raises `InputError` for more molecules than one, for a model without references and one without a table of ring
    systems.
    """
    if model.series is None:
        raise InputError(f"model {model.name} was given no references, or has no table of ring systems")
    found = _only(model, molecule)
    counts = element_counts(found, model.distribution.elements)
    systems = systems_of_bonds(found[0].numbers, model.bonds(found)[0])
    rings = model.series.log_ratio([" ".join(sorted({name for name, _ in systems}))], counts)
    parts = tuple((name, atoms, model.series.share_with(name)) for name, atoms in systems)
    formula = model.composition.log_prob(counts) - model.plain.composition.log_prob(counts)
    return Belonging(found[0], float(formula[0]), float(rings[0]), parts)


def check_picture(path: str | Path) -> None:
    """Raise `InputError` for a file that is neither ``.svg`` nor ``.png``, `OutputError` where it cannot be written."""
    if Path(path).suffix.lower() not in (".svg", ".png"):
        raise InputError(f"{path}: a picture is .svg or .png")
    check_place(path)
