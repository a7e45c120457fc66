"""Where molecules come from: sets of molecules, QM9 and its split, distributions and their statistics."""

__all__ = ["load", "qm9", "statistics", "store"]
