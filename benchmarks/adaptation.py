"""What does adapting to a library buy? The base as it is, a token, token and low-rank factors, and all weights.

    python -m benchmarks.adaptation data/LIBRARY.parquet --steps 150

Each arm takes the same number of steps of the same number of molecules, on one core, one arm after the other. All
weights learn at three rates, for theirs are not known beforehand: what they come to is the best of the three.
"""

import argparse
import json
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.machine import describe
from molscore.datasets.molecule_set import load as load_data
from molscore.molecules.atomic import write_text
from molscore.molecules.molecule import Molecule
from molscore.screening.info import resolved
from molscore.screening.model import load
from molscore.training.adapt import adapt
from molscore.training.config import DataConfig, TrainConfig
from molscore.training.loop import train

RESULT = Path(__file__).parent / "results" / "across" / "2_adaptation.json"
COLUMNS = [
    "what is learnt", "log-density of held-out molecules, nats", "less the best of all weights, nats",
    "CPU minutes", "kB on disk",
]  # fmt: skip
NEAR = "leads"
RATES = {f"all weights, rate {rate:g}": rate for rate in (1e-3, 2e-4, 4e-5)}  # of Muon; AdamW's is a fifth of it
ARMS = ("nothing: the nearest token", "token", "token and low-rank factors", *RATES)


class Options(NamedTuple):
    """What every arm is given."""

    library: str
    base: str
    steps: int
    n: int


class Found(NamedTuple):
    """What an arm came to."""

    log_density: np.ndarray
    minutes: float
    size: int


def learnt(arm: str, options: Options, folder: Path) -> tuple[Path, str | None]:
    """Learn and save; the model's folder and its distribution."""
    base, library = load(options.base), load_data(options.library)
    if arm == ARMS[0]:
        held_out = _held_out(options)
        near = [
            d
            for d in base.checkpoint.distributions
            if set(load(options.base, NEAR).distribution.elements) <= set(d.elements)
        ]
        means = {d.name: load(options.base, d.name).log_density(held_out).mean() for d in near}
        return resolved(options.base, None)[0], max(means, key=lambda name: means[name])
    if arm in ARMS[1:3]:
        model = adapt(base, library, steps=options.steps, blocks=arm == ARMS[2])
        model.save_pretrained(folder)
        return folder, None
    config = TrainConfig(
        (DataConfig(options.library, NEAR),),
        str(folder),
        init=str(resolved(options.base, None)[0]),
        steps=options.steps,
        batch=32,
        warmup=10,
        decay=1.0,
        lr=RATES[arm] / 5,
        lr_muon=RATES[arm],
        ema=0.98,
        density_start=0.0,
        density_share=0.5,
        references=0,
    )
    train(config)
    return folder / "model", None


def _held_out(options: Options) -> list[Molecule]:
    """Those that the nearest distribution of the base can judge."""
    library, near = load_data(options.library), load(options.base, NEAR)
    rows = np.flatnonzero((library.columns["split"] == "valid") & (library.sizes <= near.max_atoms))
    return [m for m in library.select(rows) if set(m.symbols) <= set(near.distribution.elements)][: options.n]


def measured(arm: str, options: Options) -> Found:
    """One arm, from the base to its figures."""
    with tempfile.TemporaryDirectory() as name:
        began = time.process_time()
        folder, distribution = learnt(arm, options, Path(name) / "own")
        minutes = (time.process_time() - began) / 60
        model = load(folder, distribution)
        size = (folder / "model.safetensors").stat().st_size
        density = model.log_density(_held_out(options))
    return Found(density, minutes, size)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="a data set with splits, as `molscore data` makes it")
    parser.add_argument("--base", default="organic")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("-n", type=int, default=96, help="held-out molecules whose log-density is read")
    options = parser.parse_args()
    given = Options(options.library, options.base, options.steps, options.n)
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = {arm: pool.apply(measured, (arm, given)) for arm in ARMS}
    best = max(RATES, key=lambda arm: found[arm].log_density.mean())
    rows = []
    for arm, at in found.items():
        less = "0" if arm == best else _nats(at.log_density - found[best].log_density)
        rows.append([arm, _nats(at.log_density), less, round(at.minutes, 1), at.size // 1000])
        print(*rows[-1], sep=" | ", flush=True)
    result = {
        "title": "What does adapting to a library buy?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": describe(),
        "command": f"python -m benchmarks.adaptation {options.library} --steps {options.steps} -n {options.n}",
        "note": f"log-densities at 0.05 Å of {options.n} held-out molecules, mean ± standard error; the second "
        "column is of pairs. Each arm takes the same steps; CPU minutes count the percentile tables of an adapter as "
        "well. The arm that learns nothing takes the base's token that the held-out molecules are likest to.",
    }
    write_text(RESULT, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _nats(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


if __name__ == "__main__":
    main()
