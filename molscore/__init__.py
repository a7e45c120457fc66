"""One network gives the score and the log-density of molecules: generate, rank and filter them."""

from typing import TYPE_CHECKING, Any

from molscore.lazy import lazily
from molscore.namesake import refuse_namesake

if TYPE_CHECKING:
    from molscore.errors import (
        CheckpointError,
        ConformerError,
        DistributionError,
        ElementError,
        FormulaError,
        InputError,
        LimitError,
        MolscoreError,
        OutputError,
        ParseError,
        PositionError,
        SizeError,
    )
    from molscore.evaluation.metrics import evaluate
    from molscore.integrations.pyg import AddLogLikelihood
    from molscore.integrations.sklearn import DensityEstimator
    from molscore.molecules.files import read, write
    from molscore.molecules.molecule import Molecule
    from molscore.nn.heads import Estimate
    from molscore.reporting.report import Report, report
    from molscore.screening.checks import Candidate
    from molscore.screening.explain import explain
    from molscore.screening.model import Model, load
    from molscore.screening.rank import rank
    from molscore.screening.scorer import Scorer
    from molscore.training.adapt import adapt

__version__ = "0.1.0"

# Where each public name lives; nothing is imported before it is asked for.
_HOMES = {
    "AddLogLikelihood": "molscore.integrations.pyg",
    "Candidate": "molscore.screening.checks",
    "DensityEstimator": "molscore.integrations.sklearn",
    "Estimate": "molscore.nn.heads",
    "Model": "molscore.screening.model",
    "Molecule": "molscore.molecules.molecule",
    "Report": "molscore.reporting.report",
    "Scorer": "molscore.screening.scorer",
    "adapt": "molscore.training.adapt",
    "evaluate": "molscore.evaluation.metrics",
    "explain": "molscore.screening.explain",
    "load": "molscore.screening.model",
    "rank": "molscore.screening.rank",
    "read": "molscore.molecules.files",
    "report": "molscore.reporting.report",
    "write": "molscore.molecules.files",
}
_ERRORS = (
    "CheckpointError",
    "ConformerError",
    "DistributionError",
    "ElementError",
    "FormulaError",
    "InputError",
    "LimitError",
    "MolscoreError",
    "OutputError",
    "ParseError",
    "PositionError",
    "SizeError",
)
_HOMES |= dict.fromkeys(_ERRORS, "molscore.errors")

__all__ = [
    "AddLogLikelihood",
    "Candidate",
    "CheckpointError",
    "ConformerError",
    "DensityEstimator",
    "DistributionError",
    "ElementError",
    "Estimate",
    "FormulaError",
    "InputError",
    "LimitError",
    "Model",
    "Molecule",
    "MolscoreError",
    "OutputError",
    "ParseError",
    "PositionError",
    "Report",
    "Scorer",
    "SizeError",
    "__version__",
    "adapt",
    "evaluate",
    "explain",
    "load",
    "rank",
    "read",
    "report",
    "write",
]

_find, __dir__ = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES and not name.endswith("Error"):
        refuse_namesake()
    return _find(name)
