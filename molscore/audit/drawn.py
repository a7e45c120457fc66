"""Molecules that the model under audit draws, unfiltered; kept in the audit's folder, so that none is drawn twice."""

import numpy as np

from molscore.audit.options import Options
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.stability import stability
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admissible
from molscore.screening.draw import draw_formulas, draw_positions
from molscore.screening.model import Model

__all__ = ["TEMPERATURES", "drawn", "stable_and_not"]

TEMPERATURES = (0.6, 1.0)  # the default of `generate`, and the model's own density
GUIDANCE = {0.6: 2.0, 1.0: 0.0}  # that goes with each
STEPS = 50  # network evaluations


def drawn(model: Model, options: Options, temperature: float) -> list[Molecule]:
    """`options.drawn` molecules, sizes and formulas as the model has them; those that cannot be judged left out."""
    name = f"drawn-{model.weights[:12]}-{temperature:g}-{options.drawn}-{options.seed}.parquet"
    path = options.output / name
    if path.is_file():
        found = MoleculeSet.load(path)
    else:
        counts = draw_formulas(model, options.drawn, options.seed, None, None)
        guidance = GUIDANCE[temperature]
        made = draw_positions(
            model, counts, options.seed, STEPS, "langevin", True, temperature=temperature, guidance=guidance
        )
        found = MoleculeSet.from_molecules(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save(path)
    return [molecule for molecule in found if admissible(molecule, model.distribution)]


def stable_and_not(molecules: list[Molecule]) -> tuple[list[Molecule], list[Molecule]]:
    """Those that are stable by EDM's metric, and the others."""
    whole = stability(molecules).molecules
    return ([molecules[row] for row in np.flatnonzero(kind)] for kind in (whole, ~whole))
