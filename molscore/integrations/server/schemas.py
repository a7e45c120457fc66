"""The shapes of requests and answers: what is outside them is refused before anything is computed."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from molscore.errors import ElementError, InputError, ParseError, PositionError
from molscore.nn.backbone import LN_SIGMA_RANGE

__all__ = ["Drawn", "GenerateRequest", "Judged", "LogLikelihoodRequest", "Problem", "Query", "RestAnswer", "Row"]

_SIGMA = tuple(round(float(x), 6) for x in np.exp(LN_SIGMA_RANGE))
_LONGEST_NAME = 200

Resolution = Annotated[
    float | None, Field(ge=_SIGMA[0], le=_SIGMA[1], description="Å; the server's own where it is left out")
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Geometry(_Strict):
    """Atoms in space, all hydrogens among them."""

    numbers: Annotated[list[Annotated[int, Field(ge=1, le=118)]], Field(min_length=1, description="atomic numbers")]
    positions: Annotated[
        list[Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=3, max_length=3)]],
        Field(min_length=1, description="Å, one triple an atom"),
    ]
    name: Annotated[str, Field(max_length=_LONGEST_NAME)] = ""


_ERRORS = {"numbers": ElementError, "positions": PositionError}  # by the field of a geometry that is wrong


def _or_error(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A molecule, or the error that its row will carry: what is wrong with one costs the others nothing."""
    try:
        return check(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in ("smiles", "geometry")]  # the tags are ours
        if not place:
            return InputError(f"{value!r:.40} is neither a SMILES string nor an object of numbers and positions")
        return _ERRORS.get(place[0], ParseError)(f"{'.'.join(place)}: {first['msg']}")


# Told apart by their type, so that a complaint is about the shape that was meant.
_KIND = Discriminator(lambda value: "smiles" if isinstance(value, str) else "geometry")
_Molecule = Annotated[Annotated[str, Tag("smiles")] | Annotated[Geometry, Tag("geometry")], _KIND]

# Anything goes, and the API says so: what is no molecule is a row that says why.
_AnyMolecule = Annotated[Annotated[_Molecule, WrapValidator(_or_error)] | Any, Field(union_mode="left_to_right")]
_AnySmiles = Annotated[Annotated[str, WrapValidator(_or_error)] | Any, Field(union_mode="left_to_right")]


class LogLikelihoodRequest(_Strict):
    """Molecules to judge: SMILES strings, geometries, or both."""

    molecules: Annotated[list[_AnyMolecule], Field(min_length=1)]
    resolution: Resolution = None


class GenerateRequest(_Strict):
    """Molecules to draw."""

    n: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    formula: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)] | None = None
    n_atoms: Annotated[int, Field(ge=2)] | None = None
    steps: Annotated[int, Field(ge=1, description="network evaluations a molecule; 48, if as many are allowed")] = 48
    sampler: Literal["sde", "ode"] = "sde"
    keep: Annotated[float, Field(gt=0, le=1)] = 1.0
    novel: bool = False
    resolution: Resolution = None


class Query(_Strict):
    """One SMILES string of REINVENT4's REST component."""

    input_string: _AnySmiles
    query_id: Annotated[str, Field(max_length=_LONGEST_NAME, pattern="^[ -~]*$")]


class Problem(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="one line")


class Row(BaseModel):
    """What is said of one molecule."""

    status: str = Field(description="ok, or a short reason why there are no numbers")
    log_likelihood: float | None = Field(description="nats")
    log_density: float | None = Field(description="nats")
    percentile: float | None = Field(description="0 to 100, among reference molecules of like size; see note")
    log_likelihood_given: float | None = Field(None, description="nats, given the server's references, if it has any")
    log_ratio: float | None = Field(None, description="nats: how much likelier among the references than in general")
    n_atoms: int | None
    resolution: float = Field(description="Å")
    geometry: str | None = Field(description="given, or etkdg where it was made from SMILES")
    reference: str | None = Field(description="kind of geometries that the percentile is among, such as dft or mmff")
    error: str


class Judged(BaseModel):
    """One row a molecule, in the order of the request."""

    model: str
    rows: list[Row]
    note: str = Field("", description="why no row has a percentile, where the model has none at this resolution")


class Drawn(BaseModel):
    """Candidates: those that passed the checks first, best first, then those turned down, with the verdict."""

    model: str
    candidates: list[dict[str, Any]]


class RestAnswer(BaseModel):
    """What REINVENT4's REST component reads: ``successes_list`` with a number for each query that has one, and
    ``failures_list`` with the reasons."""

    output: dict[str, list[dict[str, Any]]]
