"""What an audit is asked to do, and which held-out molecules it takes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.screening.passes import check_sigma

__all__ = ["Options", "chosen"]


@dataclass(frozen=True)
class Options:
    """Settings that every part may read. Raises `InputError` naming the field that cannot be."""

    n: int = 1000  # held-out molecules for what takes one pass a molecule
    referee: int = 100  # held-out molecules for the referee, which takes thousands
    resolution: float = 0.05  # Å
    sigma_min: float = 0.003  # Å: the noise levels that the model was trained on
    sigma_max: float = 50.0
    seed: int = 0
    data: Path = Path("data/qm9.parquet")  # the data set, its training split included
    output: Path = Path("audit")  # folder of audit.json, plots and what must survive a kill
    share: tuple[int, int] = (1, 1)  # this process does the i-th of n shares of the referee
    only: tuple[str, ...] = ()  # names of parts; none: all

    def __post_init__(self) -> None:
        if self.n < 2 or self.referee < 0:
            raise InputError(f"an audit needs n >= 2 and referee >= 0, not {self.n} and {self.referee}")
        if not 1 <= self.share[0] <= self.share[1]:
            raise InputError(f"share {self.share[0]}/{self.share[1]} is no share")
        check_sigma(self.resolution)

    def but(self, **changes: object) -> Self:
        """The same with some fields changed."""
        return replace(self, **changes)


def chosen(molecules: MoleculeSet, n: int, seed: int) -> MoleculeSet:
    """n molecules at random without repetition, in the order of the set; all where there are no more."""
    if n >= len(molecules):
        return molecules
    return molecules.select(np.sort(np.random.default_rng(seed).choice(len(molecules), n, replace=False)))
