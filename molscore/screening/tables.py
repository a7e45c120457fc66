"""The tables that a trained model carries beside its weights: reference percentiles and its training molecules."""

from collections.abc import Iterable, Sequence

import torch

from molscore.molecules.known import Known
from molscore.molecules.molecule import Molecule
from molscore.screening.model import Model
from molscore.screening.reference import RESOLUTIONS, make_reference

__all__ = ["with_tables"]


def with_tables(
    model: Model,
    held_out: Iterable[Molecule],
    training_smiles: Iterable[str] = (),
    resolutions: Sequence[float] = RESOLUTIONS,
) -> Model:
    """The model with percentiles from `held_out` molecules and, given SMILES, hashes of the training molecules."""
    extras = make_reference(model, held_out, resolutions).to_extras(model.distribution.name)
    if known := list(training_smiles):
        extras["known"] = torch.from_numpy(Known.make(known).hashes)
    return model.with_extras(extras)
