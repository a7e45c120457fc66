"""The parts of an audit, in the order in which they are printed; a new one is a function more in `PARTS`."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
from tqdm import tqdm

from molscore import __version__
from molscore.audit.arbitration import arbitration
from molscore.audit.edm import edm
from molscore.audit.filtering import filtering
from molscore.audit.heads import heads
from molscore.audit.line_integral import line_integral
from molscore.audit.normalisation import normalisation
from molscore.audit.options import Options
from molscore.audit.paths import paths
from molscore.audit.record import Audit, Part
from molscore.audit.referee import referee
from molscore.audit.strain import strain
from molscore.audit.time_score import time_score
from molscore.audit.usefulness import usefulness
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError, MolscoreError
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admit_all
from molscore.screening.model import Model

__all__ = ["PARTS", "Measure", "audit"]

Measure = Callable[[Model, MoleculeSet, Options], Part]
PARTS: tuple[Measure, ...] = (
    time_score, heads, normalisation, referee, line_integral, paths, arbitration, edm, usefulness, filtering, strain,
)  # fmt: skip


def audit(
    model: Model,
    held_out: MoleculeSet,
    options: Options,
    parts: Sequence[Measure] = PARTS,
    after: Callable[[Audit], object] = bool,
) -> Audit:
    """Run the parts that `options.only` names (all by default) on held-out molecules that the model can judge.

    `after` is told of what has been found so far, after each part.
    Raises `InputError` for a name that is no part's and where no molecule is left.
    """
    names = [part.__name__ for part in parts]
    unknown = sorted(set(options.only) - set(names))
    if unknown:
        raise InputError(f"the audit has no part {unknown[0]!r}; parts are {', '.join(names)}")
    fit = held_out.select(np.flatnonzero([_fits(molecule, model) for molecule in held_out]))
    if len(fit) < 2:
        raise InputError(f"model {model.name} can judge {len(fit)} of the held-out molecules; an audit needs two")
    wanted = [part for part in parts if not options.only or part.__name__ in options.only]
    provenance = {
        "version": __version__, "model": model.name, "weights": model.weights,
        "distribution": model.distribution.name, "held_out": len(fit),
        "options": {name: str(value) for name, value in asdict(options).items()},
    }  # fmt: skip
    found = Audit(provenance, ())
    for part in tqdm(wanted, desc="audit", unit="part", file=sys.stderr):
        started = time.perf_counter()
        result = part(model, fit, options)
        found = Audit(provenance, (*found.parts, replace(result, seconds=time.perf_counter() - started)))
        after(found)
    return found


def _fits(molecule: Molecule, model: Model) -> bool:
    try:
        admit_all([molecule], model.distribution)
    except MolscoreError:
        return False
    return True
