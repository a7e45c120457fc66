"""Where molecules come from: sets of molecules, QM9 and its split, distributions and their statistics."""

__all__ = ["qm9", "statistics", "store"]
