"""Ranking: a DataFrame of a library in memory, or a file larger than memory, judged in parts that outlive a crash."""

from molscore.screening.rank.frame import Ranking, rank, sort_scored

__all__ = ["Ranking", "rank", "sort_scored"]
