"""Is a model's log-density true? Every figure with the bound it is held to."""

from molscore.audit.density import Options
from molscore.audit.report import Audit, CheckResult, Part, Plot, Series, Table
from molscore.audit.run import PARTS, run

__all__ = ["PARTS", "Audit", "CheckResult", "Options", "Part", "Plot", "Series", "Table", "run"]
