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
    nodes: int = 32  # exact traces of the referee along a path
    drawn: int = 200  # molecules to draw at each temperature; 0: leave out what needs them
    strained: int = 50  # held-out molecules whose geometries are strained
    outside: Path | None = None  # real molecules that are not of the data set
    resolution: float = 0.05  # Å
    sigma_min: float = 0.003  # Å: the noise levels that the model was trained on, from its own record where it has one
    sigma_max: float = 50.0
    seed: int = 0
    data: Path = Path("data/qm9.parquet")  # the data set, its training split included
    output: Path = Path("audit")  # folder of audit.json, plots and what must survive a kill
    share: tuple[int, int] = (1, 1)  # this process does the i-th of n shares of the referee
    only: tuple[str, ...] = ()  # names of parts; none: all

    def __post_init__(self) -> None:
        if self.n < 2 or self.referee < 0:
            raise InputError(f"an audit needs n >= 2 and referee >= 0, not {self.n} and {self.referee}")
        if self.nodes < 2:
            raise InputError(f"the referee needs two traces or more along a path, not {self.nodes}")
        if self.drawn < 0 or self.strained < 2:
            raise InputError(f"an audit needs drawn >= 0 and strained >= 2, not {self.drawn} and {self.strained}")
        if not 1 <= self.share[0] <= self.share[1]:
            raise InputError(f"a share is i/n with i from 1 to n, not {self.share[0]}/{self.share[1]}")
        if not self.sigma_min <= check_sigma(self.resolution) <= self.sigma_max:
            raise InputError(f"resolution {self.resolution:g} Å is outside {self.sigma_min:g} to {self.sigma_max:g} Å")

    @staticmethod
    def share_of(text: str) -> tuple[int, int]:
        """The share that a text such as 1/2 names."""
        parts = text.split("/")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise InputError(f"a share is written i/n, such as 1/2, not {text!r}")
        return int(parts[0]), int(parts[1])

    def but(self, **changes: object) -> Self:
        """The same with some fields changed."""
        return replace(self, **changes)


def chosen(molecules: MoleculeSet, n: int, seed: int) -> MoleculeSet:
    """n molecules at random without repetition, in the order of the set; all where there are no more."""
    if n >= len(molecules):
        return molecules
    return molecules.select(np.sort(np.random.default_rng(seed).choice(len(molecules), n, replace=False)))
