"""How does the quality of molecules grow with the time of training, and where does that point?

Checkpoints along one training, each with the minutes spent until then, are judged by the same draws. The straight line

    logit(molecule stability) = a + b ln(minutes)

is fitted to them, weighted by their counts, and solved for the wanted stability.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.generation import Setting, measure
from benchmarks.machine import describe
from molscore.evaluation.metrics import Metrics
from molscore.molecules.atomic import write_text
from molscore.screening.model import load

__all__ = ["Fit", "Point", "fit", "minutes_until"]

RESULT = Path(__file__).parent / "results" / "generation" / "training_curve.json"
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "training_curve.png"
COLUMNS = ["minutes of training", "molecules seen", "atom stability %", "molecule stability %", "valid %", "weights"]


class Point(NamedTuple):
    """A checkpoint, judged."""

    minutes: float
    molecules: int  # shown in training until then, those of the density terms not counted twice
    weights: str
    metrics: Metrics


class Fit(NamedTuple):
    """logit(share) = a + b ln(minutes), and the deviation of both."""

    a: float
    b: float
    covariance: np.ndarray


def fit(minutes: np.ndarray, stable: np.ndarray, n: np.ndarray) -> Fit:
    """Logistic regression of counts `stable` of `n` on ln(minutes), each (K,), by Newton's method."""
    X = np.stack([np.ones_like(minutes), np.log(minutes)], axis=1)
    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-X @ beta))
        information = (X * (n * p * (1 - p))[:, None]).T @ X
        beta = beta + np.linalg.solve(information, X.T @ (stable - n * p))
    return Fit(float(beta[0]), float(beta[1]), np.linalg.inv(information))


def minutes_until(found: Fit, share: float) -> tuple[float, float]:
    """Minutes at which the line reaches a share, and the deviation of their logarithm (delta method)."""
    ln = (math.log(share / (1 - share)) - found.a) / found.b
    slope = np.array([-1, -ln]) / found.b
    return math.exp(ln), float(np.sqrt(slope @ found.covariance @ slope))


def judged(checkpoint: str, setting: Setting, n: int, seed: int) -> Point:
    """A checkpoint given as MINUTES,MOLECULES,FOLDER."""
    minutes, molecules, folder = checkpoint.split(",", 2)
    model = load(folder)
    metrics = measure(model, setting, n, [seed], None)[0][0]
    return Point(float(minutes), int(molecules), model.weights[:12], metrics)


def row_of(point: Point) -> list[Any]:
    """Cells of the table."""
    cells = []
    for name in ("atom_stability", "molecule_stability", "validity"):
        low, high = point.metrics.intervals[name]
        cells.append(f"{getattr(point.metrics, name):.1f} [{low:.1f}, {high:.1f}]")
    return [round(point.minutes), point.molecules, *cells, point.weights]


def outlook(points: list[Point], n: int, wanted: float) -> str:
    """Where the line points, in words."""
    if len(points) < 3:
        return "Too few checkpoints for a line."
    minutes = np.array([point.minutes for point in points])
    share = np.array([point.metrics.molecule_stability for point in points]) / 100
    found = fit(minutes, share * n, np.full(len(points), float(n)))
    when, deviation = minutes_until(found, wanted)
    low, high = (when / 60 * math.exp(sign * 1.96 * deviation) for sign in (-1, 1))
    return (
        f"The line logit(stability) = {found.a:.2f} + {found.b:.2f} ln(minutes) reaches {wanted:.0%} after "
        f"{when / 60:.0f} hours [{low:.0f}, {high:.0f}] on this machine, if it stays a line; counting errors alone."
    )


def plot(points: list[Point], path: Path) -> None:
    """Molecule stability against minutes, with 95 % intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.4))
    minutes = [point.minutes for point in points]
    for name, label in (("molecule_stability", "molecules stable"), ("validity", "molecules valid")):
        values = np.array([getattr(point.metrics, name) for point in points])
        ends = np.array([point.metrics.intervals[name] for point in points])
        axes.errorbar(minutes, values, np.abs(ends.T - values), marker="o", capsize=3, label=label)
    axes.set(xscale="log", xlabel="minutes of training on two CPU cores", ylabel="%")
    axes.set_xticks(minutes, [f"{value:.0f}" for value in minutes])
    axes.minorticks_off()
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Judge, print and record after each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+", help="MINUTES,MOLECULES,FOLDER in the order of training")
    parser.add_argument("-n", type=int, default=400, help="molecules of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", default="langevin,0.6,2,50", help="sampler,temperature,guidance,evaluations")
    parser.add_argument("--wanted", type=float, default=0.85, help="share of stable molecules to look ahead to")
    parser.add_argument("--note", default="", help="a sentence for the note, such as what was trained when")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    options = parser.parse_args()
    setting, points = Setting.of(options.setting), []
    for checkpoint in options.checkpoints:
        points.append(judged(checkpoint, setting, options.n, options.seed))
        print(" | ".join(map(str, row_of(points[-1]))), flush=True)
        result = {
            "title": "Generation: molecule stability against the time of training",
            "columns": COLUMNS,
            "rows": [row_of(point) for point in points],
            "machine": {**describe(), "threads": torch.get_num_threads()},
            "command": f"python -m benchmarks.training_curve -n {options.n} MINUTES,MOLECULES,FOLDER ...",
            "note": f"{options.n} molecules of each checkpoint, drawn with `{options.setting}` (sampler, temperature, "
            "guidance, evaluations); brackets are 95 % intervals. Wall time of training in two processes, the "
            "machine's other work included; the averaged weights as they were, so that a checkpoint before the end of "
            f"its stage has not had its learning rate fall to zero. {options.note} ".replace("  ", " ")
            + outlook(points, options.n, options.wanted) + f" ![curve](figures/{options.figure.name})",
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        plot(points, options.figure)


if __name__ == "__main__":
    main()
