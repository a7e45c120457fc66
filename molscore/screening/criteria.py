"""What molecules are ordered by: every criterion, and the one that is taken unless another is asked for.

All are such that the larger is the likelier. Raw numbers favour some sizes and simple molecules; percentiles, and the
difference between two resolutions, do not: see docs/likelihood.md, and `molscore audit` for which tells good from bad.
The difference is best at geometries that were shaken; made from SMILES, those of any molecule are as good, and only the
percentile tells molecules that are not like the data. Of molecules that a model drew, those that are wrong are wrong in
what is bonded, and the codimension tells: how fast the density falls with blur where bonds come undone,

    codimension = [ln p_0.4 Å(x) - ln p_0.5 Å(x)] / [(3N - 6) ln(0.5/0.4)]

Near a surface that the data lie on, ln p_sigma(x) changes by -(its codimension) d ln sigma (Tempczyk et al. 2022, LIDL,
arXiv 2206.14882). An isolated shape, free to turn, has 3N - 6, and so 1 here; a geometry that blurs into
other molecules has less. Such slopes undo the likelihood paradox (Kamkari et al. 2024, arXiv 2403.18910).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from molscore.errors import InputError
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import element_counts
from molscore.screening.likelihood import Terms
from molscore.screening.passes import check_sigma
from molscore.screening.reference import Reference
from molscore.screening.references import COARSER, References, degrees_of_freedom

if TYPE_CHECKING:
    from molscore.screening.model import Model

__all__ = ["DEFAULT", "DIGITS", "DRAWN", "ORDERS", "Case", "check_order", "choose_order", "criterion", "has_tables"]

DEFAULT = "percentile"  # of `rank`, for a model that has the tables
DRAWN = "codimension"  # of `generate`
BONDS = (0.4, 0.5)  # Å: where molecules take shape, and draws that will be stable part from others


class Case(NamedTuple):
    """Molecules that were judged at one resolution."""

    model: "Model"
    molecules: Sequence[Molecule]
    terms: Terms
    resolution: float
    coarse: NDArray[np.float64] | None = None
    """Log-densities at a resolution `COARSER` times coarser, (M,), where they are known already."""

    def standing(self, percentile: Callable[[References], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Percentiles by the tables of each molecule's kind of geometry: like is compared with like."""
        given = percentile(self.model.references)
        made = np.array(["force_field" in molecule.properties for molecule in self.molecules], dtype=bool)
        return np.where(made, percentile(self.model.references_etkdg), given) if made.any() else given


def _percentile(case: Case) -> NDArray[np.float64]:
    sizes = [molecule.n_atoms for molecule in case.molecules]
    return case.standing(lambda tables: tables.size.percentile(case.terms.log_likelihood, sizes, case.resolution))


def _formula_percentile(case: Case) -> NDArray[np.float64]:
    counts, within_size = element_counts(case.molecules, case.model.distribution.elements), _percentile(case)
    density = case.terms.log_density
    return case.standing(lambda tables: tables.formula.percentile(density, counts, within_size, case.resolution))


def _difference(case: Case) -> NDArray[np.float64]:
    coarse = case.coarse
    if coarse is None:
        coarse = case.model.log_density(case.molecules, COARSER * case.resolution)
    return (case.terms.log_density - coarse) / degrees_of_freedom(case.molecules)


def _difference_percentile(case: Case) -> NDArray[np.float64]:
    sizes, values = [molecule.n_atoms for molecule in case.molecules], _difference(case)
    return case.standing(lambda tables: tables.difference.percentile(values, sizes, case.resolution))


def _codimension(case: Case) -> NDArray[np.float64]:
    fine, coarse = (case.model.log_density(case.molecules, sigma) for sigma in BONDS)
    internal = np.maximum(degrees_of_freedom(case.molecules) - 3, 1)  # two atoms: 3N - 5, as they turn about two axes
    return (fine - coarse) / (internal * np.log(BONDS[1] / BONDS[0]))


_CRITERIA: dict[str, Callable[[Case], NDArray[np.float64]]] = {
    "percentile": _percentile,
    "formula_percentile": _formula_percentile,
    "difference": _difference,
    "difference_percentile": _difference_percentile,
    "codimension": _codimension,
    "log_likelihood": lambda case: case.terms.log_likelihood,
    "log_density": lambda case: case.terms.log_density,
    "per_degree": lambda case: case.terms.log_density / degrees_of_freedom(case.molecules),
}
ORDERS = tuple(_CRITERIA)
DIGITS = {"codimension": 5, "difference": 5, "per_degree": 5, "log_likelihood": 4, "log_density": 4}  # others: two
_TABLES = {"percentile": "size", "formula_percentile": "formula", "difference_percentile": "difference"}


def criterion(case: Case, by: str) -> NDArray[np.float64]:
    """The numbers that molecules are ordered by, (M,): larger is likelier."""
    return _CRITERIA[by](case)


def check_order(model: "Model", by: str, resolution: float) -> None:
    """Raise `InputError` for an order that there is not, or that this model has no tables for at this resolution."""
    if by not in _CRITERIA:
        raise InputError(f"molecules are ordered by {', '.join(ORDERS)}, not by {by!r}")
    if by in _TABLES:
        table: Reference | None = getattr(model.references, _TABLES[by])
        if table is None:
            raise InputError(f"model {model.name} has no reference for {by}; order by log_likelihood instead")
        table.index_of(resolution)
    if by.startswith("difference"):
        check_sigma(COARSER * resolution)


def has_tables(model: "Model", by: str, resolution: float) -> bool:
    """Whether the model can order by `by` at this resolution."""
    try:
        check_order(model, by, resolution)
    except InputError:
        return False
    return True


def choose_order(model: "Model", by: str | None, resolution: float) -> str:
    """What to order by: `by`, else `DEFAULT`, or log_likelihood for a model without any percentiles.

    Raises `InputError` as `check_order` does.
    """
    if by is None:
        tables = model.references
        by = "log_likelihood" if tables.size is None else DEFAULT
        if by in _TABLES and getattr(tables, _TABLES[by]) is None:
            by = "percentile"  # of a checkpoint made before there were more tables
    check_order(model, by, resolution)
    return by
