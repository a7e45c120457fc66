"""A trained model in use: estimate, generate, filter, rank, report."""

from molscore.screening.candidate import Candidate, Verdict
from molscore.screening.generate import Request
from molscore.screening.judgements import Judgements
from molscore.screening.model import Model, load
from molscore.screening.rank import Ranking, rank
from molscore.screening.reference import References
from molscore.screening.scorer import Scored, Scorer
from molscore.screening.tables import make_references

__all__ = [
    "Candidate",
    "Judgements",
    "Model",
    "Ranking",
    "References",
    "Request",
    "Scored",
    "Scorer",
    "Verdict",
    "load",
    "make_references",
    "rank",
]
