"""What the referee has said so far, kept on disk: one CSV file for each share of the work, whole after every batch."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from molscore.errors import InputError
from molscore.molecules.atomic import replacing

__all__ = ["Judged", "Notebook", "read_all"]


class Judged(NamedTuple):
    """One molecule, judged by the model and by the referee."""

    row: int  # of the held-out set
    formula: str
    n_atoms: int
    log_density: float  # nats, the model's
    referee: float  # nats
    error: float  # standard error of the referee, nats; 0 where it is exact
    seconds: float  # wall time of one pass, a molecule
    seconds_referee: float  # wall time of the referee, a molecule

    @classmethod
    def from_texts(cls, texts: dict[str, str]) -> Self:
        """From a row of the file; ValueError or KeyError for what is none."""
        kinds = cls.__annotations__
        return cls(**{name: kinds[name](texts[name]) for name in cls._fields})


class Notebook:
    """The file of one share; `key` names model, resolution and seed, so that only like is put beside like."""

    def __init__(self, folder: Path, key: str, share: tuple[int, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key = folder, key
        self.path = folder / f"referee-{key}-{share[0]}of{share[1]}.csv"
        self.rows = _read(self.path) if self.path.is_file() else []

    def add(self, rows: Iterable[Judged]) -> None:
        """Keep more rows: the file is replaced in one step, so that a kill leaves it as it was or as it is."""
        self.rows = [*self.rows, *rows]
        with replacing(self.path) as fresh, fresh.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Judged._fields)
            writer.writerows([repr(value) if isinstance(value, float) else value for value in row] for row in self.rows)


def read_all(folder: Path, key: str) -> list[Judged]:
    """What all shares have judged, each molecule once, in the order of the held-out set."""
    found = {row.row: row for path in sorted(folder.glob(f"referee-{key}-*of*.csv")) for row in _read(path)}
    return [found[row] for row in sorted(found)]


def _read(path: Path) -> list[Judged]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [Judged.from_texts(texts) for texts in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a file of the referee ({error}); remove it to start again") from None
