"""Do again what `molscore train` does when the steps are taken: for a model made by an earlier version or another loop.

    python -m benchmarks.remake_tables FOLDER --data data/qm9.parquet

The offset of U with the noise is fitted; percentiles by size and formula, usual atoms and the list of
molecules that are not novel, all of the data set, are made. All other weights stay as they are.
"""

import argparse
from pathlib import Path

import torch

from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.molecules.known import Known
from molscore.screening.model import Model, load
from molscore.screening.tables import with_tables
from molscore.training.config import TrainConfig
from molscore.training.offset import with_noise_offset

__all__ = ["remade", "with_list"]

HELD_OUT = 4096  # molecules of the validation split, about


def remade(model: Model, data: Path, held_out: int = HELD_OUT) -> Model:
    """The model with a new offset and new tables from a data set with splits, such as `molscore data qm9` writes."""
    valid, train = load_data(data, "valid"), load_data(data, "train")
    valid = valid.select(range(0, len(valid), max(1, len(valid) // held_out)))
    settings = model.checkpoint.info.get("config", {})
    low, high = (settings.get(name, getattr(TrainConfig, name)) for name in ("sigma_min", "sigma_max"))
    with_noise_offset(model.checkpoint, train, (low, high))
    everything = qm9.load(data).columns["smiles"]
    return with_tables(_without_known(model), valid, valid.columns["smiles"], everything)


def with_list(model: Model, data: Path) -> Model:
    """The model with the molecules of a data set as those that are not novel, everything else as it was."""
    smiles = qm9.load(data).columns["smiles"]
    name = model.distribution.name
    return _without_known(model).with_extras({f"known.{name}": torch.from_numpy(Known.make(smiles, name).pack())})


def _without_known(model: Model) -> Model:
    extras = {name: table for name, table in model.checkpoint.extras.items() if name.partition(".")[0] != "known"}
    return Model(model.checkpoint._replace(extras=extras), model.name, model.distribution.name)


def main() -> None:
    """Read the folder, write it again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("--list-only", action="store_true", help="only the list of molecules that are not novel")
    parser.add_argument("--held-out", type=int, default=HELD_OUT)
    options = parser.parse_args()
    card = options.folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    model = load(options.folder)
    model = with_list(model, options.data) if options.list_only else remade(model, options.data, options.held_out)
    print(f"written: {model.save_pretrained(options.folder, text)}")


if __name__ == "__main__":
    main()
