"""Does the density filter pay? Stability of the best share of drawn molecules, and what that saves.

To have S stable molecules one inspects S / p of them, p being the stable share of what one is shown. A filter that
raises it from p to q saves 1 - p/q of the inspections; none can save more than 1 - p.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molscore.audit.drawn import TEMPERATURES, drawn
from molscore.audit.measures import measures
from molscore.audit.options import Options
from molscore.audit.record import Part, Plot, Series, Table, Verdict
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.bootstrap import bootstrap_interval
from molscore.evaluation.stability import stability
from molscore.molecules.molecule import Molecule
from molscore.screening.candidate import inspect, mark_duplicates
from molscore.screening.criteria import DRAWN
from molscore.screening.model import Model

__all__ = ["filtering", "saved", "stable_share"]

KEEPS = tuple(round(1.0 - 0.05 * k, 2) for k in range(15))  # 1.0 ... 0.3
KEEP = 0.65
GOAL = 35.0  # percent of inspections saved
RESAMPLES = 1000  # of the bootstrap; a fifth for each point of the curve
COLUMNS = ["drawn at temperature", "molecules", "n", "kept by", "stable, all %", f"stable, kept {KEEP:.0%}",
           "gain, points", "inspected fewer %", "at best %"]  # fmt: skip
NOTE = (
    f"EDM's stability of the best {KEEP:.0%}, nothing else filtered, or only those that pass the checks of "
    "`generate`; 95 % bootstrap intervals over molecules, the threshold drawn again with them. `at best`: a filter "
    "that knew the answer. `chance`: molecules kept at random, and what 95 % of such choices gain."
)


def filtering(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The filter on `options.drawn` molecules at each temperature."""
    rows, plots, verdicts = [], [], []
    for temperature in TEMPERATURES if options.drawn else ():
        molecules = drawn(model, options, temperature)
        stable = stability(molecules).molecules
        found = measures(model, molecules, options.resolution)
        values = {by: _ranked(numbers, found["log_likelihood"]) for by, numbers in found.items()}
        passed = _passed(molecules)
        for name, kept in (("all", np.ones(len(molecules), dtype=bool)), ("that pass the checks", passed)):
            if kept.sum() < 10:
                continue
            of = [temperature, name, int(kept.sum())]
            for by in values if name == "all" else (DRAWN,):
                rows.append([*of, by, *_row(values[by][kept], stable[kept], options.seed)])
            rows.append([*of, "chance", *_by_chance(stable[kept], options.seed)])
        plots.append(_plot(temperature, values[DRAWN], stable, options.seed))
        verdicts += _verdicts(values[DRAWN], stable, f"temperature {temperature:g}, kept by {DRAWN}", options.seed)
    title = "The filter: how many unstable molecules does the density turn down?"
    return Part("filtering", title, [Table("", COLUMNS, rows)], verdicts, NOTE, plots)


def _verdicts(values: NDArray[np.float64], stable: NDArray[np.bool_], what: str, seed: int) -> list[Verdict]:
    """Whether stability rises for certain, and whether as many inspections are saved as is the goal."""
    gain, fewer = _figures(values, stable)
    low, _ = bootstrap_interval(lambda rows: _figures(values[rows], stable[rows])[0], len(stable), RESAMPLES, seed)
    best = _at_best(stable)
    why = "" if best > GOAL else f"at best {best:.1f} with these molecules"
    return [
        Verdict.at_least(f"{what}: lower end of the gain in stability, points (gain {gain:.1f})", low, 0.0),
        Verdict.at_least(f"{what}: inspected fewer, %", fewer, GOAL, why),
    ]


def stable_share(values: NDArray[np.float64], stable: NDArray[np.bool_], keep: float) -> float:
    """Stable share of the `keep` with the largest values, as `density_filter` keeps them."""
    return float(stable[np.argsort(-values, kind="stable")[: _kept(keep, len(values))]].mean())


