"""A trained model in use: estimate, generate, filter, rank, report."""

from molscore.lazy import lazily

_HOMES = {
    "Candidate": "molscore.screening.checks",
    "CheckResult": "molscore.screening.checks",
    "Model": "molscore.screening.model",
    "Predictor": "molscore.screening.predictor",
    "References": "molscore.screening.reference",
    "Request": "molscore.screening.generate",
    "Result": "molscore.screening.scorer",
    "Results": "molscore.screening.scorer",
    "Scorer": "molscore.screening.scorer",
    "load": "molscore.screening.model",
    "make_references": "molscore.screening.tables",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazily(__name__, _HOMES)
