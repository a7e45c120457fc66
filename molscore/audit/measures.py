"""Every criterion that molecules can be ordered by, for one group of molecules, from as few passes as it takes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molscore.molecules.molecule import Molecule
from molscore.screening.admission import element_counts
from molscore.screening.criteria import ORDERS, Case, criterion, has_tables
from molscore.screening.likelihood import Terms, log_permutations
from molscore.screening.model import Model
from molscore.screening.reference import COARSER

__all__ = ["available", "measures"]


def available(model: Model, resolution: float) -> tuple[str, ...]:
    """The orders that the model has tables for."""
    return tuple(by for by in ORDERS if has_tables(model, by, resolution))


def measures(
    model: Model,
    molecules: Sequence[Molecule],
    resolution: float,
    parents: Sequence[Molecule] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """The criteria by name, (M,) each.

    With `parents` the probability of size and formula is that of the parent: of a formula that no molecule has it would
    be zero, and every whole number would tell the groups apart by counting electrons, without a look at the geometry.
    """
    of = list(molecules if parents is None else parents)
    elements = model.distribution.elements
    composition = model.composition.log_prob(element_counts(of, elements))
    permutations = log_permutations(element_counts(molecules, elements))
    terms = Terms(composition, model.log_density(molecules, resolution), permutations)
    case = Case(model, molecules, terms, resolution, model.log_density(molecules, COARSER * resolution))
    return {by: criterion(case, by) for by in available(model, resolution)}
