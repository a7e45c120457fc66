"""The tables that a trained model carries beside its weights: percentiles, usual atoms, known molecules."""

from collections.abc import Iterable, Sequence

import torch

from molscore.molecules.conformer_pool import ConformerPool
from molscore.molecules.known import Known
from molscore.molecules.molecule import Molecule
from molscore.screening.model import Model
from molscore.screening.pooled import cores
from molscore.screening.reference import ETKDG
from molscore.screening.references import RESOLUTIONS, make_references

__all__ = ["with_tables"]


def with_tables(
    model: Model,
    held_out: Iterable[Molecule],
    held_out_smiles: Iterable[str] = (),
    known_smiles: Iterable[str] = (),
    resolutions: Sequence[float] = RESOLUTIONS,
) -> Model:
    """The model with percentiles for molecules like those held out, and the list of those that are not novel.

    `held_out` gives the percentiles of geometries of the data set's own kind, `held_out_smiles` those of geometries
    made from SMILES; molecules that are not among `known_smiles`, all of the data set, are novel. What is not given
    is left out.
    """
    name = model.distribution.name
    extras = make_references(model, held_out, resolutions).to_extras(name)
    if smiles := list(held_out_smiles):
        with ConformerPool(cores()) as pool:
            made = [found[0] for found in pool.embed(smiles) if isinstance(found, list)]
        extras |= make_references(model, made, resolutions).to_extras(name, ETKDG)
    if known := list(known_smiles):
        extras[f"known.{name}"] = torch.from_numpy(Known.make(known).pack())
    return model.with_extras(extras)
