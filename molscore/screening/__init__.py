"""A trained model in use: estimate, generate, filter, rank, report."""

from molscore.screening.candidate import Candidate, Verdict
from molscore.screening.generate import Request
from molscore.screening.judgements import Judgements
from molscore.screening.model import Model, load
from molscore.screening.rank import Ranking, rank
from molscore.screening.reference import Reference
from molscore.screening.references import References, make_references
from molscore.screening.scorer import Scored, Scorer

__all__ = [
    "Candidate",
    "Judgements",
    "Model",
    "Ranking",
    "Reference",
    "References",
    "Request",
    "Scored",
    "Scorer",
    "Verdict",
    "load",
    "make_references",
    "rank",
]
