"""What molecules are ordered by: every criterion, and the one that is taken unless another is asked for.

All are such that the larger is the likelier. Raw numbers favour some sizes and simple molecules; percentiles, and the
difference between two resolutions, do not: see docs/likelihood.md, and `molscore audit` for which tells good from bad.
The difference is best at geometries that were shaken; made from SMILES, those of any molecule are as good, and only the
percentile tells molecules that are not like the data. Of molecules that a model drew, those that are wrong are wrong in
what is bonded, and the codimension tells: how fast the density falls with blur where bonds come undone,

    codimension = [ln p_0.4 Å(x) - ln p_0.5 Å(x)] / [(3N - 6) ln(0.5/0.4)]

Near a surface that the data lie on, ln p_sigma(x) changes by -(its codimension) d ln sigma (Tempczyk et al. 2022, LIDL,
arXiv 2206.14882). An isolated shape, free to turn, has 3N - 6, and so 1 here; a geometry that blurs into
other molecules has less. Such slopes undo the likelihood paradox (Kamkari et al. 2024, arXiv 2403.18910). Real cages
have more of it than real chains and aromatic rings; of draws that passed the checks the better share, and no other kind
of molecule, is told by the excess of the density at 0.2 Å over what real molecules of the same kind have.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from molscore.errors import InputError, ParseError
from molscore.molecules.chem import graph_counts, mol_from_molecule
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import topology
from molscore.screening.columns import DEFAULT, LIKE, ORDERS, WITH_REFERENCES
from molscore.screening.predictor import Predictor, Terms, check_resolution, degrees_of_freedom, element_counts
from molscore.screening.reference import COARSER, EXCESS_AT, Tables

__all__ = ["BONDS", "Case", "check_order", "choose_order", "criterion", "has_tables"]

BONDS = (0.4, 0.5)  # Å: where molecules take shape, and draws that will be stable part from others


Rows = NDArray[np.intp]


class Case(NamedTuple):
    """Molecules that were judged at one resolution."""

    model: Predictor
    molecules: Sequence[Molecule]
    terms: Terms
    resolution: float
    # log-densities at a resolution `COARSER` times coarser, (M,), where they are known already
    coarse: NDArray[np.float64] | None = None
    given: Predictor | None = None  # the model that was given references
    given_terms: Terms | None = None  # its terms, where they are known already
    # of each molecule's geometry; told by the geometry itself unless given. See `References.kind_of`.
    kinds: Sequence[str] | None = None

    @property
    def outside(self) -> list[str]:
        """Why each molecule lies outside what the model has learnt, (M,); empty where it does not."""
        references = self.model.references
        return ["" if references is None else references.outside(molecule) for molecule in self.molecules]

    def numbers(self, names: Iterable[str], outside: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Criteria by name, (M,) each; NaN for percentiles of molecules `outside`, and where there are no tables."""
        found, beyond = {}, np.array(outside) != ""
        for name in dict.fromkeys(names):
            known = name in WITH_REFERENCES or has_tables(self.model, name, self.resolution)
            values = criterion(self, name) if known else np.full(len(self.molecules), np.nan)
            found[name] = np.where(beyond, np.nan, values) if name.endswith("percentile") else values
        return found

    def by_kind(self, percentile: Callable[[Tables, Rows], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Percentiles by the tables of each molecule's kind of geometry, (M,): like is compared with like."""
        references, found = self.model.references, np.zeros(len(self.molecules))
        kinds = np.array(self.kinds or [references.kind_of(molecule) for molecule in self.molecules])
        for kind in np.unique(kinds):
            rows = np.flatnonzero(kinds == kind)
            found[rows] = percentile(references.of(str(kind)), rows)
        return found

    def like(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What decides which reference molecules some are compared with: atoms and rotatable bonds, (len(rows),)."""
        members = [self.molecules[row] for row in rows]
        return np.array([m.n_atoms for m in members]), np.array([topology(m).rotatable for m in members])


def _percentile(case: Case) -> NDArray[np.float64]:
    values = case.terms.log_likelihood
    return case.by_kind(lambda tables, rows: tables.size.percentile(values[rows], *case.like(rows), case.resolution))


def _formula_percentile(case: Case) -> NDArray[np.float64]:
    counts = element_counts(case.molecules, case.model.distribution.elements)
    values, within_size = case.terms.log_likelihood, _percentile(case)

    def within_formula(tables: Tables, rows: Rows) -> NDArray[np.float64]:
        standardised = tables.size.standardised(values[rows], *case.like(rows), case.resolution)
        return tables.formula.percentile(standardised, counts[rows], within_size[rows], case.resolution)

    return case.by_kind(within_formula)


def _difference(case: Case) -> NDArray[np.float64]:
    coarse = case.coarse
    if coarse is None:
        coarse = case.model.log_density(case.molecules, COARSER * case.resolution)
    return (case.terms.log_density - coarse) / degrees_of_freedom(case.molecules)


def _difference_percentile(case: Case) -> NDArray[np.float64]:
    values = _difference(case)
    return case.by_kind(
        lambda tables, rows: tables.difference.percentile(values[rows], *case.like(rows), case.resolution)
    )


def _codimension(case: Case) -> NDArray[np.float64]:
    fine, coarse = (case.model.log_density(case.molecules, sigma) for sigma in BONDS)
    internal = np.maximum(degrees_of_freedom(case.molecules) - 3, 1)  # two atoms: 3N - 5, as they turn about two axes
    return (fine - coarse) / (internal * np.log(BONDS[1] / BONDS[0]))


def _density_excess(case: Case) -> NDArray[np.float64]:
    """nats; NaN for a molecule without bonds that fit."""
    counts = np.array([_graph_counts(molecule) for molecule in case.molecules], dtype=np.float64)
    values = case.model.log_density(case.molecules, EXCESS_AT)
    return case.by_kind(lambda tables, rows: values[rows] - tables.density.at(counts[rows]))


def _graph_counts(molecule: Molecule) -> Sequence[float]:
    graph = getattr(molecule, "mol", None)  # that of a candidate
    try:
        return graph_counts(mol_from_molecule(molecule) if graph is None else graph)
    except ParseError:
        return [np.nan] * 5


def _given(case: Case) -> NDArray[np.float64]:
    terms = case.given_terms or case.given.terms_given(case.molecules, case.terms, case.resolution)
    return terms.log_likelihood


_CRITERIA: dict[str, Callable[[Case], NDArray[np.float64]]] = {
    "percentile": _percentile,
    "formula_percentile": _formula_percentile,
    "difference": _difference,
    "difference_percentile": _difference_percentile,
    "codimension": _codimension,
    "density_excess": _density_excess,
    "log_ratio": lambda case: _given(case) - case.terms.log_likelihood,
    "log_likelihood_given": _given,
    "log_likelihood": lambda case: case.terms.log_likelihood,
    "log_density": lambda case: case.terms.log_density,
    "per_degree": lambda case: case.terms.log_density / degrees_of_freedom(case.molecules),
}
_FROM_TABLES = ("percentile", "formula_percentile", "difference_percentile", "density_excess")


def criterion(case: Case, by: str) -> NDArray[np.float64]:
    """The numbers that molecules are ordered by, (M,): larger is likelier."""
    return _CRITERIA[by](case)


def check_order(model: Predictor, by: str, resolution: float, like: bool = False) -> None:
    """Raise `InputError` for an order that there is not, that this model has no tables for at this resolution, or that
    needs references to be `like`."""
    if by not in _CRITERIA:
        raise InputError(f"molecules are ordered by {', '.join(ORDERS)}, not by {by!r}")
    check_resolution(resolution)
    if by in WITH_REFERENCES and not like:
        raise InputError(f"{by} is given references: name them (--like FILE, like=)")
    if by in _FROM_TABLES:
        if model.references is None:
            raise InputError(f"model {model.name} has no reference for {by}; order by log_likelihood instead")
        try:
            model.references.index_of(resolution)
        except InputError as error:
            raise InputError(f"{error}; by log_likelihood there is an order at any") from None
    if by.startswith("difference"):
        check_resolution(COARSER * resolution)


def has_tables(model: Predictor, by: str, resolution: float) -> bool:
    """Whether the model can order by `by` at this resolution."""
    try:
        check_order(model, by, resolution)
    except InputError:
        return False
    return True


def choose_order(model: Predictor, by: str | None, resolution: float, like: bool = False) -> str:
    """What to order by: `by`, else `LIKE` with references, `DEFAULT`, or log_likelihood without any percentiles.

    Raises `InputError` as `check_order` does.
    """
    if by is None:
        by = LIKE if like else "log_likelihood" if model.references is None else DEFAULT
    check_order(model, by, resolution, like)
    return by
