"""A tiny model with random weights and every kind of table, for tests of what is done with a model."""

from functools import cache
from pathlib import Path

import torch

from molscore.molecules import Distribution, Molecule
from molscore.molecules.conformers import embed
from molscore.nn.backbone import ModelConfig
from molscore.nn.checkpoint import Checkpoint, build
from molscore.screening.model import Model
from molscore.screening.tables import with_tables

ELEMENTS = ("H", "C", "N", "O", "F")
CONFIG = ModelConfig(dim=16, vectors=4, heads=2, coarse_blocks=1, fine_blocks=1, pair_dim=8, basis=8, l_max=2, ratio=2)
#: Small molecules of H, C, N, O and F, of 3 to 14 atoms.
LIBRARY = (
    "O", "N", "C", "CC", "CO", "C#N", "C=O", "CCO", "CC=O", "CCN", "COC", "CF", "C=C", "C1CC1", "CC#C", "NC=O",
    "CC(=O)O", "CCCO", "c1cnc[nH]1", "OCC=O", "CC(C)O", "CCF", "C1CO1", "CNC", "FC=O", "c1ccccc1", "CCCC",
)  # fmt: skip


@cache
def geometries() -> tuple[Molecule, ...]:
    """One geometry of each molecule of `LIBRARY`."""
    return tuple(embed(smiles)[0] for smiles in LIBRARY)


def distribution(name: str = "tiny") -> Distribution:
    """The formulas of `LIBRARY`; σ_N rises with N as that of real molecules does."""
    counts: dict[tuple[int, ...], int] = {}
    for molecule in geometries():
        formula = tuple(molecule.symbols.count(symbol) for symbol in ELEMENTS)
        counts[formula] = counts.get(formula, 0) + 1
    return Distribution(name, ELEMENTS, counts, {n: 0.5 * n ** (1 / 3) for n in range(2, 15)})


def checkpoint(*names: str) -> Checkpoint:
    """Random weights, those that start at zero included, so that every number depends on every input."""
    distributions = tuple(distribution(name) for name in names or ("tiny",))
    torch.manual_seed(1)
    network = build(CONFIG, distributions)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return Checkpoint(network.eval(), distributions, {"figures": {"atom_stability": 12.5}}, {})


@cache
def model() -> Model:
    """The model with reference percentiles and the first half of `LIBRARY` as its training molecules."""
    trained = LIBRARY[::2]
    return with_tables(Model(checkpoint(), "tiny"), geometries(), known_smiles=trained, trained_smiles=trained)


def saved(folder: Path) -> Path:
    """`model` as a checkpoint folder called tiny."""
    return model().save_pretrained(folder / "tiny", "A tiny model.")
