"""`Judgements`: what is said of a batch of molecules, as arrays."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Judgements"]


class Judgements(NamedTuple):
    """One entry a molecule, in the order given; a molecule that cannot be judged has NaN and a status that says why."""

    status: NDArray[np.str_]
    """(M,) ``ok`` or a short reason."""
    log_likelihood: NDArray[np.float64]
    """(M,) nats."""
    log_density: NDArray[np.float64]
    """(M,) nats."""
    percentile: NDArray[np.float64]
    """(M,) 0 to 100; NaN for a model without reference or at a resolution that it does not hold."""
    n_atoms: NDArray[np.int64]
    """(M,), 0 where it is not known."""
    error: NDArray[np.object_]
    """(M,) strings: the reason in words, empty where there is none."""
    log_ratio: NDArray[np.float64] | None = None
    """(M,) nats; None where no references were given."""

    @property
    def ok(self) -> NDArray[np.bool_]:
        """(M,) whether each molecule was judged."""
        return self.status == "ok"

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each molecule, a column for each array."""
        import pandas as pd

        return pd.DataFrame({name: values for name, values in self._asdict().items() if values is not None})

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> "Judgements":
        """Arrays of the columns that `molscore.screening.scorer.Scorer` gives each record."""

        def numbers(name: str) -> NDArray[np.float64]:
            values = [row[name] for row in rows]
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

        return cls(
            np.array([row["status"] for row in rows], dtype=np.str_),
            numbers("log_likelihood"),
            numbers("log_density"),
            numbers("percentile"),
            np.array([row["n_atoms"] or 0 for row in rows], dtype=np.int64),
            np.array([row["error"] for row in rows], dtype=object),
            numbers("log_ratio") if rows and "log_ratio" in rows[0] else None,
        )
