"""What became of the rows of a ranking, counted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from molscore.screening.columns import given_name
from molscore.screening.library.parts import HIDDEN
from molscore.screening.scorer import GIVEN

__all__ = ["Summary"]


@dataclass
class Summary:
    """Rows by status, given geometries by what they were compared with, input columns that have another name, and rows
    with text that was lost."""

    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    renamed: dict[str, str] = field(default_factory=dict)
    garbled: int = 0
    """Rows with U+FFFD, which stands for bytes that are not UTF-8."""

    def counting(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables, counted as they pass."""
        for table in tables:
            for counted in table["status"].value_counts().to_pylist():
                self.statuses[counted["values"]] += counted["counts"]
            given = table.filter(pc.equal(table["geometry"], GIVEN))
            for counted in given["reference"].drop_null().value_counts().to_pylist():
                self.kinds[counted["values"]] += counted["counts"]
            names = [name for name in table.column_names if name not in HIDDEN and given_name(name) != name]
            self.renamed |= {given_name(name): name for name in names}
            self.garbled += _garbled(table)
            yield table


def _garbled(table: pa.Table) -> int:
    """Rows of a table in which some text has U+FFFD."""
    texts = [table[field.name] for field in table.schema if pa.types.is_string(field.type)]
    hits = [pc.fill_null(pc.match_substring(text, "\ufffd"), False) for text in texts]
    hits = [hit for hit in hits if pc.any(hit).as_py()]
    if not hits:
        return 0
    found = hits[0]
    for hit in hits[1:]:
        found = pc.or_(found, hit)
    return pc.sum(found).as_py()
