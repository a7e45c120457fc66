"""Do two models that share no training molecule agree on the log-density of a third's? By training time.

    python -m benchmarks.halves --train 0 & python -m benchmarks.halves --train 1 & wait; python -m benchmarks.halves

A log-density that is the data's, and not an accident of the run, comes out the same from either half of the data.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.clocked import OBJECTIVES, config_of, trained
from benchmarks.machine import describe
from molscore.audit.density import groups, noise_of
from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.datasets.statistics import distribution_of
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.bootstrap import bootstrap_interval
from molscore.molecules.atomic import write_text
from molscore.nn import PRESETS, Checkpoint, build, from_pretrained, save_pretrained
from molscore.screening.model import Model
from molscore.training.offset import with_noise_offset

__all__ = ["half_of", "row_of", "train_half"]

RESOLUTION, BOUND = 0.05, 0.05  # Å; nats for each degree of freedom
OFFSET_SAMPLES = 49_152  # the noise of the fit, of which each model has its own, falls as its root
RESULT = Path(__file__).parent / "results" / "density" / "halves.json"
COLUMNS = ["model of one half", "model of the other", "molecules", "RMS difference, nats per degree of freedom",
           "95 % from", "to", "of it the mean", "correlation", "deviation of log-density, nats per degree of freedom",
           f"within {BOUND:g}"]  # fmt: skip
Floats = NDArray[np.float64]


def half_of(data: MoleculeSet, half: int, seed: int) -> MoleculeSet:
    """Half 0 or 1 of the molecules, drawn at random; the two share none."""
    order = np.random.default_rng(seed).permutation(len(data))
    return data.select(np.sort(order[half::2]))


def folder_of(options: argparse.Namespace, half: int, minutes: float) -> Path:
    return options.runs / f"{options.preset}-{half}-{minutes:g}"


def train_half(options: argparse.Namespace, data: MoleculeSet, half: int, minutes: float) -> None:
    """Train on one half by the ordinary recipe for so many minutes of one core, from a start of its own."""
    known, seed = half_of(data, half, options.seed), 2 * options.seed + half
    distribution = distribution_of("qm9", data)  # sizes, formulas and sigma_N: what both must share to be compared
    torch.manual_seed(seed)
    network = build(PRESETS[options.preset], (distribution,))
    config = config_of(PRESETS[options.preset], options.batch, seed)
    spent = trained(network, known, OBJECTIVES["unified"], config, 60 * minutes, f"half {half}, {minutes:g} min")
    info = {"cpu_seconds": spent.cpu_seconds, "steps": spent.steps, "molecules": spent.molecules}
    fresh, sigmas = Checkpoint(network, (distribution,), info, {}), (config.sigma_min, config.sigma_max)
    checkpoint = with_noise_offset(fresh, known, sigmas, OFFSET_SAMPLES)
    save_pretrained(folder_of(options, half, minutes), checkpoint)


@torch.no_grad()
def log_densities(model: Model, molecules: MoleculeSet, seed: int) -> Floats:
    """Of each molecule blurred by `RESOLUTION`, with noise that is the same for every model; nats per degree, (M,)."""
    found = np.zeros(len(molecules))
    for group in groups(model, molecules):
        y = group.x + RESOLUTION * noise_of(group.density.mask, group.rows, seed, 3)
        U = group.density.estimate(y, torch.full((len(y),), RESOLUTION))[1]
        found[group.rows] = -U.double().numpy()
    return found / (3 * (molecules.sizes.astype(int) - 1))


def row_of(names: tuple[str, str], a: Floats, b: Floats) -> list[str | int | float | bool]:
    """The row of two log-densities (M,), nats per degree of freedom."""
    difference = a - b
    rms = float(np.sqrt(np.square(difference).mean()))
    low, high = bootstrap_interval(lambda rows: float(np.sqrt(np.square(difference[rows]).mean())), len(difference))
    figures = (rms, low, high, float(difference.mean()), float(np.corrcoef(a, b)[0, 1]), float(a.std()))
    return [*names, len(a), *(f"{figure:.3f}" for figure in figures), rms <= BOUND]


def table_of(options: argparse.Namespace, test: MoleculeSet) -> list[list[str | int | float | bool]]:
    """Like against like at each training time, and the control: the shortest against the longest."""
    found = {}
    for minutes in options.cpu_minutes:
        for half in (0, 1):
            model = Model(from_pretrained(folder_of(options, half, minutes)))
            found[half, minutes] = log_densities(model, test, options.seed)
    first, last = options.cpu_minutes[0], options.cpu_minutes[-1]
    pairs = [(minutes, minutes) for minutes in options.cpu_minutes] + [(first, last)] * (first < last)
    return [row_of((f"{a:g} min", f"{b:g} min"), found[0, a], found[1, b]) for a, b in pairs]


def main() -> None:
    """Train a half, or compare what is trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, choices=(0, 1), help="train this half; without it compare the two")
    parser.add_argument("--cpu-minutes", type=float, nargs="+", default=[3.0, 12.0])
    parser.add_argument("--preset", choices=PRESETS, default="S")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("--runs", type=Path, default=Path("runs/halves"))
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.train is not None:
        for minutes in options.cpu_minutes:
            train_half(options, load_data(options.data, "train"), options.train, minutes)
        return
    test = load_data(options.data, "test")
    rows = np.random.default_rng(options.seed).choice(len(test), options.held_out, replace=False)
    found = table_of(options, test.select(np.sort(rows)))
    for row in found:
        print(" | ".join(map(str, row)), flush=True)
    words = " ".join(f"{minutes:g}" for minutes in options.cpu_minutes)
    result = {
        "title": "Halves: do models that share no training molecule agree?",
        "columns": COLUMNS,
        "rows": found,
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.halves --train 0, --train 1 and without, each with --cpu-minutes {words} "
        f"--preset {options.preset} --held-out {options.held_out}",
        "note": f"Two networks of size {options.preset}, each trained from its own start on its own half of QM9's "
        f"training molecules for so many minutes of one core, its offset fitted on that half; held-out "
        f"molecules with noise of {RESOLUTION:g} Å added. "
        "The last row is a control: a model that was trained less is not yet the same.",
    }
    write_text(options.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
