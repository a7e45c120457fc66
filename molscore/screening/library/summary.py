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
            yield table
