"""What a ranking is made from: everything that its rows depend on, how two such jobs differ, and shares of one for
several processes or machines."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from molscore import __version__
from molscore.errors import InputError
from molscore.molecules.atomic import reason_of
from molscore.molecules.chem import RDKIT_VERSION
from molscore.molecules.files import Scan, format_of, scan
from molscore.molecules.molecule import Molecule
from molscore.screening.columns import COLUMNS

if TYPE_CHECKING:  # parts are merged without the network
    from molscore.screening.scorer import Scorer

__all__ = ["CHUNK_ROWS", "WHOLE", "Job", "Shard", "differences", "given_name", "output_name"]

CHUNK_ROWS = 2048  # judged at a time: enough molecules of each size to fill the batches of the network

_GIVEN = "input_"
_CHANGED = {
    "input": "the input has changed",
    "model": "the weights of the model are others",
    "like": "the references have changed",
}


class Shard(NamedTuple):
    """The i-th of n shares: every n-th part, so that slow stretches of a library are shared by all."""

    index: int
    """From 1."""
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Shard of ``i/n``; raises `InputError` for anything else."""
        index, _, of = text.partition("/")
        if not (index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of)):
            raise InputError(f"a shard is i/n with i from 1 to n, such as 3/8, not {text!r}")
        return cls(int(index), int(of))

    def owns(self, part: int) -> bool:
        """Whether a part, counted from 0, is one of this share."""
        return part % self.of == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


WHOLE = Shard(1, 1)


@dataclass(frozen=True)
class Job:
    """A file to judge and how."""

    scorer: "Scorer"
    path: str
    """The file, ``-`` for standard input."""
    smiles_column: str | None = None
    shapes: bool = False
    """Whether geometries that are made here are kept."""
    part_rows: int = CHUNK_ROWS

    @property
    def repeatable(self) -> bool:
        """Whether the input can be read again."""
        return self.path != "-"

    @property
    def optional(self) -> bool:
        """Whether a row of the input may lack a column, which is not the same as an empty value there."""
        return self.repeatable and format_of(self.path)[0] in ("sdf", "xyz")

    def scan(self) -> Scan:
        """The rows of the input."""
        return scan(self.path, self.smiles_column)

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """Type of each column of the output that the input has a type for; the others are text."""
        if not self.repeatable or format_of(self.path)[0] != "parquet":
            return {}
        return {output_name(field.name): field.type for field in pq.read_schema(self.path)}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that the rows depend on, by name.

        The input is known by its content, not by its time: jobs on other machines see other times for the same file,
        and a copy or a touch changes nothing. Reading it once more costs little beside judging it.
        """
        model = self.scorer.model
        options = {field.name.replace("_", " "): getattr(self.scorer, field.name) for field in fields(self.scorer)}
        return {
            **options,
            "model": model.weights,
            "like": None if self.scorer.like is None else _digest_of(self.scorer.like.like),
            "distribution": model.distribution.name,
            "device": model.device.type,
            "input": _digest(self.path) if self.repeatable else "-",
            "SMILES column": self.smiles_column,
            "geometries": "kept" if self.shapes else "not kept",
            "rows a part": self.part_rows,
            "molscore": __version__,
            "rdkit": RDKIT_VERSION,
            "torch": version("torch"),
        }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What sets two identities apart, in words."""
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            yield _CHANGED.get(name, f"{name} was {before.get(name)} and is {now.get(name)}")


def output_name(name: str) -> str:
    """What an input column is called in the output: renamed where it has a name of ours."""
    return f"{_GIVEN}{name}" if _clashes(name) else name


def given_name(name: str) -> str:
    """What a column of the output is called in the input."""
    bare = name.removeprefix(_GIVEN)
    return bare if name != bare and _clashes(bare) else name


def _clashes(name: str) -> bool:
    """Whether an input column has a name of ours, or one that a renamed column would get."""
    while name.startswith(_GIVEN):
        name = name.removeprefix(_GIVEN)
    return name in COLUMNS or name.startswith("molscore_")


def _digest_of(molecules: Sequence[Molecule]) -> str:
    content = hashlib.sha256()
    for molecule in molecules:
        content.update(molecule.numbers.tobytes() + molecule.positions.tobytes())
    return content.hexdigest()


def _digest(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
