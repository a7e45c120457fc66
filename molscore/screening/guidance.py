"""Guides: functions that say what is wanted of a molecule. Samplers and networks know nothing of them.

A guide f takes a `Candidate` and gives a number in nats: draws are from p(molecule) exp(f). Those by name, `--guide` on
the command line, are in units of how much the number varies in QM9, of which each is worth `strength` nats.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors3D, rdMolDescriptors, rdShapeAlign
from torch import Tensor

from molscore.arguments import check_number, check_text, with_type
from molscore.errors import InputError
from molscore.molecules.bonds import bare_mol
from molscore.molecules.convert import as_molecules, first_of
from molscore.molecules.molecule import Molecule
from molscore.screening.checks import Candidate, inspect

__all__ = ["GUIDES", "Guide", "guide_of", "log_weights", "property_of"]

Guide = Callable[[Candidate], float]


class Property(NamedTuple):
    """A number of a molecule with bonds."""

    value: Callable[[Chem.Mol], float]
    scale: float  # its standard deviation in QM9, about
    least: float = -math.inf
    most: float = math.inf


GUIDES = {
    "qed": Property(lambda mol: QED.qed(Chem.RemoveHs(mol)), 0.07, 0.0, 1.0),
    "logp": Property(lambda mol: Crippen.MolLogP(mol), 1.0),
    "tpsa": Property(lambda mol: rdMolDescriptors.CalcTPSA(mol), 20.0, 0.0),
    "gyration": Property(lambda mol: Descriptors3D.RadiusOfGyration(mol), 0.25, 0.0),
}


def property_of(text: str) -> tuple[Property, float | None]:
    """The property that a text names and its goal: ``qed``, ``logp=1.5``, or ``shape=REFERENCE``, a file or a SMILES.

    Raises `InputError` for another, and for a goal that no molecule can have.
    """
    check_text("a guide by name", text, "logp=1.5")
    name, _, target = text.partition("=")
    if name == "shape" and target:
        return Property(_likeness_in_shape(as_molecules(first_of(target))[0]), 0.1), None
    if name not in GUIDES:
        raise InputError(f"guide {name!r} is none of {', '.join(GUIDES)}, shape=REFERENCE")
    wanted = GUIDES[name]
    if not target:
        return wanted, None
    try:
        goal = float(target)
    except ValueError:
        raise InputError(f"guide {text!r}: {target!r} is no number") from None
    if not (math.isfinite(goal) and wanted.least <= goal <= wanted.most):
        raise InputError(f"guide {text!r}: {name} lies between {wanted.least:g} and {wanted.most:g}")
    return wanted, goal


def _likeness_in_shape(reference: Molecule) -> Callable[[Chem.Mol], float]:
    """Overlap of heavy atoms as Gaussians after the best alignment, shared volume by joint volume, 0 to 1.

    Source: Grant, Gallardo and Pickup 1996, doi 10.1002/(SICI)1096-987X(19961115)17:14<1653::AID-JCC7>3.0.CO;2-K.
    """
    wanted = bare_mol(reference)
    return lambda mol: rdShapeAlign.AlignMol(wanted, Chem.Mol(mol), useColors=False)[0]


def guide_of(text: str, strength: float = 3.0) -> Guide:
    """Of a property as `property_of` reads it: as much as can be, or as near its goal as can be."""
    wanted, goal = property_of(text)
    check_number("the strength of a guide", strength, "nats")

    def guide(candidate: Candidate) -> float:
        found = wanted.value(candidate.mol)
        return strength * (found if goal is None else -abs(found - goal)) / wanted.scale

    return guide


def log_weights(guide: Guide, molecules: Sequence[Molecule]) -> Tensor:
    """f of each molecule, (B,) float64; minus infinity without bonds that make sense, where atoms clash or f is NaN."""
    found = [_log_weight(guide, inspect(molecule, index)) for index, molecule in enumerate(molecules)]
    return torch.tensor(found, dtype=torch.float64)


def _log_weight(guide: Guide, candidate: Candidate) -> float:
    if not candidate.passed:
        return -np.inf
    found = guide(candidate)
    try:
        value = float(found)
    except (TypeError, ValueError):
        raise InputError(f"a guide gives a number of nats, not {with_type(found)}") from None
    return -np.inf if np.isnan(value) else value
