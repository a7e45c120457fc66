"""What does adapting to a library buy? The base as it is, a token, token and low-rank factors, and all weights.

    python -m benchmarks.adaptation data/LIBRARY.parquet --steps 150
    python -m benchmarks.adaptation data/ligands.parquet --base FOLDER --train 2000 -o RESULT

Each arm takes the same number of steps of the same number of molecules, on one core, one arm after the other. All
weights learn at three rates, for theirs are not known beforehand: what they come to is the best of the three. Each arm
then draws positions for the formulas of held-out molecules.
"""

import argparse
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.record import RESULTS, record, share
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.molecule_set import load as load_data
from molscore.screening.checks import inspect
from molscore.screening.info import resolved
from molscore.screening.model import load
from molscore.screening.predictor import element_counts
from molscore.screening.sample import Sampling, draw_positions
from molscore.training.adapt import adapt
from molscore.training.config import DataConfig, TrainConfig
from molscore.training.loop import train

RESULT = RESULTS / "across" / "2_adaptation.json"
COLUMNS = [
    "what is learnt", "log-density of held-out molecules, nats", "less the best of all weights, nats",
    "draws that pass the checks, %", "CPU minutes", "kB on disk",
]  # fmt: skip
RATES = {f"all weights, rate {rate:g}": rate for rate in (1e-3, 2e-4, 4e-5)}  # of Muon; AdamW's is a fifth of it
ARMS = ("nothing: the nearest token", "token", "token and low-rank factors", *RATES)


class Options(NamedTuple):
    """What every arm is given."""

    library: Path  # train and valid, of what the base can judge
    base: str
    near: str  # the base's distribution that all weights begin at
    steps: int
    n: int
    draws: int


class Found(NamedTuple):
    """What an arm came to."""

    log_density: np.ndarray
    passed: np.ndarray
    minutes: float
    size: int


def library_of(path: str, base: str, near: str, n_train: int | None) -> MoleculeSet:
    """The splits train and valid of a data set, those molecules that the base has a place for."""
    data, distribution = load_data(path), load(base, near).distribution
    fits = data.sizes <= distribution.max_atoms
    fits &= np.array([set(molecule.symbols) <= set(distribution.elements) for molecule in data])
    train, valid = (np.flatnonzero(fits & (data.columns["split"] == name)) for name in ("train", "valid"))
    if n_train is not None:
        train = np.sort(np.random.default_rng(0).choice(train, n_train, replace=False))
    return data.select(np.concatenate([train, valid]))


def learnt(arm: str, options: Options, folder: Path) -> tuple[Path, str | None]:
    """Learn and save; the model's folder and its distribution."""
    library = load_data(options.library)
    if arm == ARMS[0]:
        held_out = list(library.split("valid"))[: options.n]
        names = [d.name for d in load(options.base).checkpoint.distributions if d.max_atoms >= library.sizes.max()]
        means = {name: load(options.base, name).log_density(held_out).mean() for name in names}
        return resolved(options.base, None)[0], max(means, key=lambda name: means[name])
    if arm in ARMS[1:3]:
        adapt(options.base, library, steps=options.steps, blocks=arm == ARMS[2]).save_pretrained(folder)
        return folder, None
    data, base, rate = DataConfig(str(options.library), options.near), str(resolved(options.base, None)[0]), RATES[arm]
    train(TrainConfig(
        (data,), str(folder), init=base, steps=options.steps, batch=32, warmup=10, decay=1.0, lr=rate / 5, lr_muon=rate,
        ema=0.98, density_start=0.0, density_share=0.5, references=0,
    ))  # fmt: skip
    return folder / "model", None


def measured(arm: str, options: Options) -> Found:
    """One arm, from the base to its figures."""
    with tempfile.TemporaryDirectory() as name:
        began = time.process_time()
        folder, distribution = learnt(arm, options, Path(name) / "own")
        minutes = (time.process_time() - began) / 60
        model = load(folder, distribution)
        size = (folder / "model.safetensors").stat().st_size
    held_out = list(load_data(options.library).split("valid"))[: options.n]
    counts = element_counts(held_out[: options.draws], model.distribution.elements)
    drawn = draw_positions(model, counts, 0, Sampling())
    passed = np.array([inspect(molecule, index).passed for index, molecule in enumerate(drawn)])
    return Found(model.log_density(held_out), passed, minutes, size)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="a data set with splits, as `molscore data` makes it")
    parser.add_argument("--base", default="organic")
    parser.add_argument("--near", default="leads", help="the base's distribution that all weights begin at")
    parser.add_argument("--train", type=int, help="molecules to learn; all of the split, unless given")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("-n", type=int, default=64, help="held-out molecules whose log-density is read")
    parser.add_argument("--draws", type=int, default=32, help="of these that are drawn anew from their formulas")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        path = Path(folder) / "library.parquet"
        library = library_of(options.library, options.base, options.near, options.train)
        library.save(path)
        given = Options(path, options.base, options.near, options.steps, options.n, options.draws)
        found = {}
        for arm in ARMS:
            found[arm] = at = pool.apply(measured, (arm, given))
            print(arm, _nats(at.log_density), share(at.passed), f"{at.minutes:.1f}", at.size, sep=" | ", flush=True)
    best = max(RATES, key=lambda arm: found[arm].log_density.mean())
    for arm, at in found.items():
        less = "0" if arm == best else _nats(at.log_density - found[best].log_density)
        rows.append([arm, _nats(at.log_density), less, share(at.passed), round(at.minutes, 1), at.size // 1000])
    name, n_train = Path(options.library).stem, int((library.columns["split"] == "train").sum())
    title = f"What does adapting to a library buy? {name}, {n_train:,} molecules"
    note = (
        f"Base: {options.base}. Log-densities at 0.05 Å of {options.n} held-out molecules, mean ± standard "
        "error; the second column is of pairs. Each arm takes the same steps, an adapter fewer where the loss of "
        "held-out molecules no longer falls; CPU minutes count the percentile tables of an adapter as well. Draws: one "
        f"for the formula of each of {options.draws} held-out molecules, by the default sampler, with a 95 % interval; "
        "the checks want bonds of a neutral closed-shell molecule, one piece and no stray charge. The arm that learns "
        "nothing takes the base's token that the held-out molecules are likest to."
    )
    record(options.output, title, COLUMNS, rows, f"python -m benchmarks.adaptation {' '.join(sys.argv[1:])}", note)


def _nats(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


if __name__ == "__main__":
    main()
