"""Is a model's log-density true, and of what use is it? Every figure with the bound it is held to."""

from molscore.audit.options import Options
from molscore.audit.parts import PARTS, audit
from molscore.audit.record import Audit, Part, Plot, Series, Table, Verdict
from molscore.audit.run import run

__all__ = ["PARTS", "Audit", "Options", "Part", "Plot", "Series", "Table", "Verdict", "audit", "run"]
