"""What an audit finds: tables, curves and check results, as plain values for a terminal, a JSON file or a picture."""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from molscore.molecules.atomic import replacing

__all__ = ["Audit", "Cell", "CheckResult", "Part", "Plot", "Series", "Table", "can_draw", "draw"]

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class CheckResult:
    """One figure beside its bound."""

    what: str  # such as "flow: RMSE, nats"
    value: float | None
    bound: str  # such as "<= 2"
    passed: bool | None  # None: the measurement cannot say, and `why` tells why
    why: str = ""

    @classmethod
    def at_most(cls, what: str, value: float | None, bound: float, why: str = "") -> Self:
        """Passed where value <= bound; inconclusive where value is None or not finite."""
        known = value is not None and math.isfinite(value)
        return cls(what, value if known else None, f"<= {bound:g}", bool(value <= bound) if known else None, why)

    @classmethod
    def at_least(cls, what: str, value: float | None, bound: float, why: str = "") -> Self:
        """Passed where value >= bound; inconclusive where value is None or not finite."""
        known = value is not None and math.isfinite(value)
        return cls(what, value if known else None, f">= {bound:g}", bool(value >= bound) if known else None, why)

    def if_told(self, told: bool, why: str) -> Self:
        """The same where the measurement can tell; what passed without that becomes inconclusive."""
        return self if told or not self.passed else replace(self, passed=None, why=why)

    def to_text(self) -> str:
        """One line."""
        word = {True: "passed", False: "FAILED", None: "inconclusive"}[self.passed]
        return f"{word:12}  {self.what}: {_shown(self.value)} (bound {self.bound}){f'; {self.why}' if self.why else ''}"


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
        return "\n".join([*filter(None, [self.title]), *body])


@dataclass(frozen=True)
class Series:
    """Points of a plot, or a curve."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    error: Sequence[float] | None = None  # length of the bars to either side
    line: bool = True  # False: points alone


@dataclass(frozen=True)
class Plot:
    """A picture as data."""

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
    checks: Sequence[CheckResult]
    note: str = ""  # what a reader must know to read the figures: samples, split, uncertainty
    plots: Sequence[Plot] = ()
    seconds: float = 0.0

    def to_text(self) -> str:
        """Title, tables, note, check results."""
        blocks = [f"== {self.title}", *(table.to_text() for table in self.tables), self.note]
        blocks.append("\n".join(check.to_text() for check in self.checks))
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
        """All parts, then the count of the check results."""
        passed = [check.passed for part in self.parts for check in part.checks]
        count = f"{passed.count(True)} passed, {passed.count(False)} failed, {passed.count(None)} inconclusive"
        return "\n\n".join([*(part.to_text() for part in self.parts), count])


def can_draw() -> bool:
    """Whether matplotlib, the extra `audit`, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(plot: Plot, folder: Path) -> Path:
    """The plot as NAME.png, 150 dots an inch, drawn with matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for series in plot.series:
        style = {"marker": "o", "markersize": 4, "linestyle": "-" if series.line else "none", "label": series.label}
        axes.errorbar(series.x, series.y, yerr=series.error, capsize=3, **style)
    for level in plot.levels:
        axes.axhline(level, color="0.5", linewidth=1, linestyle="--")
    if plot.diagonal:
        axes.axline((float(plot.series[0].x[0]),) * 2, slope=1, color="0.5", linewidth=1, linestyle="--")
    if plot.log_x:
        axes.set_xscale("log")
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    if len(plot.series) > 1 or plot.series[0].error is not None:
        axes.legend(frameon=False, fontsize="small")
    path = folder / f"{plot.name}.png"
    with replacing(path) as fresh:
        figure.savefig(fresh, format="png", dpi=150, metadata={"Software": None})
    return path


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
