"""How good are molecules by sampler and number of network evaluations, and how fast are they drawn?"""

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.generation import FIGURES, Setting, figures, measure
from benchmarks.machine import describe
from molscore.audit.report import Plot, Series, can_draw, draw
from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.evaluation.metrics import evaluate
from molscore.molecules.atomic import write_text
from molscore.screening.model import load

__all__ = ["kept", "plot_of", "result_of", "row_of", "wanted"]

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "generation" / "samplers.json"
PLOTS = ROOT / "docs" / "figures"
COLUMNS = ["sampler", "temperature", "guidance", "evaluations", "molecules", "atom stability %",
           "molecule stability %", "valid %", "unique of valid %", "connected %", "molecules/s"]  # fmt: skip
SHOWN = [FIGURES.index(name) for name in
         ("atom_stability", "molecule_stability", "validity", "uniqueness", "connectivity")]  # fmt: skip
REAL = "QM9 test split, real"
# The model's own density by each sampler, then the default and the same with Metropolis steps.
SAMPLERS = ("langevin,1,0", "heun,1,0", "ode,1,0", "mala,1,0", "langevin,0.6,2", "mala,0.6,2")
EVALUATIONS = (12, 25, 50, 100, 250, 1000)
MANY = 1000  # evaluations from which fewer molecules may be drawn
Row = list[Any]


def key(row: Row) -> tuple[Any, ...]:
    """What a row is of: sampler, temperature, guidance, evaluations."""
    return tuple(row[:4])


def row_of(setting: Setting, n: int, cells: Sequence[str | None], speed: float) -> Row:
    """The row of a setting; `cells` are those of `benchmarks.generation.figures`."""
    temperature = None if setting.sampler in ("heun", "ode") else setting.temperature
    return [setting.sampler, temperature, *setting[2:], n, *(cells[k] for k in SHOWN), f"{speed:.2g}"]


def kept(path: Path, weights: str) -> list[Row]:
    """Rows of an earlier file, if it is of the same weights."""
    if not path.is_file():
        return []
    result = json.loads(path.read_text(encoding="utf-8"))
    same = f"sha256 {weights[:12]}." in result["note"] and result["columns"] == COLUMNS
    return result["rows"] if same else []


def wanted(only: Sequence[str], evaluations: Sequence[int], n: int, n_many: int) -> Iterator[tuple[Setting, int]]:
    """Settings and molecules of each, the cheapest first; `only` names samplers or whole settings."""
    for steps in sorted(evaluations):
        for text in SAMPLERS:
            if not only or text in only or text.split(",")[0] in only:
                yield Setting.of(f"{text},{steps}"), n_many if steps >= MANY else n


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Real molecules, then by sampler and evaluations."""
    names = [REAL, *SAMPLERS]

    def place(row: Row) -> tuple[int, int]:
        name = REAL if row[0] == REAL else f"{row[0]},{row[1] or 1:g},{row[2]:g}"
        return names.index(name), row[3] or 0

    return sorted(rows, key=place)


def plot_of(rows: Sequence[Row]) -> Plot:
    """Molecule stability against evaluations, bars of 95 %."""
    curves: dict[str, list[tuple[float, ...]]] = {}
    column, levels = COLUMNS.index("molecule stability %"), []
    for row in rows:
        value, low, high = (float(number) for number in re.findall(r"[\d.]+", row[column]))
        if row[0] == REAL:
            levels.append(value)
            continue
        words = f"{row[0]}, guidance {row[2]:g}" + ("" if row[1] is None else f", temperature {row[1]:g}")
        curves.setdefault(words, []).append((row[3], value, value - low, high - value))
    series = []
    for words, points in curves.items():
        x, y, below, above = zip(*points, strict=True)
        series.append(Series(words, x, y, (below, above)))
    return Plot(
        "samplers", "Molecules that are stable; dashed: real ones", "network evaluations", "molecule stability %",
        series, log_x=True, levels=levels,
    )  # fmt: skip


def result_of(rows: Sequence[Row], weights: str, command: str) -> dict[str, Any]:
    """The table as a result file."""
    note = (
        "N and formula drawn from the model, nothing filtered; brackets are 95 % intervals, of as many molecules as a "
        "row says; EDM's metric. Temperature 1 and guidance 0 draw from the model's own density; 0.6 and 2 are the "
        "default. mala: three quarters of the evaluations are annealed Langevin down to 0.03 Å, the rest "
        "Metropolis-adjusted steps there with the density and its gradient, which count as two evaluations and take "
        "nearer three by the clock. Heun's method and the probability flow take one evaluation fewer where the number "
        "is even. Rows may come of several runs; molecules/s from noise to checked SMILES. "
        f"Weights sha256 {weights[:12]}. "
        "![stability by evaluations](figures/samplers.png)"
    )
    return {
        "title": "Samplers: quality against network evaluations",
        "columns": COLUMNS,
        "rows": in_order(rows),
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": command,
        "note": note,
    }


def main() -> None:
    """Measure what is missing; print, record and plot after every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=200, help="molecules a row")
    parser.add_argument("--n-many", type=int, default=64, help=f"molecules a row of {MANY} evaluations or more")
    parser.add_argument("--evaluations", type=int, nargs="+", default=EVALUATIONS)
    parser.add_argument("--only", nargs="+", default=[], help=f"samplers, or settings among {' '.join(SAMPLERS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default=str(qm9.DEFAULT_PATH), help="QM9, for the row of real molecules")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--plots", type=Path, default=PLOTS, help="folder of samplers.png")
    options = parser.parse_args()
    model = load(options.model)
    command = f"python -m benchmarks.samplers -n {options.n} --n-many {options.n_many}"
    rows = kept(options.output, model.weights)
    if not any(row[0] == REAL for row in rows) and Path(options.data).exists():
        test = load_data(options.data, "test")
        cells = figures([evaluate(test)])
        rows.append([REAL, None, None, None, len(test), *(cells[k] for k in SHOWN), None])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.plots.mkdir(parents=True, exist_ok=True)
    for setting, n in wanted(options.only, options.evaluations, options.n, options.n_many):
        if key(row_of(setting, n, [None] * len(FIGURES), 0)) in map(key, rows):
            continue
        found, speed = measure(model, setting, n, [options.seed], None)
        rows.append(row_of(setting, n, figures(found), speed))
        print(" | ".join(str(cell) for cell in rows[-1]), flush=True)
        result = result_of(rows, model.weights, command)
        write_text(options.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        if can_draw():
            draw(plot_of(result["rows"]), options.plots)


if __name__ == "__main__":
    main()
