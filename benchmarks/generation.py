"""How good are molecules drawn from a model? EDM's metrics for each sampler and number of network evaluations."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.draws import Draw, Setting, best_share, draw
from benchmarks.machine import describe
from molscore.datasets import qm9
from molscore.datasets.molecule_set import load as load_data
from molscore.evaluation.metrics import Metrics, evaluate
from molscore.evaluation.validity import edm_smiles
from molscore.molecules.atomic import write_text
from molscore.screening.criteria import DRAWN
from molscore.screening.model import Model, load

__all__ = ["JUDGED", "Setting", "figures", "judged", "kept_row", "measure"]

COLUMNS = ["sampler", "temperature", "guidance", "evaluations", "atom stability %", "molecule stability %",
           "valid %", "unique of valid %", "valid x unique %", "novel %", "connected %", "stable and connected %",
           "molecules/s"]  # fmt: skip
FIGURES = ["atom_stability", "molecule_stability", "validity", "uniqueness",
           "valid_unique", "novelty", "connectivity", "stable_connected"]  # fmt: skip
RESULT = Path(__file__).parent / "results" / "generation.json"
JUDGED = 3  # evaluations a molecule: its density, and the two that give the codimension
Row = list[str | float | None]


def measure(
    model: Model,
    setting: Setting,
    n: int,
    seeds: Iterable[int],
    reference: set[str | None] | None,
    folder: Path | None = None,
) -> tuple[list[Metrics], float]:
    """Metrics of n molecules for each seed, and molecules per second of drawing them (all of it: noise to SMILES)."""
    return judged([draw(model, setting, n, seed, folder) for seed in seeds], reference)


def judged(draws: Sequence[Draw], reference: set[str | None] | None) -> tuple[list[Metrics], float]:
    """Metrics of each, and molecules per second."""
    speed = sum(len(drawn.molecules) for drawn in draws) / sum(drawn.seconds for drawn in draws)
    return [evaluate(drawn.molecules, reference) for drawn in draws], speed


def kept_row(setting: Setting, draws: Sequence[Draw], reference: set[str | None] | None, keep: float) -> Row:
    """The same molecules, the best share of each seed.

    What was drawn and turned down is paid for by what is kept: so are the evaluations by which each is judged, and the
    time.
    """
    kept = [Draw(best_share(drawn.molecules, keep), drawn.seconds) for drawn in draws]
    ratio = sum(len(drawn.molecules) for drawn in draws) / sum(len(part.molecules) for part in kept)
    sampler, temperature, guidance, evaluations = setting.cells
    found, speed = judged(kept, reference)
    cells = [f"{sampler}, kept {keep:.0%} by {DRAWN}", temperature, guidance, f"{(evaluations + JUDGED) * ratio:.1f}"]
    return [*cells, *figures(found), f"{speed:.1f}"]


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
    """Measure, print and record, row by row."""
    options = _arguments()
    model, reference, rows = load(options.model), None, []

    def add(cells: Row) -> None:
        rows.append(cells)
        print(" | ".join(str(value) for value in cells), flush=True)
        _record(rows, options, model.weights)

    if Path(options.data).exists():
        reference = set(edm_smiles(load_data(options.data, "train"), progress=True))
        real = figures([evaluate(load_data(options.data, "test"), reference)])
        add(["QM9 test split, real", None, None, None, *real, None])
    for text in options.settings:
        setting = Setting.of(text)
        draws = [draw(model, setting, options.n, seed, options.save) for seed in range(options.seeds)]
        found, speed = judged(draws, reference)
        add([*setting.cells, *figures(found), f"{speed:.1f}"])
        if text in options.keep_of:
            add(kept_row(setting, draws, reference, options.keep))
            for seed, drawn in enumerate(draws if options.save else []):
                name = f"{model.weights[:12]}-{setting.words}-{options.n}-{seed}-kept-{options.keep:g}.parquet"
                best_share(drawn.molecules, options.keep).save(options.save / name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=1000, help="molecules a seed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--settings", nargs="+", default=["sde,1,1,50"], help="sampler,temperature,guidance,evaluations"
    )
    parser.add_argument("--keep-of", nargs="*", default=[], help="settings that get a row of their best share too")
    parser.add_argument("--keep", type=float, default=0.65, help="that share")
    parser.add_argument("--save", type=Path, help="folder of the molecules, a file a setting and seed; drawn only once")
    parser.add_argument("--data", default=str(qm9.DEFAULT_PATH), help="QM9, for novelty and the row of real molecules")
    parser.add_argument("--title", default="Generation: how good are molecules drawn from the shipped model?")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    return parser.parse_args()


def _record(rows: Sequence[Row], options: argparse.Namespace, weights: str) -> None:
    """Write what there is so far."""
    keeps = f" --keep {options.keep:g} --keep-of {' '.join(options.keep_of)}" if options.keep_of else ""
    note = (
        f"{options.n} molecules a seed, {options.seeds} seed(s), N and formula drawn from the model, nothing filtered "
        "unless the row says so; brackets are 95 % intervals. EDM's metric; novelty against the SMILES of the 100,000 "
        "training molecules made the same way."
    )
    if options.keep_of:
        note += (
            f" Kept: of the molecules of the row above, the {options.keep:.0%} of each seed that the model itself "
            "finds the best, no other check made; evaluations and time are for each molecule that is kept, "
            f"so they hold those turned down and the {JUDGED} evaluations by which each is judged."
        )
    result = {
        "title": options.title,
        "columns": COLUMNS,
        "rows": list(rows),
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.generation -n {options.n} --seeds {options.seeds} "
        f"--settings {' '.join(options.settings)}{keeps}",
        "note": f"{note} Weights sha256 {weights[:12]}.",
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.output, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
