"""Ranking a file larger than memory: parts that outlive a crash, several engines and jobs, one result."""

from molscore.screening.library.job import Job
from molscore.screening.library.run import Plan, run
from molscore.screening.library.shard import Shard
from molscore.screening.library.summary import Summary

__all__ = ["Job", "Plan", "Shard", "Summary", "run"]
