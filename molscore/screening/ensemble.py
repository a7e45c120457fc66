"""Several geometries of one molecule, judged as one.

    log_density = ln( 1/k sum_j p_sigma(x_j | elements) ),   j = 1 ... k

the logarithm of the mean density over k conformers as they were drawn: an estimate of the density that the molecule has
on average over the conformers that ETKDGv3 and MMFF94s make of it. None is left out, also where several relax into one
minimum: how often a minimum is found is its weight, and without them the mean would hang on a threshold of sameness.
It is a mean and no sum, so that more conformers do not make a molecule likelier, and the tables of percentiles, which
are of one geometry a molecule, go on holding: it lies between the mean and the largest of the single log-densities, and
is the one where k = 1. As with any logarithm of a mean, few conformers give too little on average.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molscore.molecules.molecule import Molecule
from molscore.screening.criteria import Case
from molscore.screening.likelihood import Terms
from molscore.screening.model import Model
from molscore.screening.reference import COARSER

__all__ = ["log_mean_exp", "together"]


def together(
    model: Model, molecules: Sequence[Sequence[Molecule]], resolution: float, coarse: bool, given: Model | None = None
) -> Case:
    """M molecules in one geometry or more each; `coarse` gives the log-densities at the coarser resolution as well, and
    `given`, a model that was given references, its own terms.

    ``molecules`` of the case are the likeliest geometry of each.
    """
    members = [conformer for conformers in molecules for conformer in conformers]
    sizes = np.array([len(conformers) for conformers in molecules])
    terms = model.terms(members, resolution)
    starts = np.cumsum(sizes) - sizes
    parts = np.split(terms.log_density, starts[1:])
    best = starts + [int(part.argmax()) for part in parts]

    def of_molecules(terms: Terms) -> Terms:
        density = log_mean_exp(terms.log_density, sizes)
        return Terms(terms.log_composition[best], density, terms.log_permutations[best])

    return Case(
        model,
        [members[i] for i in best],
        of_molecules(terms),
        resolution,
        log_mean_exp(model.log_density(members, COARSER * resolution), sizes) if coarse else None,
        given,
        None if given is None else of_molecules(given.terms(members, resolution)),
    )


def log_mean_exp(values: NDArray[np.float64], sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """ln of the mean of exp of M runs of values, of `sizes` (M,) values each and at least one: (M,)."""
    return np.logaddexp.reduceat(values, np.cumsum(sizes) - sizes) - np.log(sizes)
