"""Do again what `molscore train` does when the steps are taken: for a model made by an earlier version or another loop.

    python -m benchmarks.remake_tables FOLDER --data data/qm9.parquet

The offset of U with the noise is fitted; percentiles by size and formula, usual atoms and the hashes of the training
molecules are made. All other weights stay as they are.
"""

import argparse
from pathlib import Path

from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.screening.model import Model, load
from molscore.screening.tables import with_tables
from molscore.training.config import TrainConfig
from molscore.training.offset import with_noise_offset

__all__ = ["remade"]

HELD_OUT = 4096  # molecules of the validation split, about


def remade(model: Model, data: Path, held_out: int = HELD_OUT) -> Model:
    """The model with a new offset and new tables from a data set with splits, such as `molscore data qm9` writes."""
    valid, train = load_data(data, "valid"), load_data(data, "train")
    valid = valid.select(range(0, len(valid), max(1, len(valid) // held_out)))
    settings = model.checkpoint.info.get("config", {})
    low, high = (settings.get(name, getattr(TrainConfig, name)) for name in ("sigma_min", "sigma_max"))
    with_noise_offset(model.checkpoint, train, (low, high))
    return with_tables(model, valid, valid.columns["smiles"], train.columns["smiles"])


def main() -> None:
    """Read the folder, write it again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("--held-out", type=int, default=HELD_OUT)
    options = parser.parse_args()
    card = options.folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    model = remade(load(options.folder), options.data, options.held_out)
    print(f"written: {model.save_pretrained(options.folder, text)}")


if __name__ == "__main__":
    main()
