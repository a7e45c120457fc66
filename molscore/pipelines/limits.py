"""What one request to a server may cost."""

from dataclasses import dataclass, fields

from molscore.errors import InputError

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Upper bounds, for one request unless one says otherwise. Raises `InputError` for one that is not above zero."""

    body_bytes: int = 2_000_000  # of the request
    body_seconds: float = 10.0  # to receive it
    rows: int = 512  # molecules to judge
    smiles_characters: int = 500  # of one SMILES string; RDKit takes under 0.1 s for the worst of this length
    generated: int = 64  # molecules to draw
    steps: int = 200  # network evaluations a drawn molecule
    seconds: float = 60.0  # from the request's arrival to its answer
    conformer_seconds: float = 10.0  # for one geometry
    waiting: int = 8  # requests that wait while one is worked on, in the whole server

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"the limit {field.name} must be above zero, not {getattr(self, field.name)}")
