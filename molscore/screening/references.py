"""What a model keeps of reference molecules in geometries of one kind: percentiles by size and formula, usual atoms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from molscore.errors import InputError
from molscore.molecules.distribution import Distribution
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admissible, element_counts
from molscore.screening.formula_reference import FormulaReference
from molscore.screening.likelihood import log_permutations
from molscore.screening.reference import DIFFERENCE, GIVEN, Reference, quantile_table
from molscore.screening.usual_atoms import UsualAtoms

if TYPE_CHECKING:
    from molscore.screening.model import Model

__all__ = ["COARSER", "RESOLUTIONS", "References", "degrees_of_freedom", "make_references"]

RESOLUTIONS = (0.02, 0.05, 0.1, 0.2)  # Å
COARSER = 4.0  # the difference between two resolutions is between one and another that is this much coarser


class References(NamedTuple):
    """Tables of one kind of geometry; a checkpoint may hold some of them only."""

    size: Reference | None
    """Percentiles of the log-likelihood within a size."""
    formula: FormulaReference | None
    """Percentiles of the log-density within a formula."""
    difference: Reference | None
    """Percentiles within a size of the difference between two resolutions."""
    atoms: UsualAtoms | None
    """What an atom usually adds to the log-density."""

    def to_extras(self, distribution: str, geometry: str = GIVEN) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        extras: dict[str, Tensor] = {}
        for table in (self.size, self.formula, self.atoms):
            extras |= {} if table is None else table.to_extras(distribution, geometry)
        if self.difference is not None:
            extras |= self.difference.to_extras(distribution, geometry, DIFFERENCE)
        return extras

    @classmethod
    def from_extras(
        cls, extras: Mapping[str, Tensor], distribution: Distribution, geometry: str = GIVEN
    ) -> "References":
        """Inverse of `to_extras`, None for what is missing; CheckpointError for tables that do not fit."""
        name = distribution.name
        return cls(
            Reference.from_extras(extras, name, geometry),
            FormulaReference.from_extras(extras, name, geometry),
            Reference.from_extras(extras, name, geometry, DIFFERENCE),
            UsualAtoms.from_extras(extras, name, distribution.elements, geometry),
        )

    def over(self, other: "References") -> "References":
        """These tables, and those of `other` where there is none."""
        return References(*(theirs if mine is None else mine for mine, theirs in zip(self, other, strict=True)))


def make_references(
    model: "Model", molecules: Iterable[Molecule], resolutions: Sequence[float] = RESOLUTIONS
) -> References:
    """Tables from held-out molecules of the model's distribution; those that it cannot judge are left out.

    `Model.with_extras(references.to_extras(name))` is the model that has them. Raises `InputError` without molecules.
    """
    molecules = [molecule for molecule in molecules if admissible(molecule, model.distribution)]
    if not molecules:
        raise InputError("there are no molecules to make reference percentiles from")
    sizes, elements = np.arange(2, model.max_atoms + 1), model.distribution.elements
    n_atoms, counts = degrees_of_freedom(molecules) // 3 + 1, element_counts(molecules, elements)
    shares = [model.atom_contributions(molecules, resolution) for resolution in resolutions]
    densities = np.array([[share.sum() for share in at] for at in shares])
    coarse = [_coarse(model, molecules, COARSER * resolution, resolutions, densities) for resolution in resolutions]
    constant = model.composition.log_prob(counts) + log_permutations(counts)
    differences = (densities - np.array(coarse)) / degrees_of_freedom(molecules)
    stored = np.array(resolutions, dtype=np.float64)

    def by_size(values: NDArray[np.float64]) -> Reference:
        return Reference(stored, sizes, np.stack([quantile_table(row, n_atoms, sizes) for row in values]))

    return References(
        by_size(densities + constant),
        FormulaReference.of(densities, counts, resolutions),
        by_size(differences),
        UsualAtoms.of(shares, molecules, elements, resolutions),
    )


def degrees_of_freedom(molecules: Sequence[Molecule]) -> NDArray[np.int64]:
    """d = 3(N - 1) of each molecule, (M,)."""
    return 3 * (np.array([molecule.n_atoms for molecule in molecules]) - 1)


def _coarse(
    model: "Model",
    molecules: Sequence[Molecule],
    resolution: float,
    known: Sequence[float],
    densities: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log-densities at a coarser resolution, (M,), which may be one of those `known` already."""
    for row, value in enumerate(known):
        if np.isclose(value, resolution, rtol=1e-4):
            return densities[row]
    return model.log_density(molecules, resolution)
