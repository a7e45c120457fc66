"""The columns of a ranked row: those of the input, renamed where they clash with ours, then ours."""

from typing import Any

from molscore.molecules.files.record import is_smiles_name
from molscore.screening.scorer import COLUMNS, Scored

__all__ = ["columns_of", "given_name", "output_name"]

_GIVEN = "input_"


def columns_of(scored: Scored) -> dict[str, Any]:
    """The input's columns, renamed where they clash with ours; the SMILES of a record that has bonds; our columns."""
    record = scored.record
    given = {output_name(name): value for name, value in record.columns.items()}
    if record.molecule is not None and record.smiles and not any(is_smiles_name(name) for name in given):
        given["smiles"] = record.smiles
    return given | scored.columns


def output_name(name: str) -> str:
    """What an input column is called in the output."""
    return f"{_GIVEN}{name}" if _clashes(name) else name


def given_name(name: str) -> str:
    """What a column of the output is called in the input."""
    bare = name.removeprefix(_GIVEN)
    return bare if name != bare and _clashes(bare) else name


def _clashes(name: str) -> bool:
    """Whether an input column has a name of ours, or one that a renamed column would get."""
    bare = name
    while bare.startswith(_GIVEN):
        bare = bare.removeprefix(_GIVEN)
    return bare in COLUMNS or bare.startswith("molscore_")
