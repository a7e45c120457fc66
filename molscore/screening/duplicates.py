"""Rows that hold a molecule which an earlier row held: they keep their numbers, and say which row that was.

A row that could not be judged is no duplicate and makes none: it says why it could not be judged.
"""

from collections.abc import Iterable, Iterator

from molscore.screening.scorer import Scored

__all__ = ["DUPLICATE", "mark_duplicates", "same_as"]

DUPLICATE = "duplicate"


def same_as(row: int) -> str:
    """What a duplicate says of the first row with its molecule, given from 0 and told from 1, the header apart."""
    return f"same molecule as row {row + 1}"


def mark_duplicates(judged: Iterable[Scored]) -> Iterator[Scored]:
    """The same rows, duplicates marked. Sixteen bytes of each distinct molecule stay in memory."""
    seen: dict[bytes, int] = {}
    for row, scored in enumerate(judged):
        if scored.key and scored.columns["status"] == "ok":
            first = seen.setdefault(bytes.fromhex(scored.key), row)
            if first != row:
                scored = scored._replace(columns=scored.columns | {"status": DUPLICATE, "error": same_as(first)})
        yield scored
