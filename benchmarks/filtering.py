"""How many fewer candidates need to be inspected for as many good ones, when the density says which come first?

    python -m benchmarks.filtering -n 500 --settings "guidance=0,retries=0,corrected=none,steps=10"

Of draws of which a share p is good (stable by EDM's rule), the best share by an order has p' of them: as many good ones
are then found in p/p' of the inspections. No order could save more than 1 - p. Choices at random are the control.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import RESULTS, record
from benchmarks.roc import auroc
from benchmarks.samplers import candidates_of, sampling_of
from molscore.evaluation.edm import stability
from molscore.screening.generate import judge
from molscore.screening.model import load
from molscore.screening.sample import draw_formulas, draw_positions

__all__ = ["saved"]

RESULT = RESULTS / "generation" / "filtering.json"
ORDERS = ("density_excess", "codimension", "percentile", "log_likelihood")
COLUMNS = ["draws", "good %", "the best 65 % by", "good of them %", "fewer inspected %", "at best %",
           "AUROC, good against bad"]  # fmt: skip
KEEP, RESAMPLED = 0.65, 2000


def saved(good: NDArray[np.bool_], order: NDArray[np.floating], keep: float = KEEP) -> tuple[float, float]:
    """Share of good ones among the best share by an order, and of inspections that are saved; NaN comes last."""
    best = np.argsort(-np.nan_to_num(order, nan=-np.inf), kind="stable")[: round(keep * len(good))]
    kept = good[best].mean()
    return float(kept), float(1 - good.mean() / kept)


def _interval(good: NDArray[np.bool_], order: NDArray[np.floating] | None) -> str:
    """Inspections saved, in %, over bootstrap samples of the draws; without an order, over choices at random."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLED):
        rows = rng.integers(len(good), size=len(good)) if order is not None else np.arange(len(good))
        found.append(100 * saved(good[rows], rng.random(len(good)) if order is None else order[rows])[1])
    low, high = np.percentile(found, [2.5, 97.5])
    middle = np.mean(found) if order is None else 100 * saved(good, order)[1]
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", nargs="+", default=["guidance=0,retries=0,corrected=none,steps=10", ""])
    options = parser.parse_args()
    model, rows = load(options.model), []
    counts = draw_formulas(model, options.n, options.seed, None, None)
    for text in options.settings:
        drawn = draw_positions(model, counts, options.seed, sampling_of(text), progress=True)
        candidates = judge(model, candidates_of(model, drawn), 0.05, "density_excess")
        good = stability(candidates).molecules
        share, most = f"{100 * good.mean():.1f}", f"{100 * (1 - good.mean()):.1f}"
        for name in ORDERS:
            values = np.array([getattr(c, name) for c in candidates], dtype=float)  # None becomes NaN
            last = np.nan_to_num(values, nan=np.nanmin(values) - 1)
            kept = f"{100 * saved(good, values)[0]:.1f}"
            found = auroc(last[good], last[~good])
            rows.append([text or "default", share, name, kept, _interval(good, values), most, str(found)])
        rows.append([text or "default", share, "chance", share, _interval(good, None), most, None])
        for row in rows[-len(ORDERS) - 1 :]:
            print(*row, sep=" | ", flush=True)
    title = "How many fewer candidates need to be inspected for as many good ones?"
    note = (
        f"{options.n} draws each, none turned down; good is stable by EDM's rule. Brackets are 95 % bootstrap "
        "intervals, of chance 95 % of choices at "
        f"random. At best: by an order that puts every good one first. Weights sha256 {model.weights[:12]}."
    )
    record(RESULT, title, COLUMNS, rows, f"python -m benchmarks.filtering -n {options.n}", note)


if __name__ == "__main__":
    main()
