"""A trained model in use: estimate, generate, filter, rank, report."""

from molscore.lazy import lazily

_HOMES = {
    "Candidate": "molscore.screening.candidate",
    "Judgements": "molscore.screening.judgements",
    "Model": "molscore.screening.model",
    "Ranking": "molscore.screening.rank",
    "References": "molscore.screening.reference",
    "Request": "molscore.screening.generate",
    "Scored": "molscore.screening.scorer",
    "Scorer": "molscore.screening.scorer",
    "Verdict": "molscore.screening.candidate",
    "load": "molscore.screening.model",
    "make_references": "molscore.screening.tables",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazily(__name__, _HOMES)
