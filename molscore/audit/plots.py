"""Draws the plots of an audit with matplotlib (the extra `audit`), as PNG files."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from molscore.audit.record import Part, Plot
from molscore.molecules.atomic import replacing

__all__ = ["available", "draw", "draw_all"]


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_all(parts: Sequence[Part], folder: Path) -> list[Path]:
    """One file for each plot of the parts; none without matplotlib."""
    plots = [plot for part in parts for plot in part.plots]
    return [draw(plot, folder) for plot in plots] if available() else []


def draw(plot: Plot, folder: Path) -> Path:
    """One plot as NAME.png, 150 dots an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for series in plot.series:
        style = {"marker": "o", "markersize": 4, "linestyle": "-" if series.line else "none", "label": series.label}
        if series.error is None:
            axes.plot(series.x, series.y, **style)
        else:
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
