"""The tables of `benchmarks.unified`, made from the raw records of whatever has been measured."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molscore.evaluation.bootstrap import bootstrap_interval

__all__ = ["COLUMNS", "GOAL_COLUMNS", "NAMES", "bits", "goal_rows", "rows"]

NAMES = {
    "unified": "unified: one network, score and density",
    "score": "score only",
    "density": "density only: U, its score is -grad U",
    "flow": "neural spline flow, of one formula",
}
COLUMNS = ["network", "parameters", "training CPU s", "molecules seen", "held-out denoising loss",
           "atom stability %", "molecule stability %", "valid %", "molecule stability %, guided",
           "time-score bias nats", "bits a dimension", "the same corrected",
           "one formula: time-score bias nats", "one formula: bits a dimension",
           "one formula: the same corrected"]  # fmt: skip
GOAL_COLUMNS = ["goal", "measured", "bound", "kept"]
BITS, STABILITY, LATENCY = 0.2, -3.0, 0.6
Record = dict[str, Any]
Floats = NDArray[np.float64]


def rows(records: dict[str, Record]) -> list[list[Any]]:
    """One row a network, in the order of `NAMES`; what it does not have, or was not measured, is None."""
    return [_row(name, records[name]) for name in NAMES if name in records]


def _row(name: str, record: Record) -> list[Any]:
    drawn = record.get("generation", {})
    figures = [_percent(drawn.get("plain"), what) for what in ("atom_stability", "molecule_stability", "validity")]
    loss = record.get("denoising")
    return [
        NAMES[name], record["parameters"], round(record["cpu_seconds"]), record["molecules"],
        None if loss is None else interval_text(np.array(loss), 3), *figures,
        _percent(drawn.get("guided"), "molecule_stability"),
        *_density_cells(record.get("test")), *_density_cells(record.get("isomers")),
    ]  # fmt: skip


def _percent(drawn: Record | None, name: str) -> str | None:
    if drawn is None:
        return None
    low, high = drawn["metrics"]["intervals"][name]
    return f"{drawn['metrics'][name]:.1f} [{low:.1f}, {high:.1f}] of {drawn['metrics']['n']}"


def _density_cells(found: Record | None) -> list[str | None]:
    if found is None:
        return [None, None, None]
    bias = None if "bias" not in found else interval_text(np.array(found["bias"]), 1)
    corrected = ratio_text(*_terms(found, True)) if "bias" in found else "normalised by construction"
    return [bias, ratio_text(*_terms(found, False)), corrected]


def bits(found: Record, corrected: bool) -> float:
    """Cross-entropy in bits a dimension over all molecules; corrected, with the bias of the time score added to U.

    The bias is the error of log-density, so that U + bias is what a density without it would have said.
    """
    nats, d = _terms(found, corrected)
    return float(nats.sum() / d.sum() / math.log(2))


def _terms(found: Record, corrected: bool) -> tuple[Floats, Floats]:
    """Nats and degrees of freedom of each molecule, (M,)."""
    nats, d = np.array(found["U"]), np.array(found["d"], dtype=float)
    return (nats + np.array(found["bias"]) if corrected and "bias" in found else nats), d


def interval_text(values: Floats, digits: int) -> str:
    """Mean and its 95 % interval over molecules."""
    low, high = bootstrap_interval(lambda rows: float(values[rows].mean()), len(values))
    return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def ratio_text(nats: Floats, d: Floats) -> str:
    """Bits a dimension and their 95 % interval over molecules."""
    def value(rows: NDArray[np.int64]) -> float:
        return float(nats[rows].sum() / d[rows].sum() / math.log(2))

    low, high = bootstrap_interval(value, len(nats))
    return f"{value(np.arange(len(nats))):.3f} [{low:.3f}, {high:.3f}]"


def goal_rows(records: dict[str, Record]) -> list[list[Any]]:
    """What is held against what was hoped for, from the records that are there."""
    found: list[list[Any]] = []
    one, score, density, flow = (records.get(name, {}) for name in NAMES)
    if "test" in one and "test" in density:
        found.append(_bits_goal("test molecules: unified less density only, bits a dimension, corrected",
                                one["test"], density["test"]))  # fmt: skip
    rivals = {name: rival["isomers"] for name, rival in (("density only", density), ("flow", flow))
              if "isomers" in rival}  # fmt: skip
    if "isomers" in one and rivals:
        best = min(rivals, key=lambda name: bits(rivals[name], True))
        found.append(_bits_goal(f"one formula: unified less the best dedicated ({best}), bits a dimension, corrected",
                                one["isomers"], rivals[best]))  # fmt: skip
    for setting in ("plain", "guided"):
        ours, theirs = (record.get("generation", {}).get(setting) for record in (one, score))
        if ours and theirs:
            found.append(_stability_goal(setting, ours, theirs))
    if one and score and density:
        for what, unit in (("parameters", ""), ("cpu_seconds", " CPU s")):
            ours, theirs = one[what], score[what] + density[what]
            text = f"{ours:,.0f} against {theirs:,.0f}{unit}"
            found.append([f"{what.replace('cpu_seconds', 'training time')} less than of the two", text, "less",
                          ours < theirs])  # fmt: skip
    for size, seconds in records.get("latency", {}).items():
        found += _latency_rows(size, {name: np.array(values) for name, values in seconds.items()})
    return found


def _bits_goal(what: str, ours: Record, theirs: Record) -> list[Any]:
    """Both on the same molecules, so that they are drawn again together."""
    (a, d), (b, _) = _terms(ours, True), _terms(theirs, True)
    low, high = bootstrap_interval(lambda rows: float((a - b)[rows].sum() / d[rows].sum() / math.log(2)), len(a))
    value = bits(ours, True) - bits(theirs, True)
    return [what, f"{value:+.3f} [{low:+.3f}, {high:+.3f}]", f"<= {BITS}", value <= BITS]


def _stability_goal(setting: str, ours: Record, theirs: Record) -> list[Any]:
    """The same formulas, so that they are drawn again together."""
    gap = 100 * (np.array(ours["stable"], dtype=float) - np.array(theirs["stable"], dtype=float))
    low, high = bootstrap_interval(lambda rows: float(gap[rows].mean()), len(gap))
    text = f"{gap.mean():+.1f} [{low:+.1f}, {high:+.1f}]"
    what = f"molecule stability, {setting}: unified less score only, points"
    return [what, text, f">= {STABILITY:g}", bool(gap.mean() >= STABILITY)]


def _latency_rows(size: str, seconds: dict[str, Floats]) -> list[list[Any]]:
    """Ratios to the two networks one after the other, turn by turn."""
    names = {"unified": "unified", "slope": "density only with its slope as the score"}
    rows = []
    for key, name in names.items():
        ratio = seconds[key] / seconds["separate"]
        low, high = bootstrap_interval(lambda turns, ratio=ratio: float(np.median(ratio[turns])), len(ratio))
        value = float(np.median(ratio))
        text = (f"{value:.2f} [{low:.2f}, {high:.2f}] ({1000 * np.median(seconds[key]):.1f} against "
                f"{1000 * np.median(seconds['separate']):.1f} ms)")  # fmt: skip
        bound, kept = (f"<= {LATENCY}", value <= LATENCY) if key == "unified" else ("", None)
        rows.append([f"latency of score and density, {size}: {name} over the two networks", text, bound, kept])
    return rows
