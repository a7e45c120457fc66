"""What an audit finds: tables, curves and verdicts, as plain values that a JSON file or a page can hold."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Audit", "Cell", "Part", "Plot", "Series", "Table", "Verdict"]

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Verdict:
    """One figure beside its bound."""

    what: str  # such as "RMSE against the referee, nats"
    value: float | None
    bound: str  # such as "<= 2"
    passed: bool | None  # None: the measurement cannot say, and `why` tells why
    why: str = ""

    @classmethod
    def at_most(cls, what: str, value: float | None, bound: float, why: str = "") -> "Verdict":
        """Passed where value <= bound; not to be said where value is None or not finite."""
        known = value is not None and math.isfinite(value)
        return cls(what, value if known else None, f"<= {bound:g}", bool(value <= bound) if known else None, why)

    @classmethod
    def at_least(cls, what: str, value: float | None, bound: float, why: str = "") -> "Verdict":
        """Passed where value >= bound; not to be said where value is None or not finite."""
        known = value is not None and math.isfinite(value)
        return cls(what, value if known else None, f">= {bound:g}", bool(value >= bound) if known else None, why)

    def to_text(self) -> str:
        """One line."""
        word = {True: "passed", False: "FAILED", None: "open"}[self.passed]
        value = "–" if self.value is None else f"{self.value:.4g}"
        return f"{word:6}  {self.what}: {value} (bound {self.bound}){f'; {self.why}' if self.why else ''}"


@dataclass(frozen=True)
class Table:
    """Rows of cells; units stand in the columns' names."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def to_text(self) -> str:
        """Columns side by side."""
        lines = [list(self.columns), *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        body = ("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join([self.title, *body])


@dataclass(frozen=True)
class Series:
    """Points of a plot, or a curve."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    #: length of the bars to either side, or the lengths below and above
    error: Sequence[float] | tuple[Sequence[float], Sequence[float]] | None = None
    line: bool = True  # False: points alone


@dataclass(frozen=True)
class Plot:
    """A picture as data; `molscore.audit.plots` draws it."""

    name: str  # of the file, without suffix
    title: str
    x: str  # label of the axis, with unit
    y: str
    series: Sequence[Series]
    log_x: bool = False
    levels: Sequence[float] = ()  # horizontal lines: bounds
    diagonal: bool = False  # the line y = x


@dataclass(frozen=True)
class Part:
    """The answer to one question of an audit."""

    name: str
    title: str  # the question
    tables: Sequence[Table]
    verdicts: Sequence[Verdict]
    note: str = ""  # what a reader must know to read the figures: samples, split, uncertainty
    plots: Sequence[Plot] = ()
    seconds: float = 0.0

    def to_text(self) -> str:
        """Title, tables, note, verdicts."""
        blocks = [f"== {self.title}", *(table.to_text() for table in self.tables), self.note]
        blocks.append("\n".join(verdict.to_text() for verdict in self.verdicts))
        return "\n\n".join(block for block in blocks if block)


@dataclass(frozen=True)
class Audit:
    """All parts, and what they are of."""

    provenance: dict[str, Any]
    parts: Sequence[Part]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values; what is not finite becomes None."""
        return _plain({"provenance": self.provenance, "parts": [asdict(part) for part in self.parts]})

    def to_text(self) -> str:
        """All parts, then the count of the verdicts."""
        verdicts = [verdict.passed for part in self.parts for verdict in part.verdicts]
        count = f"{verdicts.count(True)} passed, {verdicts.count(False)} failed, {verdicts.count(None)} open"
        return "\n\n".join([*(part.to_text() for part in self.parts), count])


def _shown(cell: Cell) -> str:
    if cell is None:
        return "–"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
