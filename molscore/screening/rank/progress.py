"""How far a ranking has come: rows a second and the time left, from the row count or the share of the file read."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from tqdm import tqdm

__all__ = ["Progress", "passing"]


class Progress:
    """A bar on standard error, on a terminal alone, so that a log is not mixed with it.

    Args:
        shown: whether there is a bar at all.
        total: rows of the input, where known; else it is estimated from `share`, the part of the file read, 0 to 1.
        of: one row in so many is this process's to judge.
    """

    def __init__(
        self, shown: bool, total: int | None = None, share: Callable[[], float | None] = lambda: None, of: int = 1
    ) -> None:
        self.total, self.share, self.of = total, share, of
        self.seen = self.judged = 0
        self.bar = tqdm(unit="row", desc="rank", disable=None if shown else True, leave=False, mininterval=0.5)

    def advance(self, rows: int, judged: bool) -> None:
        """Rows have been read, and judged or passed over: the rate is of those judged alone."""
        self.seen += rows
        self.judged += rows if judged else 0
        self.bar.total = self.expected()
        self.bar.update(rows if judged else 0)

    def expected(self) -> int | None:
        """Rows that this process will have judged in the end, as far as can be told."""
        share = self.share() if self.total is None else None
        total = self.total if self.total is not None else round(self.seen / share) if share else None
        return None if total is None else self.judged + max(0, total - self.seen) // self.of

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def passing(tables: Iterable[pa.Table], total: int | None, shown: bool) -> Iterator[pa.Table]:
    """The same tables, with a bar for their rows."""
    with tqdm(unit="row", desc="write", total=total, disable=None if shown else True, leave=False) as bar:
        for table in tables:
            yield table
            bar.update(len(table))
