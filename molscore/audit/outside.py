"""Real molecules that are not the model's: from a file, within its elements and sizes, unknown to its data set."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from molscore.audit.options import Options
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError, MolscoreError
from molscore.molecules.chem import smiles_of
from molscore.molecules.conformers import embed
from molscore.molecules.files import read
from molscore.molecules.formula import check_formula
from molscore.molecules.known import Known
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admissible
from molscore.screening.model import Model

__all__ = ["embedded", "outside"]


def outside(path: Path, model: Model, held_out: MoleculeSet, options: Options) -> list[Molecule]:
    """Up to `options.n` of a file's molecules that the model can judge and that neither its training data nor the
    held-out ones have.

    Raises `InputError` for a file that cannot be read or that has no such molecule.
    """
    texts = held_out.columns.get("smiles")
    seen = None if texts is None else Known.make(texts.tolist())
    found, left_out = [], Counter()
    records = list(read(path))
    for row in np.random.default_rng(options.seed).permutation(len(records)):
        molecule = records[row].molecule
        if molecule is None or not admissible(molecule, model.distribution) or not _closed_shell(molecule):
            left_out["cannot be judged"] += 1
        elif _is_known(molecule, model.known, seen):
            left_out["known, or without readable bonds"] += 1
        else:
            found.append(molecule)
            if len(found) == options.n:
                break
    if not found:
        raise InputError(f"{path}: no molecule from outside the model's data ({dict(left_out)})")
    return found


def embedded(molecules: Iterable[Molecule], seed: int) -> list[Molecule]:
    """Molecules in geometries made from their SMILES, as `rank` makes them; left out where that fails."""
    found = []
    for molecule in molecules:
        try:
            found += embed(smiles_of(molecule), seed=seed)
        except MolscoreError:
            continue
    return found


def _closed_shell(molecule: Molecule) -> bool:
    try:
        check_formula(dict(Counter(molecule.symbols)))
    except MolscoreError:
        return False
    return True


def _is_known(molecule: Molecule, *known: Known | None) -> bool:
    """Whether a list has it, or it cannot be told because its bonds cannot be read."""
    try:
        smiles = smiles_of(molecule)
    except MolscoreError:
        return True
    return any(listed is not None and listed.contains(smiles) for listed in known)
