"""Ranking: a library in memory, or a file larger than memory, judged in parts that outlive a crash."""
