"""Where molecules come from: data sets, how they are made and split, distributions and their statistics."""

__all__ = [
    "assembly",
    "from_file",
    "graphs",
    "hold_out",
    "ligands",
    "likeness",
    "load",
    "progress",
    "qm9",
    "splits",
    "statistics",
    "store",
    "suitable",
]
