"""Which molecules of a data set are alike: by size, formula, ring systems, or nearness of fingerprints.

References are taken from one cluster in training; whole clusters are held out for testing (`molscore.datasets.splits`).
"""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.statistics import formula_counts
from molscore.molecules.chem import from_smiles, ring_systems
from molscore.molecules.elements import SYMBOLS

__all__ = ["cluster_keys", "neighbourhoods", "with_likeness"]

_COLUMNS = ("ring_systems", "neighbourhood")  # made by `molscore data`, used where they are there
_SERIES = 3.0  # how much oftener than by its size or formula a molecule's references are chosen by these
_MOLECULES = 64  # in a neighbourhood, on average


def cluster_keys(molecules: MoleculeSet) -> tuple[np.ndarray, list[float]]:
    """(M, n_keys) int64, molecules with the same number under a key are alike, and (n_keys,) the keys' weights.

    The keys are the data set as a whole, the size, the formula, and, where the file has them, the ring systems and the
    neighbourhood of fingerprints.
    """
    elements = [SYMBOLS[number] for number in np.unique(molecules.numbers)]
    formulas = np.unique(formula_counts(molecules, elements), axis=0, return_inverse=True)[1].reshape(-1)
    columns = [molecules.columns[name] for name in _COLUMNS if name in molecules.columns]
    others = [np.unique(column.astype(str), return_inverse=True)[1] for column in columns]
    keys = np.stack([np.zeros(len(molecules)), molecules.sizes, formulas, *others], axis=1).astype(np.int64)
    return keys, [1.0] * 3 + [_SERIES] * len(others)


def with_likeness(molecules: MoleculeSet, seed: int = 0) -> MoleculeSet:
    """The same set with the columns ``ring_systems`` (SMILES, a space between them) and ``neighbourhood`` (a number).

    Made of the column ``smiles``.
    """
    graphs = [from_smiles(smiles) for smiles in molecules.columns["smiles"]]
    rings = [" ".join(sorted(ring_systems(graph))) for graph in graphs]
    return molecules.with_columns(ring_systems=rings, neighbourhood=neighbourhoods(graphs, seed))


def neighbourhoods(graphs: Sequence[Chem.Mol], seed: int = 0) -> np.ndarray:
    """``(M,)`` int32: the number of the centre that is nearest to each molecule.

    Centres are molecules drawn at random, one in 64; nearness is Tanimoto's of Morgan fingerprints (radius 2, 1,024
    bits).
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(graph) for graph in graphs]
    chosen = np.random.default_rng(seed).permutation(len(prints))[: max(1, len(prints) // _MOLECULES)]
    centres = [prints[index] for index in np.sort(chosen)]
    return np.array([np.argmax(DataStructs.BulkTanimotoSimilarity(each, centres)) for each in prints], dtype=np.int32)
