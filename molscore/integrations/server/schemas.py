"""The shapes of requests and answers: what is outside them is refused before anything is computed."""

from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from molscore.integrations.reinvent import VALUES, WITH_REFERENCES
from molscore.integrations.server.service import Limits
from molscore.nn.noise import LN_SIGMA_RANGE

__all__ = ["Drawn", "Failure", "Judged", "Problem", "Query", "RestAnswer", "Row", "Shapes", "Success", "shapes"]

_SIGMA = tuple(round(float(x), 6) for x in np.exp(LN_SIGMA_RANGE))
_LONGEST_NAME = 200


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Problem(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="one line")


class Row(BaseModel):
    """What is said of one molecule."""

    status: str = Field(description="ok, or a short reason why there are no numbers")
    log_likelihood: float | None = Field(description="nats")
    log_density: float | None = Field(description="nats")
    percentile: float | None = Field(description="0 to 100, among reference molecules of like size")
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


class Drawn(BaseModel):
    """Candidates: those that passed the checks first, best first, then those turned down, with the verdict."""

    model: str
    candidates: list[dict[str, Any]]


class Query(_Strict):
    """One SMILES string of REINVENT4's REST component."""

    input_string: str
    query_id: Annotated[str, Field(max_length=_LONGEST_NAME, pattern="^[ -~]*$")]


class Success(BaseModel):
    """The number of one SMILES string."""

    query_id: str
    output_value: float


class Failure(BaseModel):
    """Why one SMILES string has no number."""

    query_id: str
    status: str
    error: str


class _Output(BaseModel):
    successes_list: list[Success]
    failures_list: list[Failure]


class RestAnswer(BaseModel):
    """What REINVENT4's REST component reads."""

    output: _Output


class Shapes(NamedTuple):
    """Requests of one server, with its limits in them."""

    log_likelihood: type[BaseModel]
    generate: type[BaseModel]
    queries: Any
    predictor: Any


def shapes(limits: Limits, max_atoms: int, like: bool = False) -> Shapes:
    """The shapes of requests to a server with these limits and a model of molecules up to `max_atoms`.

    `like` says whether it has references.
    """
    sigma = Annotated[float, Field(ge=_SIGMA[0], le=_SIGMA[1], description="Å; the server's own where it is left out")]

    class Geometry(_Strict):
        """Atoms in space, all hydrogens among them."""

        numbers: Annotated[list[Annotated[int, Field(ge=1, le=118)]], Field(min_length=1, description="atomic numbers")]
        positions: Annotated[
            list[Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=3, max_length=3)]],
            Field(min_length=1, description="Å, one triple an atom"),
        ]
        name: Annotated[str, Field(max_length=_LONGEST_NAME)] = ""

    # Told apart by their type, so that a complaint is about the shape that was meant.
    kind = Discriminator(lambda value: "smiles" if isinstance(value, str) else "geometry")
    molecule = Annotated[Annotated[str, Tag("smiles")] | Annotated[Geometry, Tag("geometry")], kind]

    class LogLikelihoodRequest(_Strict):
        """Molecules to judge: SMILES strings, geometries, or both."""

        molecules: Annotated[list[molecule], Field(min_length=1, max_length=limits.rows)]
        resolution: sigma | None = None

    class GenerateRequest(_Strict):
        """Molecules to draw."""

        n: Annotated[int, Field(ge=1, le=limits.generated)] = 1
        seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
        formula: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)] | None = None
        n_atoms: Annotated[int, Field(ge=2, le=max_atoms)] | None = None
        steps: Annotated[int, Field(ge=1, le=limits.steps)] = min(50, limits.steps)
        sampler: Literal["sde", "ode"] = "sde"
        keep: Annotated[float, Field(gt=0, le=1)] = 1.0
        novel: bool = False
        resolution: sigma | None = None

    queries = Annotated[list[Query], Field(max_length=limits.rows)]
    values = (*VALUES, *WITH_REFERENCES) if like else VALUES
    return Shapes(LogLikelihoodRequest, GenerateRequest, queries, Literal[values])
