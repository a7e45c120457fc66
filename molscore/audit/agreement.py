"""How well two log-densities agree: RMSE, mean difference, rank correlation over all and within formulas, and speed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from molscore.audit.judged import Judged
from molscore.audit.record import Part, Plot, Series, Table, Verdict
from molscore.evaluation.bootstrap import bootstrap_interval

__all__ = ["Wording", "agreement_part", "rank_correlation", "within"]

RMSE, MEAN, WITHIN, FASTER = 2.0, 1.0, 0.95, 300.0
LEAST = 3  # members of a formula whose ranks count


class Wording(NamedTuple):
    """What tells one referee's part from another's."""

    name: str  # of the part
    title: str
    how: str  # what the referee did for each molecule


def agreement_part(judged: Sequence[Judged], resolution: float, wording: Wording) -> Part:
    """Table, plot and verdicts."""
    name, title, how = wording
    if len(judged) < 2:
        verdict = Verdict(f"{name}: RMSE, nats", None, f"<= {RMSE:g}", None, "too few molecules were judged")
        return Part(name, title, [], [verdict])
    formulas = np.array([row.formula for row in judged])
    columns = ("log_density", "referee", "error", "seconds", "seconds_referee")
    model, truth, errors, fast, slow = (np.array([getattr(row, column) for row in judged]) for column in columns)
    difference, n = model - truth, len(judged)
    statistics: list[tuple[str, float, tuple[float, float]]] = [
        _over("RMSE, nats", lambda rows: math.sqrt(np.square(difference[rows]).mean()), n),
        _over("mean difference, nats", lambda rows: float(difference[rows].mean()), n),
        _over("RMSE without the mean, nats", lambda rows: float(difference[rows].std()), n),
        _over("rank correlation, all", lambda rows: rank_correlation(model[rows], truth[rows]), n),
        ("rank correlation within a formula", *within(model, truth, formulas)),
        _over("deviation of the referee, nats", lambda rows: float(truth[rows].std()), n),
        _over("referee : one pass, wall time", lambda rows: float(slow[rows].mean() / fast[rows].mean()), n),
    ]
    rows = [[what, value, low, high] for what, value, (low, high) in statistics]
    error = math.sqrt(float(np.square(errors).mean()))
    less = math.sqrt(max(0.0, float(np.square(difference).mean()) - error**2))
    free, (low, high) = within(model, truth, formulas, error)
    rows += [["standard error of the referee, nats", error, None, None],
             ["RMSE less that error, in squares, nats", less, None, None],
             ["rank correlation within a formula, less that error", free, low, high],
             ["one pass, ms a molecule", 1e3 * float(fast.mean()), None, None],
             ["referee, s a molecule", float(slow.mean()), None, None]]  # fmt: skip
    rmse, mean, _, _, ranks, _, faster = ((value, *interval) for _, value, interval in statistics)
    verdicts = [
        _certain(Verdict.at_most(f"{name}: RMSE, nats", rmse[0], RMSE), rmse[2] <= RMSE, rmse),
        _certain(Verdict.at_most(f"{name}: |mean difference|, nats", abs(mean[0]), MEAN),
                 max(map(abs, mean)) <= MEAN, mean),
        _certain(Verdict.at_least(f"{name}: rank correlation within a formula", ranks[0], WITHIN),
                 ranks[1] >= WITHIN, ranks),
        _certain(Verdict.at_least(f"{name}: times that one pass is faster", faster[0], FASTER),
                 faster[1] >= FASTER, faster),
    ]  # fmt: skip
    points = Series("molecules", truth.tolist(), model.tolist(), line=False)
    heading = f"Log-density at σ = {resolution:g} Å"
    plot = Plot(name, heading, "referee (nats)", "model (nats)", [points], diagonal=True)
    note = (
        f"{n} held-out molecules of {len(set(formulas))} formulas, those with most members, with noise of "
        f"{resolution:g} Å added; {how}; brackets are 95 % bootstrap intervals, over "
        "formulas for the correlation within them."
    )
    table = Table("", ["figure", "value", "95 % from", "to"], rows)
    return Part(name, title, [table], verdicts, note, [plot])


def _certain(verdict: Verdict, whole: bool, figure: tuple[float, float, float]) -> Verdict:
    """The verdict, open where the figure passes but the whole of its interval does not."""
    if not verdict.passed or whole:
        return verdict
    return replace(verdict, passed=None, why=f"95 % from {figure[1]:.3f} to {figure[2]:.3f}: too few molecules")


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's; NaN where one of them does not vary."""
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (a, b)]
    norm = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float(ranks[0] @ ranks[1]) / norm if norm else float("nan")


def within(
    a: NDArray[np.float64], b: NDArray[np.float64], labels: NDArray[np.str_], error: float = 0.0
) -> tuple[float, tuple[float, float]]:
    """Mean over labels of the rank correlation inside each, by members less one, and its interval over labels.

    `error` is the standard error of b: what it takes from a correlation is given back, r / (1 - error^2 / var b)^1/2,
    at most 1 (Spearman 1904, American Journal of Psychology 15, 72).
    """
    correlations, weights = [], []
    for label in sorted(set(labels.tolist())):
        rows = labels == label
        if rows.sum() >= LEAST and np.isfinite(one := rank_correlation(a[rows], b[rows])):
            told = 1 - error**2 / b[rows].var(ddof=1)
            correlations.append(min(1.0, one / math.sqrt(told)) if error and told > 0 else one)
            weights.append(float(rows.sum() - 1))
    if not correlations:
        return float("nan"), (float("nan"), float("nan"))
    r, w = np.array(correlations), np.array(weights)
    _, value, interval = _over("", lambda rows: float(r[rows] @ w[rows] / w[rows].sum()), len(r))
    return value, interval


def _over(name: str, statistic: Callable[[NDArray[np.int64]], float], n: int) -> tuple[str, float, tuple[float, float]]:
    return name, statistic(np.arange(n)), bootstrap_interval(statistic, n)
