"""One network gives the score and the log-density of molecules: generate, rank and filter them."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molscore.errors import *  # noqa: F403
    from molscore.evaluation.metrics import evaluate as evaluate
    from molscore.integrations.pyg import AddLogLikelihood as AddLogLikelihood
    from molscore.integrations.sklearn import DensityEstimator as DensityEstimator
    from molscore.molecules.files import read as read
    from molscore.molecules.files import write as write
    from molscore.molecules.molecule import Molecule as Molecule
    from molscore.nn.heads import Estimate as Estimate
    from molscore.reporting.report import Report as Report
    from molscore.reporting.report import report as report
    from molscore.screening.checks import Candidate as Candidate
    from molscore.screening.explain import explain as explain
    from molscore.screening.model import Model as Model
    from molscore.screening.model import load as load
    from molscore.screening.rank.frame import rank as rank
    from molscore.screening.scorer import Scorer as Scorer
    from molscore.training.adapt import adapt as adapt

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
    "rank": "molscore.screening.rank.frame",
    "read": "molscore.molecules.files",
    "report": "molscore.reporting.report",
    "write": "molscore.molecules.files",
}
_HOMES |= dict.fromkeys(
    (
        "CheckpointError", "ConformerError", "DistributionError", "ElementError", "FormulaError", "InputError",
        "LimitError", "MolscoreError", "OutputError", "ParseError", "PositionError", "SizeError",
    ),
    "molscore.errors",
)  # fmt: skip
__all__ = ["__version__", *_HOMES]


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names live in the modules that `homes` says."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find, lambda: sorted({*vars(sys.modules[package]), *homes})


_find, __dir__ = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES and not name.endswith("Error"):
        refuse_namesake()
        if "IPython" in sys.modules:  # a notebook, which shows molecules as pictures
            import molscore.molecules.drawing  # noqa: F401
    return _find(name)


def refuse_namesake() -> None:
    """Raise `InputError` where PyPI's `molscore`, another project imported by the same name, is installed too."""
    from molscore.errors import InputError

    for folder in sys.path:
        for found in Path(folder or ".").glob("molscore-*.dist-info"):
            raise InputError(
                f"{found.parent} also holds PyPI's package molscore, another project imported by the same name; "
                "pip uninstall molscore, then install molscore-discoformer again, or use an environment for each"
            )
