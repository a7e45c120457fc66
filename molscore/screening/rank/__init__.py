"""Ranking: a library in memory, or a file larger than memory, judged in parts that outlive a crash."""

from molscore.screening.rank.run import rank

__all__ = ["rank"]
