"""What is said of a molecule, by name: what molecules are ordered by, the columns of a ranking, what its rows can be.

Names alone, so that whoever needs no network waits for none; the numbers are made in `criteria` and `scorer`.
"""

__all__ = [
    "ALWAYS", "COLUMNS", "DEFAULT", "DIGITS", "DRAWN", "DUPLICATE", "ETKDG", "GIVEN", "LIKE", "MMFF", "ORDERS",
    "OUTSIDE", "WITH_REFERENCES",
]  # fmt: skip

ORDERS = (
    "percentile", "formula_percentile", "difference", "difference_percentile", "codimension", "density_excess",
    "log_ratio", "log_likelihood_given", "log_likelihood", "log_density", "per_degree",
)  # fmt: skip
DEFAULT = "percentile"  # of `rank`, for a model that has the tables
LIKE = "log_ratio"  # of `rank` with references: how much likelier, in nats, a molecule is among these than in general
WITH_REFERENCES = (LIKE, "log_likelihood_given")
DRAWN = "density_excess"  # of `generate`, where it keeps a share
DIGITS = {"log_likelihood": 4, "log_density": 4, "density_excess": 4}  # others: two
DIGITS |= dict.fromkeys(("codimension", "difference", "per_degree"), 5)
DIGITS |= dict.fromkeys(WITH_REFERENCES, 4)

GIVEN, ETKDG = "given", "etkdg"  # where a geometry comes from
MMFF = "mmff"  # kind of geometries as they are made here: ETKDGv3 and MMFF94s
OUTSIDE = "outside"  # status of a molecule beyond what the model has learnt: numbers without a percentile
DUPLICATE = "duplicate"  # status of a row of a library whose molecule an earlier row has

ALWAYS = ("log_likelihood", "log_density", "percentile")
COLUMNS = (
    "status", *ALWAYS, "n_atoms", "resolution", "geometry", "reference", "error",
    *(by for by in ORDERS if by not in ALWAYS),
)  # fmt: skip