def _kept(keep: float, n: int) -> int:
    return max(1, int(np.floor(keep * n + 0.5)))


def saved(before: float, after: float) -> float:
    """Percent of inspections that a filter saves when it raises the stable share from `before` to `after`."""
    return 100 * (1 - before / after) if after > 0 else float("nan")


def _figures(values: NDArray[np.float64], stable: NDArray[np.bool_]) -> tuple[float, float]:
    """Gain of stability in points, and percent of inspections saved, at `KEEP`."""
    before, after = float(stable.mean()), stable_share(values, stable, KEEP)
    return 100 * (after - before), saved(before, after)


def _row(values: NDArray[np.float64], stable: NDArray[np.bool_], seed: int) -> list[str]:
    intervals = [
        bootstrap_interval(lambda rows, k=k: _figures(values[rows], stable[rows])[k], len(stable), RESAMPLES, seed)
        for k in range(2)
    ]
    return _cells(stable, stable_share(values, stable, KEEP), _figures(values, stable), intervals)


def _by_chance(stable: NDArray[np.bool_], seed: int) -> list[str]:
    """A choice that knows nothing: no gain on average, and in 95 % of all choices of `KEEP` no more than so much."""
    n, before = _kept(KEEP, len(stable)), float(stable.mean())
    rng = np.random.default_rng(seed)
    shares = rng.hypergeometric(int(stable.sum()), int((~stable).sum()), n, 100 * RESAMPLES) / n
    low, high = np.quantile(shares, [0.025, 0.975]).tolist()
    gains = (100 * (low - before), 100 * (high - before))
    return _cells(stable, before, (0.0, 0.0), [gains, (saved(before, low), saved(before, high))])


def _cells(
    stable: NDArray[np.bool_], after: float, figures: tuple[float, float], intervals: Sequence[tuple[float, float]]
) -> list[str]:
    texts = [f"{value:.1f} [{low:.1f}, {high:.1f}]" for value, (low, high) in zip(figures, intervals, strict=True)]
    return [f"{100 * stable.mean():.1f}", f"{100 * after:.1f}", *texts, f"{_at_best(stable):.1f}"]


def _at_best(stable: NDArray[np.bool_]) -> float:
    """Percent of inspections that a filter saves that keeps stable molecules first."""
    before = float(stable.mean())
    return saved(before, min(1.0, before / KEEP))


def _ranked(values: NDArray[np.float64], log_likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of the values; ties by log-likelihood, as `generate` breaks them."""
    ranks = np.empty(len(values))
    ranks[np.lexsort((log_likelihood, values))] = np.arange(len(values))
    return ranks


def _passed(molecules: Sequence[Molecule]) -> NDArray[np.bool_]:
    """Whether each passes the checks of `generate`."""
    return np.array([c.passed for c in mark_duplicates(inspect(m, row) for row, m in enumerate(molecules))])


def _plot(
    temperature: float,
    values: NDArray[np.float64],
    stable: NDArray[np.bool_],
    seed: int,
) -> Plot:
    """Stability against the share that is kept."""
    shares = [100 * stable_share(values, stable, keep) for keep in KEEPS]
    series = [
        Series(f"by {DRAWN}", KEEPS, shares, [_half(values, stable, keep, seed) for keep in KEEPS]),
        Series("at random", KEEPS, [100 * float(stable.mean())] * len(KEEPS)),
    ]
    return Plot(
        f"filter_{temperature:g}", f"Filter, temperature {temperature:g}", "share kept", "stable molecules, %", series
    )


def _half(values: NDArray[np.float64], stable: NDArray[np.bool_], keep: float, seed: int) -> float:
    """Half the length of the interval of the stable share, in points."""
    n, share = len(stable), RESAMPLES // 5
    low, high = bootstrap_interval(lambda rows: stable_share(values[rows], stable[rows], keep), n, share, seed)
    return 50 * (high - low)
