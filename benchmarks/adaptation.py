"""What does adapting to a library buy? The nearest token as it is, a token that is learnt, and one with factors.

    python -m benchmarks.adaptation LIBRARY.parquet --base MODEL --steps 100
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from molscore.datasets.molecule_set import load as load_data
from molscore.molecules.atomic import write_text
from molscore.screening.model import load
from molscore.training.adapt import adapt

RESULT = Path(__file__).parent / "results" / "adaptation.json"
COLUMNS = ["what is learnt", "held-out loss before", "after", "log-density, nats", "seconds", "kB on disk"]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", help="a data set with splits, as `molscore data` makes it")
    parser.add_argument("--base", default="molscore")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("-n", type=int, default=64, help="held-out molecules whose log-density is read")
    options = parser.parse_args()
    base, library = load(options.base), load_data(options.library)
    held_out = list(library.select(np.flatnonzero(library.columns["split"] == "valid")[: options.n]))
    rows = []
    for name, blocks in (("token", False), ("token and low-rank factors", True)):
        began = time.monotonic()
        model = adapt(base, library, steps=options.steps, blocks=blocks)
        seconds, loss = time.monotonic() - began, model.checkpoint.info["held_out_loss"]
        with tempfile.TemporaryDirectory() as folder:
            size = (model.save_pretrained(Path(folder) / "own") / "model.safetensors").stat().st_size
        fits = [molecule for molecule in held_out if molecule.n_atoms <= model.max_atoms]
        density = model.log_density(fits)
        mean = round(float(density.mean()), 2)
        rows.append([name, loss["before"], loss["after"], mean, round(seconds), size // 1000])
        print(*rows[-1], sep=" | ", flush=True)
    result = {
        "title": "What does adapting to a library buy?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": describe(),
        "command": f"python -m benchmarks.adaptation LIBRARY.parquet --steps {options.steps}",
        "note": f"{len(library)} molecules; the loss is the training objective on held-out molecules at fixed noise, "
        f"before is the nearest token of the base as it is; log-densities at 0.05 Å of {len(held_out)} of them",
    }
    write_text(RESULT, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
