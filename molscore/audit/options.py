"""What an audit is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from molscore.errors import InputError
from molscore.screening.passes import check_sigma

__all__ = ["Options", "share_of"]


@dataclass(frozen=True)
class Options:
    """Settings that every part may read. Raises `InputError` naming the field that cannot be."""

    molecules: int | None = None  # held-out molecules of each part; None: as many as the part takes of itself
    paths: int = 16  # of the probability flow, a molecule; 1: its own path alone, with exact traces
    resolution: float = 0.05  # Å
    sigma_min: float = 0.003  # Å: the noise levels that the model was trained on, from its own record where it has one
    sigma_max: float = 50.0
    seed: int = 0
    data: Path | None = None  # the data set; None: data/DISTRIBUTION.parquet
    output: Path = Path("audit")  # folder of audit.json, pictures and what must survive a kill
    share: tuple[int, int] = (1, 1)  # this process does the i-th of n shares of the part `flow`
    only: tuple[str, ...] = ()  # names of parts; none: all

    def __post_init__(self) -> None:
        if self.molecules is not None and self.molecules < 2:
            raise InputError(f"an audit needs two molecules or more, not {self.molecules}")
        if self.paths != 1 and (self.paths < 4 or self.paths % 2):
            raise InputError(f"paths are 1, or an even number from 4 on as they come in pairs, not {self.paths}")
        if not 1 <= self.share[0] <= self.share[1]:
            raise InputError(f"a share is i/n with i from 1 to n, not {self.share[0]}/{self.share[1]}")
        if not self.sigma_min <= check_sigma(self.resolution) <= self.sigma_max:
            raise InputError(f"resolution {self.resolution:g} Å is outside {self.sigma_min:g} to {self.sigma_max:g} Å")


def share_of(text: str) -> tuple[int, int]:
    """The share that a text such as 1/2 names."""
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise InputError(f"a share is written i/n, such as 1/2, not {text!r}")
    return int(parts[0]), int(parts[1])
