"""Guides: numbers that molecules are wanted to have, `--guide` on the command line; any function in Python.

A guide f takes a `Candidate` and gives a number; draws are then from p(molecule) exp(f), so f is in nats. Those by name
are in units of how much the number varies in QM9: one such unit more is worth `strength` nats.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors3D, rdMolDescriptors
from torch import Tensor

from molscore.errors import InputError
from molscore.molecules.molecule import Molecule
from molscore.screening.candidate import Candidate, inspect

__all__ = ["GUIDES", "Guide", "guide_of", "log_weights"]

Guide = Callable[[Candidate], float]


class Property(NamedTuple):
    """A number of a molecule with bonds."""

    value: Callable[[Chem.Mol], float]
    scale: float
    """Its standard deviation in QM9, about."""


GUIDES = {
    "qed": Property(lambda mol: QED.qed(Chem.RemoveHs(mol)), 0.07),
    "logp": Property(lambda mol: Crippen.MolLogP(mol), 1.0),
    "tpsa": Property(lambda mol: rdMolDescriptors.CalcTPSA(mol), 20.0),
    "gyration": Property(lambda mol: Descriptors3D.RadiusOfGyration(mol), 0.25),
}


def guide_of(text: str, strength: float = 3.0) -> Guide:
    """From a text such as ``qed``, as much as can be, or ``logp=1.5``, as near as can be; `InputError` for another."""
    name, _, target = text.partition("=")
    if name not in GUIDES:
        raise InputError(f"guide {name!r} is none of {', '.join(GUIDES)}")
    try:
        goal = float(target) if target else None
    except ValueError:
        raise InputError(f"guide {text!r}: {target!r} is no number") from None
    value, scale = GUIDES[name]

    def guide(candidate: Candidate) -> float:
        found = value(candidate.mol)
        return strength * (found if goal is None else -abs(found - goal)) / scale

    return guide


def log_weights(guide: Guide, molecules: Sequence[Molecule]) -> Tensor:
    """f of each molecule, (B,) float64; minus infinity for those without bonds that make sense, or where f is NaN."""
    found = [_log_weight(guide, inspect(molecule, index)) for index, molecule in enumerate(molecules)]
    return torch.tensor(found, dtype=torch.float64)


def _log_weight(guide: Guide, candidate: Candidate) -> float:
    if not candidate.passed:
        return -np.inf
    value = float(guide(candidate))
    return -np.inf if np.isnan(value) else value
