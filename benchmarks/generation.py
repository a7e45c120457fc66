"""How good are molecules drawn from a model? EDM's metrics for each sampler and number of network evaluations."""

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.machine import describe
from molscore.datasets import qm9
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.metrics import Metrics, evaluate
from molscore.evaluation.validity import edm_smiles
from molscore.screening.model import Model, load

__all__ = ["Setting", "figures", "measure"]

COLUMNS = ["sampler", "temperature", "guidance", "evaluations", "atom stability %", "molecule stability %", "valid %",
           "unique of valid %", "valid x unique %", "novel %", "connected %", "stable and connected %",
           "molecules/s"]  # fmt: skip
FIGURES = ["atom_stability", "molecule_stability", "validity", "uniqueness",
           "valid_unique", "novelty", "connectivity", "stable_connected"]  # fmt: skip
RESULT = Path(__file__).parent / "results" / "generation.json"


class Setting(NamedTuple):
    """How to draw."""

    sampler: str
    temperature: float
    guidance: float
    evaluations: int

    @classmethod
    def of(cls, text: str) -> "Setting":
        """From a text such as langevin,0.6,3,50."""
        sampler, temperature, guidance, evaluations = text.split(",")
        return cls(sampler, float(temperature), float(guidance), int(evaluations))

    @property
    def cells(self) -> list[str | float | None]:
        """The first cells of its row."""
        return [self.sampler, self.temperature if self.sampler == "langevin" else None, *self[2:]]


def measure(
    model: Model, setting: Setting, n: int, seeds: Iterable[int], reference: set[str | None] | None
) -> tuple[list[Metrics], float]:
    """Metrics of n molecules for each seed, and molecules per second of drawing them (all of it: noise to SMILES)."""
    found, seconds, drawn = [], 0.0, 0
    sampler, temperature, guidance, steps = setting
    for seed in seeds:
        started = time.perf_counter()
        candidates = model.generate(
            n, seed=seed, steps=steps, sampler=sampler, temperature=temperature, guidance=guidance, progress=True
        )
        seconds, drawn = seconds + time.perf_counter() - started, drawn + n
        found.append(evaluate(MoleculeSet.from_molecules(candidates), reference))
    return found, drawn / seconds


def figures(found: list[Metrics]) -> list[str | None]:
    """The metrics' cells: one seed with its 95 % interval, several as mean ± standard deviation."""
    cells: list[str | None] = []
    for name in FIGURES:
        values = [getattr(metrics, name) for metrics in found]
        if any(value is None for value in values):
            cells.append(None)
        elif len(values) == 1:
            low, high = found[0].intervals[name]
            cells.append(f"{values[0]:.1f} [{low:.1f}, {high:.1f}]")
        else:
            cells.append(f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}")
    return cells


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=1000, help="molecules a seed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--settings", nargs="+", default=["langevin,0.6,3,50"], help="sampler,temperature,guidance,evaluations"
    )
    parser.add_argument("--data", default=str(qm9.DEFAULT_PATH), help="QM9, for novelty and the row of real molecules")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    model, reference, rows = load(options.model), None, []
    if Path(options.data).exists():
        reference = set(edm_smiles(qm9.load(options.data, "train"), progress=True))
        real = figures([evaluate(qm9.load(options.data, "test"), reference)])
        rows.append(["QM9 test split, real", None, None, None, *real, None])
    for text in options.settings:
        setting = Setting.of(text)
        found, speed = measure(model, setting, options.n, range(options.seeds), reference)
        rows.append([*setting.cells, *figures(found), f"{speed:.1f}"])
        print(" | ".join(str(cell) for cell in rows[-1]), flush=True)
    result = {
        "title": "Generation: how good are molecules drawn from the shipped model?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.generation -n {options.n} --seeds {options.seeds} "
        f"--settings {' '.join(options.settings)}",
        "note": f"{options.n} molecules a seed, {options.seeds} seed(s), N and formula drawn from the model, nothing "
        "filtered; brackets are 95 % intervals. EDM's metric; novelty against the SMILES of the 100,000 training "
        f"molecules made the same way. Weights sha256 {model.weights[:12]}.",
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
